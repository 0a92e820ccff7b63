/**
 * Owns a caller whose wait has a span: it passes all on to the caller that it stands for.
 *
 * **Invariants**
 * - The span ends when the caller is answered; one who was never held has none.
 */
import type { Verdict } from "../limits/limiter.ts";
import type { OrderJson } from "../orders/order.ts";
import type { Tracing, Wait } from "../tracing/tracing.ts";
import type { Caller, HeldOutcome, OrderRefusal } from "./caller.ts";

export class TracedCaller implements Caller {
  readonly #caller: Caller;
  readonly #tracing: Pick<Tracing, "noteWait">;
  readonly #known: Pick<Wait, "queue" | "cause">;
  #sinceMs: number | undefined;

  constructor(caller: Caller, tracing: Pick<Tracing, "noteWait">, known: Pick<Wait, "queue" | "cause">) {
    this.#caller = caller;
    this.#tracing = tracing;
    this.#known = known;
  }

  get signal(): AbortSignal {
    return this.#caller.signal;
  }

  get seconds(): number | undefined {
    return this.#caller.seconds;
  }

  get mustStay(): boolean {
    return this.#caller.mustStay;
  }

  hold(orderId: string, limit: Verdict | undefined): void {
    this.#sinceMs = performance.now();
    this.#caller.hold(orderId, limit);
  }

  refuse(refusal: OrderRefusal): void {
    this.#caller.refuse(refusal);
  }

  settle(outcome: HeldOutcome): void {
    this.#caller.settle(outcome);
    this.#note(outcome.kind, orderOf(outcome));
  }

  fail(error: unknown): void {
    this.#caller.fail(error);
    this.#note("failed");
  }

  #note(outcome: string, order?: OrderJson): void {
    const sinceMs = this.#sinceMs;
    if (sinceMs !== undefined) this.#tracing.noteWait({ ...this.#known, sinceMs, outcome, order });
  }
}

/** The order that they were answered with. */
function orderOf(outcome: HeldOutcome): OrderJson | undefined {
  if (outcome.kind === "final") return outcome.value;
  return outcome.kind === "time_over" && outcome.found.kind === "found" ? outcome.found.order : undefined;
}
