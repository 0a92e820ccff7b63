/**
 * Owns the sending of webhooks: one signed request as Standard Webhooks says, and what became of it.
 *
 * **Invariants**
 * - It knows no order and no rule: a target, a message, an outcome.
 * - The address that is connected to is the one that was checked: names are resolved once a try.
 * - A try ends within its time, whatever the target does; a redirect is not followed.
 * - No `why` holds a body, a secret, or the path and query of a URL.
 */
import { lookup as resolve } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { Webhook } from "standardwebhooks";
import { hostOf, type HostList } from "../host-list.ts";
import { version } from "../version.ts";
import { drain, judge, type Judged } from "./answer.ts";
import { Circuits } from "./circuits.ts";
import { Try } from "./try.ts";
import { findForbidden, findUrlFault } from "./url.ts";

/** Where a webhook goes. */
export interface WebhookTarget {
  readonly url: string;
  /** One or two, `whsec_…`: each signs, so that a receiver can change from one to the other. */
  readonly secrets: readonly string[];
  /** Bounds one try: connecting, headers and body together. */
  readonly timeoutMs: number;
}

export interface WebhookMessage {
  /** Stable over tries and replicas: the receiver drops repeats by it. No dot, no space. */
  readonly id: string;
  /** JSON text. */
  readonly body: string;
  /** Such as `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What became of one try. */
export type SendOutcome =
  | { readonly kind: "delivered"; readonly status: number }
  /** 410: its target wants no more. */
  | { readonly kind: "gone" }
  /** To be tried again, after `retryAfterMs` if the target said so. */
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs?: number }
  /** The circuit of its host is open: nothing was sent, and no try counts. */
  | { readonly kind: "held"; readonly why: string; readonly retryAfterMs: number }
  /** An address that must not be reached: not to be tried again. */
  | { readonly kind: "forbidden"; readonly why: string };

/** Finds the addresses of a name. */
export type Lookup = (name: string) => Promise<readonly string[]>;

export interface SenderOptions {
  /** What may be reached though it is not public. */
  readonly allowed: HostList;
  /** Absent: as this machine does. */
  readonly lookup?: Lookup;
  /** PEM of the authorities to trust; absent: those of this machine. */
  readonly ca?: string;
}

/** Of a name with more, the first ones are tried. */
const MAX_ADDRESSES = 4;
/** Nothing of a request was sent where it ended so. */
const NOT_CONNECTED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"]);

export class WebhookSender {
  readonly #options: SenderOptions;
  readonly #lookup: Lookup;
  readonly #circuits = new Circuits();
  readonly #closing = new AbortController();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#lookup = options.lookup ?? lookUp;
  }

  /** Sends it once. Throws only where `signal` is aborted, or the sender is closed. */
  async send(target: WebhookTarget, message: WebhookMessage, signal: AbortSignal): Promise<SendOutcome> {
    const fault = findUrlFault(target.url, this.#options.allowed);
    if (fault !== undefined) return { kind: "forbidden", why: `its URL ${fault}` };
    const url = new URL(target.url);
    using run = new Try(target.timeoutMs, [signal, this.#closing.signal]);
    run.throwIfGivenUp();
    const heldMs = this.#circuits.enter(url.host);
    if (heldMs > 0) return { kind: "held", why: "its host keeps failing: it is left alone", retryAfterMs: heldMs };
    let state: "up" | "down" | "unknown" = "unknown";
    try {
      const outcome = await this.#send(url, headersOf(target, message, url), message.body, run);
      state = stateAfter(outcome);
      return outcome.kind === "answered" ? outcome.judged : outcome;
    } finally {
      this.#circuits.leave(url.host, state);
    }
  }

  /** Gives up what is under way. */
  close(): void {
    this.#closing.abort();
  }

  async #send(url: URL, headers: Record<string, string>, body: string, run: Try): Promise<Attempted> {
    const found = await this.#find(url, run);
    if ("why" in found) return { kind: "failed", why: found.why };
    const forbidden = findForbidden(found.addresses, url, this.#options.allowed);
    if (forbidden !== undefined) return { kind: "forbidden", why: forbidden };
    let why = "";
    for (const address of found.addresses.slice(0, MAX_ADDRESSES)) {
      const connected = await run.during(this.#post(address, url, { headers, body }, run.signal));
      if (connected.kind === "value") return await readAnswer(connected.value);
      why = connected.why;
      if (connected.code === undefined || !NOT_CONNECTED.has(connected.code)) break;
    }
    return { kind: "failed", why };
  }

  async #find(url: URL, run: Try): Promise<{ addresses: readonly string[] } | { why: string }> {
    const host = hostOf(url);
    if (ipaddr.isValid(host)) return { addresses: [host] };
    const found = await run.during(this.#lookup(host));
    if (found.kind === "failed") return { why: `no address of its host: ${found.why}` };
    return found.value.length > 0 ? { addresses: found.value } : { why: "no address of its host" };
  }

  /** (With an address for the host nothing is resolved again. The certificate has to be the name's.) */
  #post(address: string, url: URL, { headers, body }: Sent, signal: AbortSignal): Promise<Response> {
    const direct = new URL(url);
    direct.hostname = address.includes(":") ? `[${address}]` : address;
    const { ca } = this.#options;
    const host = hostOf(url);
    const tls = { ...(ca && { ca }), ...(ipaddr.isValid(host) ? undefined : { serverName: host }) };
    const secure = url.protocol === "https:" ? { tls } : undefined;
    return fetch(direct, { method: "POST", headers, body, redirect: "manual", decompress: false, signal, ...secure });
  }
}

interface Sent {
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface Answered {
  readonly kind: "answered";
  readonly status: number;
  readonly judged: Judged;
}

type Attempted =
  | Answered
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "forbidden"; readonly why: string };

function headersOf({ secrets }: WebhookTarget, { id, body, headers }: WebhookMessage, url: URL) {
  const at = new Date();
  return {
    ...headers,
    Host: url.host,
    "Content-Type": "application/json",
    "User-Agent": `Longpour/${version}`,
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
}

async function readAnswer(response: Response): Promise<Answered> {
  await drain(response);
  return { kind: "answered", status: response.status, judged: judge(response) };
}

async function lookUp(name: string): Promise<readonly string[]> {
  const found = await resolve(name, { all: true, order: "ipv4first" });
  return found.map(({ address }) => address);
}

/** A target is up that answers, and not that it can't. */
function stateAfter(outcome: Attempted): "up" | "down" | "unknown" {
  if (outcome.kind === "answered") return outcome.status >= 500 ? "down" : "up";
  return outcome.kind === "failed" ? "down" : "unknown";
}
