/**
 * Owns the address of a request, as limits count it.
 *
 * **Invariants**
 * - A header is believed only from a trusted proxy.
 * - It is believed only up to the hop that the trusted proxies have seen.
 * - One header is read, the one that the proxy sets. Another one comes from the client, and is ignored.
 * - The memory for addresses is bounded.
 */
import ipaddr from "ipaddr.js";
import { remember } from "../remember.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Hops {
  /** The peer of the socket. */
  readonly peer: string;
  readonly headers: Headers;
}

/** The headers in which proxies write down whom they have seen. */
export type ProxyHeader = "x-forwarded-for" | "forwarded";

export interface Trust {
  /** Addresses or CIDRs. */
  readonly trustedProxies: readonly string[];
  readonly proxyHeader: ProxyHeader;
}

/** Length of the prefix that makes an IPv4 address an IPv6 one. */
const MAPPED_BITS = 96;

/** No real chain of proxies is longer: the rest is not read. */
const MAX_HOPS = 32;

const MAX_REMEMBERED = 10_000;

/**
 * Makes the function that reads a request's address: an IPv4 address, or the /64 of an IPv6 one. Behind trusted proxies
 * it is the rightmost hop of their header (X-Forwarded-For, or Forwarded of RFC 7239) that is none of them.
 */
export function createAddressReader({ trustedProxies, proxyHeader }: Trust): (hops: Hops) => string {
  const read = createReader(trustedProxies.map(parseNetwork), proxyHeader);
  const recall = remember((hops) => {
    const [peer = ""] = hops.split(" ", 1);
    return read(peer, hops.slice(peer.length + 1));
  }, MAX_REMEMBERED);
  if (trustedProxies.length === 0) return ({ peer }) => recall(peer);
  return ({ peer, headers }) => recall(`${peer} ${headers.get(proxyHeader) ?? ""}`);
}

function createReader(
  networks: readonly (readonly [Address, number])[],
  proxyHeader: ProxyHeader,
): (peer: string, written: string) => string {
  const isTrusted = (address: Address): boolean =>
    networks.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits));

  return (peer, written) => {
    let client = parseAddress(peer);
    if (!client) return peer;
    const hops = isTrusted(client) ? readHops(written, proxyHeader) : [];
    while (isTrusted(client)) {
      const hop = parseAddress(hops.pop() ?? "");
      // The last hop that is an address: no trusted proxy has seen anything beyond it.
      if (!hop) break;
      client = hop;
    }
    return limitedBy(client);
  };
}

/** IPv4 as it is; IPv6 by its /64, for that much is given to one customer. */
function limitedBy(address: Address): string {
  if (address.kind() === "ipv4") return address.toString();
  const network = address.toByteArray().fill(0, 8);
  return `${ipaddr.fromByteArray(network).toString()}/64`;
}

/**
 * The network around an address as limits count it, given to one household or office: the /24 of IPv4, the /48 of IPv6.
 */
export function blockOf(address: string): string {
  const parsed = parseAddress(address.replace(/\/\d+$/, ""));
  if (!parsed) return address;
  const kept = parsed.kind() === "ipv4" ? 3 : 6;
  return `${ipaddr.fromByteArray(parsed.toByteArray().fill(0, kept)).toString()}/${8 * kept}`;
}

/** IPv4-mapped IPv6 addresses become IPv4. Undefined for what is no address. */
function parseAddress(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

function parseNetwork(text: string): [Address, number] {
  if (text.includes("/")) {
    const [network, bits] = ipaddr.parseCIDR(text);
    const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= MAPPED_BITS;
    return isMapped ? [network.toIPv4Address(), bits - MAPPED_BITS] : [network, bits];
  }
  const address = ipaddr.process(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/** The addresses that proxies wrote down, the nearest last. */
function readHops(written: string, proxyHeader: ProxyHeader): string[] {
  const hops = proxyHeader === "forwarded" ? readForwarded(written) : written.split(",");
  return hops.slice(-MAX_HOPS).map((hop) => withoutPort(hop.trim()));
}

/**
 * The `for` of each element of a Forwarded header (RFC 7239, section 4), or "" where it has none:
 * `for="[2001:db8::1]:4711";proto=http, for=192.0.2.1` → `[2001:db8::1]:4711`, `192.0.2.1`.
 * Text in quotes may hold commas and semicolons.
 */
function readForwarded(forwarded: string): string[] {
  const hops = [""];
  for (const [separator, name = "", quoted, token = ""] of forwarded.matchAll(
    /,|([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))/g,
  )) {
    if (separator === ",") hops.push("");
    else if (name.toLowerCase() === "for") hops[hops.length - 1] = quoted ?? token;
  }
  return hops;
}

/** `192.0.2.1:80` → `192.0.2.1`, `[2001:db8::1]:80` → `2001:db8::1` */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  return bracketed?.[1] ?? hop.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
}
