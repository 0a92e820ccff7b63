/**
 * Owns the baristas' side of the protocol: what one barista asks of the server, each request until it is answered.
 *
 * **Invariants**
 * - All tries of a request carry one Idempotency-Key: an order whose answer was lost comes again.
 * - Once the signal is aborted a request is made a few times more at most.
 */
import type { Order } from "../orders/order.ts";
import type { FailureDraft } from "../orders/views.ts";
import { createAsking, type Accept, type Answer, type Ask, type ClientOptions, type Retry } from "./ask.ts";
import { createKey } from "./key.ts";
import { isOrder } from "./orders.ts";
import { isRecord, OrderRefused, problemName, readProblem } from "./problem.ts";

/** How long a barista says what became of an order before giving up; once the signal is aborted, how often. */
const SETTLE_WITHIN_MS = 600_000;
const MAX_TRIES_AT_THE_END = 3;
/** Beyond the time that the server was asked to wait. */
const ANSWER_WITHIN_SECONDS = 10;

export interface BaristaOptions extends Pick<ClientOptions, "fetch" | "headers"> {
  /** Where baristas work, such as `http://localhost:8001`. */
  readonly url: string | URL;
  /** The server's STAFF_TOKEN, where it has one. */
  readonly token?: string | undefined;
  readonly name: string;
  /** Absent: the counter's. */
  readonly queue?: string | undefined;
  /** Called for every try that failed, before the pause. If it throws, the request is given up. */
  readonly onRetry?: ((retry: BaristaRetry) => void) | undefined;
}

type Verb = "start" | "finish" | "fail" | "release" | "extend" | "progress" | "queue";

/** A try that failed, and of which request it was one. */
export interface BaristaRetry extends Retry {
  readonly verb: Verb;
}

/** What is said of an order in hand. `result`: JSON. `takesNext`: the next one is started in the same request. */
export type Saying =
  | { readonly verb: "finish"; readonly result?: string | undefined; readonly takesNext: boolean }
  | { readonly verb: "fail"; readonly failure: FailureDraft }
  | { readonly verb: "release" };

/** What became of that. `next`: the order that was started with it. `unanswered`: the request was given up. */
export type Said =
  | { readonly kind: "settled"; readonly next?: Order | undefined }
  | { readonly kind: "refused"; readonly refusal: OrderRefused }
  | { readonly kind: "unanswered" };

/** Thrown when a request is not made again. */
class GaveUp extends Error {}

interface Patience {
  /** Whether a request that failed is made again. */
  readonly mayRetry?: (retry: Retry) => boolean;
  readonly waitSeconds?: number;
}

export class Barista {
  readonly #options: BaristaOptions;

  constructor(options: BaristaOptions) {
    this.#options = options;
  }

