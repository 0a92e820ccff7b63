/**
 * Owns one test acquirer: which operation a call is, its idempotency key, its faults, and which webhook it sends.
 *
 * **Invariants**
 * - A key that was asked before is answered as before; with other values, or while it is under way, it is refused.
 * - A call that was read is done once, whether or not its answer arrives.
 */
import { pause } from "../../pause.ts";
import { refuse, unknownIntent, unread, type Answer } from "./answer.ts";
import { changeFaults, strikes, type Faults } from "./faults.ts";
import { Form, missing } from "./form.ts";
import { cancelled, isLapsed, type Intent } from "./intent.ts";
import { ledgerOf } from "./ledger.ts";
import * as operations from "./operations.ts";
import type { Store } from "./store.ts";
import type { Webhooks } from "./webhooks.ts";
import { intentJson, type Json } from "./wire.ts";

/** What goes back over the connection. */
export type Reply =
  | { readonly kind: "lost" }
  | { readonly kind: "said"; readonly answer: Answer; readonly isReplay: boolean };

export interface Call {
  readonly path: string;
  readonly body: string;
  readonly key: string | undefined;
}

const OF_INTENT = { confirm: operations.confirm, capture: operations.capture, cancel: operations.cancel };
const STEP = /^\/v1\/payment_intents\/(\w+)\/(confirm|capture|cancel)$/;
const MAX_KEY_LENGTH = 255;

export class Acquirer {
  readonly #store: Store;
  readonly #webhooks: Webhooks;
  readonly #stopped: AbortSignal;
  readonly #underWay = new Set<string>();
  #faults: Faults;

  constructor(parts: { store: Store; webhooks: Webhooks; faults: Faults; stopped: AbortSignal }) {
    this.#store = parts.store;
    this.#webhooks = parts.webhooks;
    this.#faults = parts.faults;
    this.#stopped = parts.stopped;
  }

  /** A call that changes something. */
  async change(call: Call): Promise<Reply> {
    const { key } = call;
    if (key === undefined) return await this.#act(call, undefined);
    if (key.length > MAX_KEY_LENGTH) {
      return said(unread({ message: `Idempotency keys have at most ${MAX_KEY_LENGTH} characters.` }));
    }
    const hash = new Bun.CryptoHasher("sha256").update(`${call.path}\n${call.body}`).digest("hex");
    const kept = this.#store.answerOf(key);
    if (kept && kept.hash !== hash) return said(refuse(400, { message: OTHER_VALUES }, "idempotency_error"));
    if (kept) return said(kept, true);
    if (this.#underWay.has(key)) {
      return said(refuse(409, { code: "idempotency_key_in_use", message: IN_USE }, "idempotency_error"));
    }
    this.#underWay.add(key);
    try {
      return await this.#act(call, { key, hash });
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** One intent, as it is now. */
  async look(id: string, isExpanded: boolean): Promise<Answer> {
    await pause(this.#faults.delay_ms, this.#stopped);
    const intent = this.#find(id);
    return intent ? { status: 200, body: intentJson(intent, { isExpanded }) } : unknownIntent(id);
  }

  ledger(): Json {
    for (const { id } of this.#store.all()) this.#find(id);
    return { object: "ledger", ...ledgerOf(this.#store.all()), webhooks: { ...this.#webhooks.counts } };
  }

  faults(given: Readonly<Record<string, unknown>> = {}): Answer {
    const faults = changeFaults(this.#faults, given);
    if ("status" in faults) return faults;
    this.#faults = faults;
    return { status: 200, body: { object: "faults", ...faults } };
  }

  sendWebhooksTo(url: unknown): Answer {
    if (typeof url !== "string" || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
      return unread({ message: "url must be an http:// or https:// address.", param: "url" });
    }
    this.#webhooks.sendTo(url);
    return { status: 200, body: { object: "webhook_endpoint", url } };
  }

  async #act(call: Call, asked: { readonly key: string; readonly hash: string } | undefined): Promise<Reply> {
    if (this.#faults.delay_ms > 0) await pause(this.#faults.delay_ms, this.#stopped);
    if (this.#stopped.aborted) return { kind: "lost" };
    const answer = this.#answer(call);
    if (answer.isUnread) return said(answer);
    const { status, body, changed } = answer;
    if (asked || changed) {
      this.#store.keep({
        ...(changed && { intent: changed.intent }),
        ...(asked && { kept: { ...asked, status, body } }),
      });
    }
    if (changed?.event) this.#webhooks.notify(changed.event, changed.intent, this.#faults);
    return this.#mishap() ?? said(answer);
  }

  #answer({ path, body }: Call): Answer {
    const { hold_seconds: holdSeconds, decline } = this.#faults;
    const asked = { form: new Form(body), now: nowSeconds(), holdSeconds, isUnlucky: strikes(decline) };
    if (path === "/v1/payment_intents") {
      return this.#store.isFull ? refuse(429, { message: FULL, code: "rate_limit" }) : operations.open(asked);
    }
    if (path === "/v1/refunds") return this.#refund(asked);
    const [, id = "", step] = STEP.exec(path) ?? [];
    const intent = this.#find(id);
    if (!isStep(step)) return unread({ message: `Unrecognized request URL (POST: ${path.slice(0, 100)}).` });
    return intent ? OF_INTENT[step](intent, asked) : unknownIntent(id);
  }

  #refund(asked: operations.Asked): Answer {
    const unknown = asked.form.unknown(["payment_intent", "amount", "reason", "expand"]);
    if (unknown) return unknown;
    const id = asked.form.text("payment_intent");
    if (id === undefined) return missing("payment_intent");
    const intent = this.#find(id);
    return intent ? operations.refund(intent, asked) : unknownIntent(id);
  }

  /** What has lapsed is cancelled when it is looked at. */
  #find(id: string): Intent | undefined {
    const intent = this.#store.find(id);
    if (!intent || !isLapsed(intent, nowSeconds())) return intent;
    const lapsed = cancelled(intent, "automatic", nowSeconds());
    this.#store.keep({ intent: lapsed });
    this.#webhooks.notify("payment_intent.canceled", lapsed, this.#faults);
    return lapsed;
  }

  /** What becomes of an answer that does not arrive. */
  #mishap(): Reply | undefined {
    const { fail, fail_as: failAs } = this.#faults;
    if (!strikes(fail)) return undefined;
    const isLost = failAs === "lost" || (failAs === "either" && strikes(0.5));
    return isLost ? { kind: "lost" } : said(refuse(500, { message: "Something went wrong here." }, "api_error"));
  }
}

const OTHER_VALUES =
  "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using another key if you meant to execute a different request.";
const IN_USE = "There is another request in progress that uses this idempotency key. Please try again later.";
const FULL = "The test acquirer has no room for more intents: start it with a new --data.";

function said(answer: Answer, isReplay = false): Reply {
  return { kind: "said", answer, isReplay };
}

function isStep(name: string | undefined): name is keyof typeof OF_INTENT {
  return name !== undefined && Object.hasOwn(OF_INTENT, name);
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
