/** Owns the tests of public-url.ts: where the QR picture leads. */
import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { isLoopback } from "../../src/config.ts";
import { createPublicUrl } from "../../src/http/public-url.ts";

/** Where customers are sent by a board that was opened at `url`. */
function publicUrlFrom(url: string, publicUrl?: string): string {
  return createPublicUrl({ publicUrl, customerPort: () => 8000 })(new Request(url));
}

/** An address of this machine that others can reach. */
const outside = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

test("PUBLIC_URL stands, whatever the board was opened by, without a slash at its end", () => {
  for (const publicUrl of ["https://coffee.example", "https://coffee.example/"]) {
    for (const url of ["http://localhost:8001/code", "http://10.0.0.7:8001/code"]) {
      expect(publicUrlFrom(url, publicUrl)).toBe("https://coffee.example");
    }
  }
});

test.each([
  ["http://192.168.1.20:8001/code", "http://192.168.1.20:8000"],
  ["http://bar.local:8001/code?x=1", "http://bar.local:8000"],
  ["http://[fd00::1]:8001/code", "http://[fd00::1]:8000"],
])("without it, a board at %s leads to %s: the same host, the customers' port", (url, reached) => {
  expect(publicUrlFrom(url)).toBe(reached);
});

test.each([
  "http://localhost:8001/code",
  "http://127.0.0.1:8001/code",
  "http://127.9.9.9/code",
  "http://[::1]:8001/code",
])("a telephone can't reach %s: it is sent to this machine's address in its network", (url) => {
  const { hostname, port } = new URL(publicUrlFrom(url));
  expect(port).toBe("8000");
  if (outside) expect(hostname).toBe(outside);
  else expect(isLoopback(hostname.replace(/^\[|\]$/g, ""))).toBe(true);
});

test("the port is the one that is open by then", () => {
  let port = 0;
  const customersUrl = createPublicUrl({ publicUrl: undefined, customerPort: () => port });
  port = 12_345;
  expect(customersUrl(new Request("http://bar.local:8001/code"))).toBe("http://bar.local:12345");
});