  /**
   * Takes the oldest order, waiting up to `seconds` for one; undefined: none came. Rejects with OrderRefused, or with
   * what `onRetry` throws. An order that was started when the signal was aborted is resolved to all the same.
   */
  async start(seconds: number, signal: AbortSignal): Promise<Order | undefined> {
    const headers = { "Idempotency-Key": createKey() };
    try {
      const path = this.#path("start", { wait: String(seconds) });
      return await this.#ask("start", { path, headers, signal }, acceptStart, { waitSeconds: seconds });
    } catch (error) {
      if (!signal.aborted || error instanceof OrderRefused) throw error;
    }
    // The answer that was cut short may have been an order: the same key brings it again.
    return await this.#ask("start", { path: this.#path("start"), headers }, acceptStart, AT_THE_END).catch(
      unlessGivenUp,
    );
  }

  /** Says what became of an order until the server has answered. It may be said twice: that changes nothing. */
  async say(orderId: string, saying: Saying, signal: AbortSignal): Promise<Said> {
    try {
      return { kind: "settled", next: await this.#insist(saying.verb, this.#encode(orderId, saying), signal) };
    } catch (error) {
      if (error instanceof OrderRefused) return { kind: "refused", refusal: error };
      if (error instanceof GaveUp) return { kind: "unanswered" };
      throw error;
    }
  }

  /** Begins a new lease. Rejects with OrderRefused where the order is no longer this barista's, or with the signal. */
  async extend(orderId: string, signal: AbortSignal): Promise<void> {
    await this.#ask("extend", { path: this.#path("extend", { order_id: orderId }), method: "POST", signal }, acceptAny);
  }

  /** Says how far an order is, once: `progress` is JSON. Rejects as `extend` does, or when there is no answer. */
  async progress(orderId: string, progress: string, signal: AbortSignal): Promise<void> {
    const path = this.#path("progress", { order_id: orderId });
    await this.#ask("progress", { path, method: "POST", body: progress, signal }, acceptAny, ONCE);
  }

  /** How long the queue's leases are; undefined where the server does not say. Rejects as `extend` does. */
  async readLeaseSeconds(signal: AbortSignal): Promise<number | undefined> {
    return await this.#ask("queue", { path: this.#path("queue"), signal }, acceptLease);
  }

  /** An aborted signal cuts short what was being said: then it is said again, a few times at most. */
  async #insist(verb: Verb, request: Ask, signal: AbortSignal): Promise<Order | undefined> {
    const deadline = performance.now() + SETTLE_WITHIN_MS;
    if (!signal.aborted) {
      try {
        const mayRetry = () => performance.now() < deadline;
        return await this.#ask(verb, { ...request, signal }, acceptNext, { mayRetry });
      } catch (error) {
        if (!signal.aborted || error instanceof OrderRefused) throw error;
      }
    }
    return await this.#ask(verb, request, acceptNext, AT_THE_END);
  }

  #encode(orderId: string, saying: Saying): Ask {
    const request = { method: "POST", headers: { "Idempotency-Key": createKey() } };
    const own = { order_id: orderId };
    switch (saying.verb) {
      case "finish": {
        const next = saying.takesNext ? { next: "0" } : undefined;
        return { ...request, path: this.#path("finish", { ...own, ...next }), body: saying.result };
      }
      case "fail":
        return { ...request, path: this.#path("fail", own), json: saying.failure };
      case "release":
        return { ...request, path: this.#path("release", { ...own, uncounted: "" }) };
    }
  }

  #ask<Value>(verb: Verb, ask: Ask, accept: Accept<Value>, patience: Patience = {}): Promise<Value> {
    const { url, fetch, headers, token, onRetry } = this.#options;
    const { mayRetry = () => true, waitSeconds = 0 } = patience;
    const asking = createAsking({
      url,
      ...(fetch && { fetch }),
      headers: { ...headers, ...(token ? { Authorization: `Bearer ${token}` } : undefined) },
      silenceSeconds: waitSeconds + ANSWER_WITHIN_SECONDS,
      onRetry: (retry) => {
        onRetry?.({ ...retry, verb });
        if (!mayRetry(retry)) throw new GaveUp(retry.reason);
      },
    });
    return asking(ask, accept);
  }

  #path(verb: Verb, query: Readonly<Record<string, string>> = {}): string {
    const { name, queue } = this.#options;
    const ofQueue = queue !== undefined && ["start", "finish", "queue"].includes(verb) ? { queue } : undefined;
    const all = { ...query, ...ofQueue, ...(verb !== "queue" && { barista: name }) };
    return `/${verb}/?${new URLSearchParams(all).toString()}`;
  }
}

const ONCE: Patience = { mayRetry: () => false };
const AT_THE_END: Patience = { mayRetry: ({ attempt }) => attempt < MAX_TRIES_AT_THE_END };

function unlessGivenUp(error: unknown): undefined {
  if (!(error instanceof GaveUp)) throw error;
}

/** An order, or none. Another 404 is of a queue or a path that there is not. */
const acceptStart: Accept<Order | undefined> = ({ ok, status, json }) => {
  const { type = "" } = readProblem(json);
  if (status === 404 && problemName({ type }) === "queue_empty") return { kind: "done", value: undefined };
  return ok && isOrder(json) ? { kind: "done", value: json } : undefined;
};

/** An order that is settled, or that and the next. */
const acceptNext: Accept<Order | undefined> = (answer) => {
  if (!isSuccess(answer)) return undefined;
  const started = isRecord(answer.json) ? answer.json["started"] : undefined;
  return { kind: "done", value: isOrder(started) ? started : undefined };
};

const acceptAny: Accept<undefined> = (answer) => (isSuccess(answer) ? { kind: "done", value: undefined } : undefined);

const acceptLease: Accept<number | undefined> = (answer) => {
  if (!isSuccess(answer)) return undefined;
  const seconds = isRecord(answer.json) ? answer.json["lease_seconds"] : undefined;
  return { kind: "done", value: typeof seconds === "number" && seconds > 0 ? seconds : undefined };
};

function isSuccess({ status, json }: Answer): boolean {
  return status === 200 && json !== undefined;
}
