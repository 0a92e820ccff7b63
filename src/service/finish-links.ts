/**
 * Owns finish links: texts that name one start of an order, signed: who has one may end that start.
 *
 * **Invariants**
 * - A link that was altered, or cut off, is none; signatures are compared in constant time.
 * - All servers of a shop sign by one key, which the shop keeps. It is made with the first link.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Order, OrderJson } from "../orders/order.ts";
import type { StartOf } from "../orders/outcomes.ts";
import { asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

/** An order, and the start of it that a link is for. */
export interface LinkedStart {
  readonly orderId: string;
  readonly barista: string;
  readonly start: StartOf;
}

/** What is signed: order id, attempts, when it was started, barista. (An empty time would stand for any start.) */
const Content = Type.Tuple([Type.String(), Type.Integer(), Type.String({ minLength: 1 }), Type.String()]);

/** Should the key be lost, or taken away, another server may have made another one: it is asked for after so long. */
const KEY_MS = 10_000;
/** Longest name of a barista and all else, spelled out. */
const MAX_LENGTH = 1000;
/** What else may ever be signed by the key is signed under another word. */
const PURPOSE = "finish link ";

export class FinishLinks {
  readonly #run: RunScript;
  readonly #script = loadScript("link-key");
  #key = "";
  /** By `performance.now()`. */
  #askedMs = -Infinity;

  constructor(run: RunScript) {
    this.#run = run;
  }

  /** Makes ready to sign. Rejects where Redis does not answer: better before an order is started than after. */
  async prepare(): Promise<(order: OrderJson) => string> {
    await this.#readKey(newKey());
    return (order) => this.#sign(JSON.parse(order) as Order);
  }

  /** The start that a link is for; undefined where it is none of this shop. */
  async read(link: string): Promise<LinkedStart | undefined> {
    const [content = "", signature, ...more] = link.split(".");
    if (signature === undefined || more.length > 0 || link.length > MAX_LENGTH) return undefined;
    await this.#readKey("");
    if (this.#key === "" || !isSame(signature, this.#signatureOf(content))) return undefined;
    const parsed: unknown = JSON.parse(Buffer.from(content, "base64url").toString());
    if (!Value.Check(Content, parsed)) return undefined;
    return linkedStart(parsed);
  }

  #sign({ order_id, attempts, started_at = "", barista = "" }: Order): string {
    const parts: Static<typeof Content> = [order_id, attempts, started_at, barista];
    const content = Buffer.from(JSON.stringify(parts)).toString("base64url");
    return `${content}.${this.#signatureOf(content)}`;
  }

  #signatureOf(content: string): string {
    return createHmac("sha256", this.#key)
      .update(PURPOSE + content)
      .digest("base64url");
  }

  /** `fresh`: the key to take where the shop has none yet. */
  async #readKey(fresh: string): Promise<void> {
    if (this.#key !== "" && performance.now() - this.#askedMs < KEY_MS) return;
    const askedMs = performance.now();
    this.#key = asText(await this.#run(this.#script, [fresh]));
    this.#askedMs = askedMs;
  }
}

function linkedStart([orderId, attempts, startedAt, barista]: Static<typeof Content>): LinkedStart {
  return { orderId, barista, start: { attempts, startedAt } };
}

function isSame(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function newKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}
