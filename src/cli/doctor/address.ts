/**
 * Owns the check of the address that the server sees: whether TRUSTED_PROXIES and PROXY_HEADER fit the way.
 */
import ipaddr from "ipaddr.js";
import { networkInterfaces } from "node:os";
import { Findings, type Finding } from "./finding.ts";
import { ask, described, member } from "./http.ts";
import type { Targets } from "./targets.ts";

const address = new Findings("address");

/** An address that no client has (RFC 5737): what a client that lies would write. */
const FORGED = "203.0.113.77";

export async function checkAddress({ url, signal }: Targets & { url: string }): Promise<Finding> {
  const answer = await ask(`${url}/address`, { signal });
  const source = member(answer.text, "source");
  if (answer.status !== 200 || typeof source !== "string") {
    return address.skipped(`the server does not say which address it sees (GET /address: ${described(answer)})`);
  }
  if (await isForgeable(url, signal)) {
    return address.fault(
      "the server believes any address that a client writes into the header",
      "name only your own proxies in TRUSTED_PROXIES, and let them overwrite PROXY_HEADER",
      { source, is_forgeable: true },
    );
  }
  const seen = member(answer.text, "address");
  return judge(source, typeof seen === "string" ? seen : "");
}

async function isForgeable(url: string, signal: AbortSignal): Promise<boolean> {
  const headers = { "X-Forwarded-For": FORGED, Forwarded: `for=${FORGED}` };
  const answer = await ask(`${url}/address`, { headers, signal });
  return member(answer.text, "address") === FORGED;
}

function judge(source: string, seen: string): Finding {
  const values = { source, address: seen || null, is_forgeable: false };
  if (source === "untrusted_proxy") {
    return address.fault(
      "the server sees a proxy's address: all customers count as one",
      "name the proxy in TRUSTED_PROXIES, and its header in PROXY_HEADER",
      values,
    );
  }
  if (source === "unnamed") {
    return address.fault(
      "the trusted proxy names no client in PROXY_HEADER: all customers count as one",
      "let the proxy set the header that PROXY_HEADER names (nginx: proxy_set_header X-Forwarded-For $remote_addr)",
      values,
    );
  }
  const way = source === "trusted_proxy" ? "as a trusted proxy named it" : "the other end of the connection";
  if (isOwn(seen)) return address.ok(`the server sees ${seen}, this machine's own (${way})`, values);
  if (source === "trusted_proxy" && !isPrivate(seen)) {
    return address.ok(`the server sees ${seen} (${way}); it should be the address that you have outside`, values);
  }
  return address.warning(
    `the server sees ${seen} (${way}), which this machine does not have`,
    "where that is a proxy's address, name it in TRUSTED_PROXIES and its header in PROXY_HEADER; behind NAT it is right",
    values,
  );
}

/** Whether this machine has the address, or one of the /64. */
function isOwn(seen: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map((one) => one.address));
  return own.some((text) => isWithin(text, seen));
}

function isWithin(text: string, seen: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const one = ipaddr.process(text);
  if (!seen.includes("/")) return ipaddr.isValid(seen) && ipaddr.process(seen).toString() === one.toString();
  const [network, bits] = ipaddr.parseCIDR(seen);
  return one.kind() === network.kind() && one.match(network, bits);
}

function isPrivate(seen: string): boolean {
  const [text = ""] = seen.split("/");
  return ipaddr.isValid(text) && ipaddr.process(text).range() !== "unicast";
}
