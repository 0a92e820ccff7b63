/**
 * Owns a createOrder that waits: the caller that the waiting room holds for it.
 *
 * **Invariants**
 * - It ends once, with an order or with a problem.
 * - When the server stops it ends with the order as it is then: its client asks again with the same key.
 */
import type { Limiter } from "../../limits/limiter.ts";
import type { OrderJson } from "../../orders/order.ts";
import type { FindOutcome } from "../../orders/queries.ts";
import type { Caller, HeldOutcome, OrderRefusal } from "../../service/caller.ts";
import type { Ordering } from "../../service/ordering.ts";
import { answerClosing, answerFound } from "../answers.ts";
import { answerRefusal } from "../refusals.ts";
import { RefusedError } from "./errors.ts";

interface WaitingParts {
  readonly ordering: Pick<Ordering, "lookLast">;
  readonly limiter: Pick<Limiter, "headers">;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
}

export class WaitingOperation implements Caller {
  readonly #parts: WaitingParts;
  readonly #ended = Promise.withResolvers<OrderJson>();
  #orderId = "";
  readonly seconds = undefined;
  readonly mustStay = false;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** Rejects with a RefusedError where there is no order. */
  get order(): Promise<OrderJson> {
    return this.#ended.promise;
  }

  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  hold(orderId: string): void {
    this.#orderId = orderId;
  }

  refuse(refusal: OrderRefusal): void {
    this.#refuseWith(answerRefusal(refusal, this.#parts.limiter));
  }

  settle(outcome: HeldOutcome): void {
    switch (outcome.kind) {
      case "final":
        return this.#ended.resolve(outcome.value);
      case "forgotten":
        return this.#end({ kind: "unknown" });
      case "damaged":
        return this.#end({ kind: "damaged" });
      case "time_over":
        return this.#end(outcome.found);
      case "redirected":
        return this.#ended.resolve(this.#lookLast());
      case "left":
        // The client has left: this is not read.
        return this.#refuseWith(answerClosing());
    }
  }

  fail(error: unknown): void {
    this.#ended.reject(error);
  }

  async #lookLast(): Promise<OrderJson> {
    const found = await this.#parts.ordering.lookLast(this.#orderId);
    if (found?.kind === "found") return found.order;
    throw new RefusedError(found ? answerFound(found) : answerClosing());
  }

  #end(found: FindOutcome): void {
    if (found.kind === "found") this.#ended.resolve(found.order);
    else this.#refuseWith(answerFound(found));
  }

  #refuseWith(answer: Response): void {
    this.#ended.reject(new RefusedError(answer));
  }
}
