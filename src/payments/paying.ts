/**
 * Owns how an order is paid by card, and what a webhook of the provider brings about.
 *
 * **Invariants**
 * - The amount is the order's price: no client says it.
 * - A webhook changes nothing itself: it has the payment looked at.
 */
import type { Log } from "../log.ts";
import type { Payments } from "../orders/payments.ts";
import type { PaymentJson, PaymentRefusal } from "../orders/payment.ts";
import type { PaymentProvider } from "./provider.ts";
import type { Settler } from "./settler.ts";
import type { Steps } from "./steps.ts";

/** How long this server has for its try before another one takes it up. */
const TRY_MS = 25_000;

/**
 * `paid`: the amount is held, and the order queued. `under_way`: the provider has not said yet, and is asked on.
 * `declined`: another card may do; the payment says why. `no_provider`: this server has none.
 */
export type PayOutcome =
  | { readonly kind: "paid" | "under_way" | "declined"; readonly payment: PaymentJson }
  | { readonly kind: "no_provider" }
  | PaymentRefusal;

export type HearOutcome = { readonly kind: "heard" } | { readonly kind: "forged" } | { readonly kind: "no_provider" };

interface PayingParts {
  readonly payments: Payments;
  readonly log: Log;
  /** Absent: this server takes no cards. */
  readonly cards?: { readonly provider: PaymentProvider; readonly steps: Steps; readonly settler: Settler } | undefined;
}

export class Paying {
  readonly #parts: PayingParts;

  constructor(parts: PayingParts) {
    this.#parts = parts;
  }

  /** What a page needs to know of the provider; undefined: no cards are taken here. */
  get provider(): Pick<PaymentProvider, "name" | "publishableKey"> | undefined {
    return this.#parts.cards?.provider;
  }

  /** Tries a card for an unpaid order. */
  async pay(orderId: string, method: string): Promise<PayOutcome> {
    const { payments, cards } = this.#parts;
    if (!cards) return { kind: "no_provider" };
    const begun = await payments.attempt({ orderId, method, lookMs: TRY_MS });
    if (begun.kind === "joined") return { kind: "under_way", payment: begun.payment };
    if (begun.kind !== "attempted") return begun;
    const { amount, currency } = JSON.parse(begun.payment) as { amount: number; currency: string };
    const { attempt, intentId } = begun;
    const card = { orderId, amount, currency, attempt, method, ...(intentId && { intent: intentId }) };
    const tried = await cards.steps.tryCard(card);
    if (tried.kind === "unavailable") {
      await cards.settler.tryAgain(orderId, tried.retryAfterMs);
      return { kind: "under_way", payment: begun.payment };
    }
    if (tried.kind !== "changed") return tried;
    const { status } = JSON.parse(tried.payment) as { status: string };
    return { kind: status === "PAYMENT_PENDING" ? "declined" : "paid", payment: tried.payment };
  }

  async hear(body: string, signature: string | null): Promise<HearOutcome> {
    const { cards, log } = this.#parts;
    if (!cards) return { kind: "no_provider" };
    const webhook = await cards.provider.readWebhook(body, signature);
    if (webhook.kind === "forged") {
      log.warn({ why: webhook.why }, "a webhook was refused: it is not signed by the provider of payments");
      return { kind: "forged" };
    }
    if (webhook.orderId !== null) await cards.settler.look([webhook.orderId]);
    return { kind: "heard" };
  }
}
