/**
 * Owns the steps by which a payment follows its order at the provider: one call or two, then one operation.
 *
 * **Invariants**
 * - What a step does follows from the payment and its order as they are stored, never from a webhook.
 * - Each call has an idempotency key of its own: taken up again after a crash, a step is done once at the provider.
 * - A step is noted only once the provider has said clearly that it is done.
 */
import type { Log } from "../log.ts";
import type { DuePayment, Payments } from "../orders/payments.ts";
import type { PaymentOutcome } from "../orders/payment.ts";
import type { PaymentProvider, Refused, Unavailable, VoidOutcome } from "./provider.ts";

/** How soon a payment is looked at again that waits for its order: a lost event costs as much. */
export const LOOK_AGAIN_MS = 60_000;

/** A card that is to be tried. */
export type CardTry = Pick<DuePayment, "orderId" | "amount" | "currency" | "attempt" | "intent"> & {
  readonly method: string;
};

/** `done`: the provider has answered. `waiting`: it was not asked, as nothing is to be done now. */
export type StepOutcome = { readonly kind: "done" } | { readonly kind: "waiting" } | Unavailable;

const DONE: StepOutcome = { kind: "done" };
const WAITING: StepOutcome = { kind: "waiting" };

export class Steps {
  readonly #payments: Payments;
  readonly #provider: PaymentProvider;
  readonly #log: Log;

  constructor(payments: Payments, provider: PaymentProvider, log: Log) {
    this.#payments = payments;
    this.#provider = provider;
    this.#log = log;
  }

  /** Does what a payment needs now. */
  async next(due: DuePayment): Promise<StepOutcome> {
    if (due.status === "PAYMENT_SUCCESSFUL") return await this.#repay(due);
    if (due.status === "PAYMENT_CREATED") return await this.#settle(due);
    if (due.orderStatus !== "unpaid") return await this.#reverse(due);
    const { method } = due;
    if (method === undefined) return WAITING;
    const outcome = await this.tryCard({ ...due, method });
    return outcome.kind === "unavailable" ? outcome : DONE;
  }

  /** Has the provider hold the amount. */
  async tryCard(card: CardTry): Promise<PaymentOutcome | Unavailable> {
    const { orderId, method, attempt } = card;
    const opened = await this.#open(card);
    if (opened.kind === "unavailable") return opened;
    if (opened.kind === "refused") {
      return await this.#payments.decline({ orderId, attempt, intentId: "", error: opened.detail });
    }
    const { intentId } = opened;
    const tried = await this.#provider.authorise({ intentId, method, step: `${orderId}:authorise:${attempt}` });
    switch (tried.kind) {
      case "unavailable":
        return tried;
      case "declined":
        return await this.#payments.decline({ orderId, attempt, intentId, error: tried.detail });
      case "over":
        return await this.#payments.decline({
          orderId,
          attempt,
          intentId,
          error: "the payment was ended at the provider",
        });
      case "authorised":
        return await this.#noteAuthorised(card, intentId, tried);
    }
  }

  async #noteAuthorised(
    { orderId, attempt }: CardTry,
    intentId: string,
    { amount, captureBeforeMs }: { readonly amount: number; readonly captureBeforeMs: number | null },
  ): Promise<PaymentOutcome> {
    const held = { orderId, intentId, amount, captureBeforeMs, lookMs: LOOK_AGAIN_MS };
    const outcome = await this.#payments.authorise(held);
    if (outcome.kind !== "refused" || outcome.why !== "amount") return outcome;
    // Not what the order costs: nothing of it is kept, and the order stays unpaid.
    this.#log.error({ order_id: orderId, amount }, "the provider holds another amount than the order's price");
    await this.#provider.void({ intentId, step: `${orderId}:void` });
    return await this.#payments.decline({ orderId, attempt, intentId, error: "the amount was not the order's price" });
  }

  /** The intent of an order: the one that is kept, or the one that was opened by a try that did not end. */
  async #open({ orderId, amount, currency, intent }: Omit<CardTry, "method" | "attempt">) {
    if (intent !== undefined) return { kind: "opened", intentId: intent } as const;
    return await this.#provider.open({ orderId, amount, currency, step: `${orderId}:open` });
  }

  /** Of a payment that is authorised: its order's end decides. */
  async #settle(due: DuePayment): Promise<StepOutcome> {
    const { orderId, orderStatus, amount, intent: intentId = "" } = due;
    if (orderStatus === "cancelled" || orderStatus === undefined) return await this.#reverse(due);
    if (orderStatus !== "ready") return WAITING;
    const captured = await this.#provider.capture({ intentId, amount, step: `${orderId}:capture` });
    if (captured.kind === "unavailable") return captured;
    if (captured.kind === "lapsed") {
      this.#log.error({ order_id: orderId, amount }, "an order is ready that is not paid: its authorisation lapsed");
      await this.#payments.reverse({ orderId, error: "the authorisation lapsed before the order was ready" });
      return DONE;
    }
    await this.#payments.capture(orderId);
    return DONE;
  }

  /** Of a payment whose order has ended otherwise: nothing is held for it any more. */
  async #reverse(due: DuePayment): Promise<StepOutcome> {
    const { orderId, orderStatus, status, amount } = due;
    const isOfGoneOrder = orderStatus === undefined && status === "PAYMENT_CREATED";
    const voided = await this.#void(due);
    if (voided.kind === "unavailable") return voided;
    if (voided.kind === "captured" && isOfGoneOrder) {
      // Its order was ready, and was gone before the provider had said that the money is taken.
      await this.#payments.capture(orderId);
      return DONE;
    }
    const about = { order_id: orderId, amount };
    if (voided.kind === "captured")
      this.#log.error(about, "a cancelled order was captured at the provider: look there");
    if (isOfGoneOrder) this.#log.error(about, "the order of a payment is no longer kept: what was held is freed");
    await this.#payments.reverse({ orderId });
    return DONE;
  }

  /** Has the provider free what it holds. Of a payment that was never tried it holds nothing. */
  async #void(due: DuePayment): Promise<VoidOutcome | Refused> {
    if (due.attempt === 0) return { kind: "voided" };
    const opened = await this.#open(due);
    if (opened.kind !== "opened") return opened;
    return await this.#provider.void({ intentId: opened.intentId, step: `${due.orderId}:void` });
  }

  async #repay(due: DuePayment): Promise<StepOutcome> {
    const { orderId, amount, intent: intentId = "", refund_requested_at: requestedAt = "" } = due;
    // Once it was refused it can be asked for anew: that is another step.
    const step = `${orderId}:refund:${Date.parse(requestedAt)}`;
    const refunded = await this.#provider.refund({ intentId, amount, step });
    if (refunded.kind === "unavailable") return refunded;
    const error = refunded.kind === "refused" ? refunded.detail : undefined;
    if (error !== undefined) this.#log.error({ order_id: orderId, amount }, "the provider refused a refund");
    await this.#payments.repay({ orderId, error });
    return DONE;
  }
}
