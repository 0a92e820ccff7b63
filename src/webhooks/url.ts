/**
 * Owns which URLs webhooks may go to: what can be said of one by itself, and whether an address may be reached.
 *
 * **Invariants**
 * - Loopback, private, link-local and all other addresses that are not public are reached only where a list names them.
 * - Plain HTTP goes only to hosts that a list names.
 * - No fault repeats the URL: it may hold a secret.
 */
import ipaddr from "ipaddr.js";
import { isLoopback } from "../config.ts";
import { hostOf, type HostList } from "../host-list.ts";

const MAX_URL_LENGTH = 2000;

/** What is wrong with a webhook's URL before it is used, as text that follows its name; undefined: nothing. */
export function findUrlFault(text: string, allowed: HostList): string | undefined {
  const url = URL.parse(text);
  // (Of spaces and line breaks a parser drops some.)
  if (!url || /[\s\p{Cc}]/u.test(text)) return "must be a URL such as https://example.org/hook";
  if (text.length > MAX_URL_LENGTH || url.href.length > MAX_URL_LENGTH) {
    return `must be a URL of at most ${MAX_URL_LENGTH} characters`;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return "must begin with https://";
  if (url.username || url.password) return "must be a URL without user name and password";
  if (url.hash || text.includes("#")) return "must be a URL without a fragment (#…)";
  if (allowed.hasHost(url)) return undefined;
  if (isPrivate(hostOf(url))) return "must not lead to an address inside a network";
  if (url.protocol === "http:" && !allowed.hasNetworks) return "must begin with https://";
  return undefined;
}

/** The addresses that may not be reached, of those that the host of a URL has. */
export function findForbidden(addresses: readonly string[], url: URL, allowed: HostList): string | undefined {
  if (allowed.hasHost(url)) return undefined;
  const named = (address: string): boolean => allowed.hasAddress(address, url);
  const closed = addresses.find((address) => !isPublic(address) && !named(address));
  if (closed !== undefined) return `${closed} is not a public address: WEBHOOK_ALLOW has to name it`;
  if (url.protocol === "http:" && !addresses.every(named)) return "plain http: WEBHOOK_ALLOW has to name the host";
  return undefined;
}

/** Whether anyone on the internet may have it. (What is assigned of IPv6 begins with 2 or 3.) */
function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  return parsed instanceof ipaddr.IPv4 || ((parsed.parts[0] ?? 0) & 0xe0_00) === 0x20_00;
}

function isPrivate(host: string): boolean {
  if (host.endsWith(".localhost") || isLoopback(host)) return true;
  return ipaddr.isValid(host) && !isPublic(host);
}
