/**
 * Owns where customers find the shop: the address in the QR picture; and where others find the baristas' port.
 *
 * **Invariants**
 * - It has no slash at its end.
 */
import { networkInterfaces } from "node:os";
import { isLoopback } from "../config.ts";

export interface PublicUrlOptions {
  /** PUBLIC_URL: the customers' port as customers reach it. */
  readonly publicUrl: string | undefined;
  readonly customerPort: () => number;
  /** Whether the customers' port speaks HTTPS. */
  readonly isSecure?: boolean;
}

/**
 * Makes the function that returns the public URL, as the client that sent `request` to the baristas' port can use it.
 * Without PUBLIC_URL it is the host that the board was opened by; a telephone can't reach `localhost`, so then this
 * machine's own address in its network.
 */
export function createPublicUrl(options: PublicUrlOptions): (request: Request) => string {
  const { publicUrl, customerPort, isSecure = false } = options;
  return (request) => {
    if (publicUrl) return publicUrl.replace(/\/+$/, "");
    const host = URL.parse(request.url, "http://localhost")?.hostname ?? "localhost";
    const name = isLoopback(host.replace(/^\[|\]$/g, "")) ? (findNetworkAddress() ?? host) : host;
    return `${isSecure ? "https" : "http"}://${name}:${customerPort()}`;
  };
}

/**
 * Makes the function that returns where the baristas' port is found: PUBLIC_STAFF_URL, else as the client that sent
 * `request` reached it.
 */
export function createStaffUrl(publicStaffUrl: string | undefined): (request: Request) => string {
  const found = publicStaffUrl?.replace(/\/+$/, "");
  return (request) => found ?? new URL(request.url).origin;
}

function findNetworkAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}
