/**
 * Owns the held customer: kept alive until their order is final, their time is over, or the server stops.
 *
 * **Invariants**
 * - Until the answer begins, each outcome has its own status.
 * - Once it has begun, it ends with an order, or with where to go on.
 * - A held customer is one object with one promise.
 */
import { createErrorAnswer } from "../../http/app.ts";
import { answerJson } from "../../http/json.ts";
import { HeldAnswer, Heartbeat, type HttpConnection } from "../../http/hold.ts";
import { withPreference, type Preferences } from "../../http/prefer.ts";
import type { Limiter, Verdict } from "../../limits/limiter.ts";
import type { Log } from "../../log.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import { isFinal } from "../../orders/status.ts";
import { problem } from "../../problem.ts";
import type { Caller, HeldOutcome, OrderRefusal } from "../../service/caller.ts";
import type { Ordering } from "../../service/ordering.ts";
import { encodeContinuation, encodeLostOrder, waitPath } from "./endings.ts";
import type { Tally } from "../../tally.ts";
import { answerRefusal } from "../refusals.ts";

export type AnswerHeaders = Readonly<Record<string, string>> | undefined;

/** The customer to be held. */
interface Visit {
  readonly connection: HttpConnection;
  readonly preferences: Preferences;
  /** Undefined: as long as it takes. */
  readonly seconds: number | undefined;
  /** The limit of a queue of machines; absent: that of the counter. */
  readonly limiter?: Pick<Limiter, "headers">;
  /** Answers when `seconds` are over before the order is final. */
  readonly answerTimeOver: (found: FindOutcome, orderId: string, headers: AnswerHeaders) => Response;
}

export interface HoldingDependencies {
  readonly ordering: Pick<Ordering, "lookLast">;
  readonly limiter: Pick<Limiter, "headers">;
  readonly heartbeatSeconds: number;
  readonly faults: Tally;
  readonly log: Log;
}

interface Surroundings extends HoldingDependencies {
  readonly heartbeat: Heartbeat;
  readonly answerError: (error: unknown, request: Request) => Response;
}

/** Makes a customer ready to be held. */
export type HoldCustomer = (visit: Visit) => HeldCustomer;

export function createHolding(dependencies: HoldingDependencies): HoldCustomer {
  const { heartbeatSeconds, faults, log } = dependencies;
  const heartbeat = new Heartbeat(heartbeatSeconds);
  const surroundings = { ...dependencies, heartbeat, answerError: createErrorAnswer(log, faults) };
  return (visit) => new HeldCustomer(visit, surroundings);
}

class HeldCustomer extends HeldAnswer implements Caller {
  readonly #surroundings: Surroundings;
  readonly #visit: Visit;
  readonly #beganMs = performance.now();
  #orderId = "";
  #limit: Verdict | undefined;

  constructor(visit: Visit, surroundings: Surroundings) {
    super(visit.connection, surroundings.heartbeat);
    this.#surroundings = surroundings;
    this.#visit = visit;
  }

  get signal(): AbortSignal {
    return this.request.signal;
  }

  get seconds(): number | undefined {
    return this.#visit.seconds;
  }

  get mustStay(): boolean {
    return this.hasBegun;
  }

  hold(orderId: string, limit: Verdict | undefined): void {
    this.#orderId = orderId;
    this.#limit = limit;
    this.keepAlive();
  }

  refuse(refusal: OrderRefusal): void {
    this.end(answerRefusal(refusal, this.#limiter));
  }

  settle(outcome: HeldOutcome): void {
    this.end(this.#answerTo(outcome));
  }

  fail(error: unknown): void {
    this.end(this.#surroundings.answerError(error, this.request));
  }

  #answerTo(outcome: HeldOutcome): Response {
    switch (outcome.kind) {
      case "final":
        return answerJson(outcome.value, { headers: this.#headers() });
      case "forgotten":
        return problem("order_unknown");
      case "damaged":
        return problem("order_damaged");
      case "time_over":
        return this.#visit.answerTimeOver(outcome.found, this.#orderId, this.#headers());
      case "redirected":
        // Another replica, or this one once it is back, holds them on.
        return new Response(null, { status: 303, headers: { Location: this.#pathOn(), Connection: "close" } });
      case "left":
        // The customer has left: this answer is not read.
        return new Response(null, { status: 499 });
    }
  }

  #headers(): AnswerHeaders {
    return withPreference(this.#visit.preferences, this.#limit && this.#limiter.headers(this.#limit));
  }

  get #limiter(): Pick<Limiter, "headers"> {
    return this.#visit.limiter ?? this.#surroundings.limiter;
  }

  /** A customer who asked for a bound goes on with the rest of it. */
  #pathOn(): string {
    if (this.seconds === undefined) return waitPath(this.#orderId);
    const spent = (performance.now() - this.#beganMs) / 1000;
    return waitPath(this.#orderId, Math.max(1, Math.ceil(this.seconds - spent)));
  }

  protected override async endBegun({ status }: Response): Promise<string> {
    if (this.request.signal.aborted) return "";
    return status === 404 ? encodeLostOrder(this.#orderId) : await this.#encodeNow();
  }

  /**
   * The order as it is now and where to go on. A fault is no reason to fail: the request that goes on meets it again.
   */
  async #encodeNow(): Promise<string> {
    const found = await this.#surroundings.ordering.lookLast(this.#orderId);
    if (found?.kind === "unknown") return encodeLostOrder(this.#orderId);
    // One whose record is damaged says so with its own status, to the request that goes on.
    if (found?.kind !== "found") return encodeContinuation(this.#orderId, this.#pathOn());
    return isFinal(found.status) ? found.order : encodeContinuation(this.#orderId, this.#pathOn(), found.order);
  }
}
