/**
 * Owns the answer to "who asks?": the address that limits count by.
 * Always holds: a header is believed only from a trusted proxy, and only up to the hop which the trusted ones have seen.
 */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Hops {
  /** The peer of the socket. */
  readonly peer: string;
  readonly headers: Headers;
}

/** Length of the prefix that makes an IPv4 address an IPv6 one. */
const MAPPED_BITS = 96;

/** Longer chains of proxies are nobody's: the rest is not read. */
const MOST_HOPS = 32;

/**
 * Makes the function that tells a request's address: an IPv4 address, or the /64 of an IPv6 one.
 * Behind `trustedProxies` (addresses or CIDRs) it is the rightmost hop of X-Forwarded-For, else of Forwarded (RFC 7239),
 * that is no trusted proxy.
 */
export function createAddressReader(trustedProxies: readonly string[]): (hops: Hops) => string {
  const networks = trustedProxies.map(parseNetwork);
  const isTrusted = (address: Address): boolean =>
    networks.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits));

  return ({ peer, headers }) => {
    let client = parseAddress(peer);
    if (!client) return peer;
    const hops = networks.length > 0 ? forwardedHops(headers) : [];
    while (isTrusted(client)) {
      const hop = parseAddress(hops.pop() ?? "");
      // The last hop that is an address: beyond it nobody trusted has seen anything.
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

/** The network around an address as limits count it, given to one household or office: the /24 of IPv4, the /48 of IPv6. */
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
function forwardedHops(headers: Headers): string[] {
  const listed = headers.get("x-forwarded-for");
  const hops = listed === null ? readForwarded(headers.get("forwarded") ?? "") : listed.split(",");
  return hops.slice(-MOST_HOPS).map((hop) => withoutPort(hop.trim()));
}

/**
 * The `for` of each element of a Forwarded header (RFC 7239, section 4), or "" where it has none:
 * `for="[2001:db8::1]:4711";proto=http, for=192.0.2.1` → `[2001:db8::1]:4711`, `192.0.2.1`.
 * What stands in quotes may hold commas and semicolons.
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
