/**
 * Owns the webhooks of the test acquirer: signed as Stripe signs them, sent again a few times, lost and doubled on
 * demand.
 *
 * **Invariants**
 * - An event has one id, however often it is sent.
 * - Tries, their time, and how many events wait to be sent are bounded.
 */
import { pause } from "../../pause.ts";
import { strikes, type Faults } from "./faults.ts";
import { newId, type Intent } from "./intent.ts";
import { eventJson, type EventType } from "./wire.ts";

const MAX_TRIES = 5;
const TRY_TIMEOUT_MS = 5000;
/** Before the second try; each next pause is twice as long. */
const FIRST_PAUSE_MS = 200;
/** More events than that are dropped: their receiver has been gone for long. */
const MAX_WAITING = 10_000;

export interface WebhookCounts {
  /** Taken by the receiver, each once for each time that it was. */
  delivered: number;
  /** Never sent: on demand, or because too many waited. */
  dropped: number;
  /** Given up after the last try. */
  failed: number;
  waiting: number;
}

export class Webhooks {
  readonly counts: WebhookCounts = { delivered: 0, dropped: 0, failed: 0, waiting: 0 };
  readonly #secret: string;
  readonly #stopped: AbortSignal;
  #url: string | undefined;

  constructor({ url, secret, stopped }: { url: string | undefined; secret: string; stopped: AbortSignal }) {
    this.#url = url;
    this.#secret = secret;
    this.#stopped = stopped;
  }

  /** Where events are sent from now on. */
  sendTo(url: string): void {
    this.#url = url;
  }

  /** Sends the receiver what happened, in its own time; nothing, where there is none. */
  notify(type: EventType, intent: Intent, faults: Faults): void {
    const url = this.#url;
    if (url === undefined) return;
    if (strikes(faults.drop) || this.counts.waiting >= MAX_WAITING) {
      this.counts.dropped += 1;
      return;
    }
    const body = JSON.stringify(eventJson(newId("evt"), type, intent, Math.floor(Date.now() / 1000)));
    for (let copies = strikes(faults.double) ? 2 : 1; copies > 0; copies -= 1) {
      void this.#deliver(url, body, faults.webhook_delay_ms);
    }
  }

  async #deliver(url: string, body: string, delayMs: number): Promise<void> {
    this.counts.waiting += 1;
    if (delayMs > 0) await pause(delayMs, this.#stopped);
    let isTaken = false;
    for (let tries = 1; !isTaken && tries <= MAX_TRIES && !this.#stopped.aborted; tries += 1) {
      if (tries > 1) await pause(FIRST_PAUSE_MS * 2 ** (tries - 2), this.#stopped);
      isTaken = await this.#isTaken(url, body);
    }
    this.counts.waiting -= 1;
    this.counts[isTaken ? "delivered" : "failed"] += 1;
  }

  async #isTaken(url: string, body: string): Promise<boolean> {
    const headers = { "content-type": "application/json", "stripe-signature": sign(body, this.#secret) };
    const signal = AbortSignal.any([AbortSignal.timeout(TRY_TIMEOUT_MS), this.#stopped]);
    try {
      const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
      await response.body?.cancel();
      return response.ok;
    } catch {
      // It is gone, or too slow: the next try may find it.
      return false;
    }
  }
}

/** `t=…,v1=…`: an HMAC of the time and the body. https://docs.stripe.com/webhooks/signature */
export function sign(body: string, secret: string, seconds = Math.floor(Date.now() / 1000)): string {
  const hmac = new Bun.CryptoHasher("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${hmac}`;
}
