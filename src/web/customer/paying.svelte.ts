/**
 * Owns how a customer pays an order by card.
 *
 * **Invariants**
 * - One card an order is on its way at a time.
 * - It is asked again where no answer came: the shop takes an order's price once only.
 */
import { problemName } from "../../client/problem.ts";
import { Retrier } from "../../client/retry.ts";
import { PAGE_BACK_OFF } from "../shared/call.ts";
import * as api from "./api.ts";
import type { Following } from "./following.ts";
import { insist } from "./insist.ts";
import type { PaymentWatch } from "./payment-watch.svelte.ts";
import { sayProblem } from "./words.ts";

interface Parts {
  readonly payments: PaymentWatch;
  readonly following: Following;
}

/** `again`: the shop could not be reached, and is asked again. */
export type PayState = "no" | "sending" | "again";

export class Paying {
  readonly #parts: Parts;
  readonly #retrier = new Retrier(PAGE_BACK_OFF);
  #states = $state.raw<ReadonlyMap<string, PayState>>(new Map());

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  stateOf(orderId: string): PayState {
    return this.#states.get(orderId) ?? "no";
  }

  /** Pays with a card, as the provider names it. Resolves to the message to show where it could not be done. */
  async pay(orderId: string, method: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.stateOf(orderId) !== "no") return undefined;
    this.#set(orderId, "sending");
    const onRetry = (): void => this.#set(orderId, "again");
    const answer = await insist(() => api.pay(orderId, method), { retrier: this.#retrier, signal, onRetry });
    this.#set(orderId, "no");
    const { payments, following } = this.#parts;
    if (answer.kind === "done") payments.hear(answer.value);
    following.look(orderId);
    if (answer.kind !== "refused") return undefined;
    await payments.look(orderId);
    // The payment says why, also after the page was loaded again.
    if (problemName(answer.problem) === "payment_declined" && payments.find(orderId)?.error) return undefined;
    return sayProblem(answer.problem);
  }

  /** The device came back: tries now, not after the pause. */
  hurry(): void {
    this.#retrier.hurry();
  }

  #set(orderId: string, state: PayState): void {
    this.#states = new Map(this.#states).set(orderId, state);
  }
}
