/**
 * Owns payments by Stripe, or by a server that speaks its API: the port in the words of its library.
 *
 * **Invariants**
 * - One PaymentIntent an order, captured by hand: so two authorisations of one order can't be.
 * - Each step has its idempotency key, and is asked once.
 * - A step that is done already is answered as done, under whatever key it was done.
 */
import type Stripe from "stripe";
import type {
  AmountStep,
  AuthoriseOutcome,
  AuthoriseStep,
  CaptureOutcome,
  IntentStep,
  OpenOutcome,
  OpenStep,
  PaymentProvider,
  RefundOutcome,
  Unavailable,
  VoidOutcome,
  WebhookReading,
} from "./provider.ts";
import { CALL_TIMEOUT_MS, lazyStripe, type StripeAccount, type StripeLibrary } from "./stripe-client.ts";
import { NO_CONFIRMATION, readFailure, type Failure } from "./stripe-failures.ts";

interface StripeSettings extends StripeAccount {
  readonly name: PaymentProvider["name"];
  readonly publishableKey: string | null;
  readonly webhookSecret: string;
}

type Intent = Stripe.PaymentIntent;

/** What a call gave, or why it gave nothing. */
type Answer<Value> = { readonly kind: "answer"; readonly value: Value } | Failure;

const HOLDS_NOTHING: ReadonlySet<string> = new Set([
  "canceled",
  "requires_payment_method",
  "requires_confirmation",
  "requires_action",
]);

/** With the charge, which says until when it may be captured, and what was refunded. */
const WITH_CHARGE = { expand: ["latest_charge"] };

export class StripeProvider implements PaymentProvider {
  readonly name: PaymentProvider["name"];
  readonly publishableKey: string | null;
  readonly #secretKey: string;
  readonly #webhookSecret: string;
  readonly #load: () => Promise<StripeLibrary>;

  constructor({ name, publishableKey, webhookSecret, ...account }: StripeSettings) {
    this.name = name;
    this.publishableKey = publishableKey;
    this.#secretKey = account.secretKey;
    this.#webhookSecret = webhookSecret;
    this.#load = lazyStripe(account);
  }

  async open({ orderId, amount, currency, step }: OpenStep): Promise<OpenOutcome> {
    const wanted: Stripe.PaymentIntentCreateParams = {
      amount,
      currency,
      capture_method: "manual",
      allowed_payment_method_types: ["card"],
      metadata: { order_id: orderId },
    };
    const opened = await this.#ask((stripe) => stripe.paymentIntents.create(wanted, { idempotencyKey: step }));
    if (opened.kind === "refused") return opened;
    if (opened.kind !== "answer") return unclear(opened);
    return typeof opened.value.id === "string" ? { kind: "opened", intentId: opened.value.id } : UNREADABLE;
  }

  async authorise({ intentId, method, step }: AuthoriseStep): Promise<AuthoriseOutcome> {
    const wanted = { payment_method: method, error_on_requires_action: true, ...WITH_CHARGE };
    const asked = await this.#askOfIntent(intentId, (stripe) =>
      stripe.paymentIntents.confirm(intentId, wanted, { idempotencyKey: step }),
    );
    if (asked.kind === "declined") return asked;
    if (asked.kind !== "answer") return unclear(asked);
    const intent = asked.value;
    const { status, amount_capturable: amount } = intent;
    if (status === "requires_capture") {
      const held = { kind: "authorised", amount, captureBeforeMs: captureBeforeMs(intent) } as const;
      return Number.isInteger(amount) ? held : UNREADABLE;
    }
    if (status === "requires_action") return { kind: "declined", detail: NO_CONFIRMATION };
    return status === "canceled" || status === "succeeded" ? { kind: "over" } : unclearStatus(intent);
  }

  async capture({ intentId, amount, step }: AmountStep): Promise<CaptureOutcome> {
    const asked = await this.#askOfIntent(intentId, (stripe) =>
      stripe.paymentIntents.capture(intentId, { amount_to_capture: amount }, { idempotencyKey: step }),
    );
    if (asked.kind === "lapsed") return asked;
    if (asked.kind !== "answer") return unclear(asked);
    if (asked.value.status === "succeeded") return { kind: "captured" };
    return HOLDS_NOTHING.has(asked.value.status) ? { kind: "lapsed" } : unclearStatus(asked.value);
  }

  async void({ intentId, step }: IntentStep): Promise<VoidOutcome> {
    const asked = await this.#askOfIntent(intentId, (stripe) =>
      stripe.paymentIntents.cancel(intentId, {}, { idempotencyKey: step }),
    );
    if (asked.kind !== "answer") return unclear(asked);
    if (asked.value.status === "canceled") return { kind: "voided" };
    return asked.value.status === "succeeded" ? { kind: "captured" } : unclearStatus(asked.value);
  }

  async refund({ intentId, amount, step }: AmountStep): Promise<RefundOutcome> {
    const asked = await this.#ask((stripe) =>
      stripe.refunds.create({ payment_intent: intentId, amount }, { idempotencyKey: step }),
    );
    if (asked.kind === "answer") return readRefund(asked.value);
    if (asked.kind === "state") return await this.#lookForRefund(intentId, amount);
    return asked.kind === "refunded" || asked.kind === "refused" ? asked : unclear(asked);
  }

  async readWebhook(body: string, signature: string | null): Promise<WebhookReading> {
    const { stripe, StripeError } = await this.#load();
    try {
      const { data } = await stripe.webhooks.constructEventAsync(body, signature ?? "", this.#webhookSecret);
      const { metadata } = data.object as { readonly metadata?: Stripe.Metadata | null };
      const orderId: unknown = metadata?.["order_id"];
      return { kind: "told", orderId: typeof orderId === "string" ? orderId : null };
    } catch (error) {
      // The library explains at length: its first sentence is enough. What is signed and is no event counts as forged.
      const why = error instanceof StripeError ? error.message.split(/[.\n]/)[0] : "it is no event";
      return { kind: "forged", why: why ?? "" };
    }
  }

  /** Asks about an intent. Where its state does not take the step, or that was not said, the answer is the intent. */
  async #askOfIntent(
    intentId: string,
    call: (stripe: Stripe) => Promise<Intent>,
  ): Promise<Exclude<Answer<Intent>, { readonly kind: "state" }>> {
    const startedAt = performance.now();
    const asked = await this.#ask(call);
    if (asked.kind !== "state") return asked;
    const timeout = Math.max(1, Math.floor(CALL_TIMEOUT_MS - (performance.now() - startedAt)));
    const looked = await this.#ask((stripe) => stripe.paymentIntents.retrieve(intentId, WITH_CHARGE, { timeout }));
    return looked.kind === "state" ? UNREADABLE : looked;
  }

  async #lookForRefund(intentId: string, amount: number): Promise<RefundOutcome> {
    const looked = await this.#ask((stripe) => stripe.paymentIntents.retrieve(intentId, WITH_CHARGE));
    if (looked.kind !== "answer") return unclear(looked);
    const refunded = chargeOf(looked.value)?.amount_refunded ?? 0;
    return refunded >= amount ? { kind: "refunded" } : unclearStatus(looked.value);
  }

  async #ask<Value>(call: (stripe: Stripe) => Promise<Value>): Promise<Answer<Value>> {
    const { stripe, StripeError } = await this.#load();
    try {
      return { kind: "answer", value: await call(stripe) };
    } catch (error) {
      return readFailure(error, StripeError, this.#secretKey);
    }
  }
}

const UNREADABLE: Unavailable = { kind: "unavailable", why: "its answer could not be read" };

/** A failure that this step does not know. */
function unclear(failure: Failure): Unavailable {
  if (failure.kind === "unavailable") return failure;
  const detail = "detail" in failure ? `: ${failure.detail}` : "";
  return { kind: "unavailable", why: `it answers ${failure.kind}${detail}` };
}

function unclearStatus({ status }: Intent): Unavailable {
  return typeof status === "string" ? { kind: "unavailable", why: `the payment is ${status} there` } : UNREADABLE;
}

function readRefund({ status }: Stripe.Refund): RefundOutcome {
  if (status === "succeeded" || status === "pending") return { kind: "refunded" };
  const isOver = status === "failed" || status === "canceled";
  return isOver ? { kind: "refused", detail: "the card's bank did not take the money back" } : UNREADABLE;
}

function chargeOf({ latest_charge: charge }: Intent): Stripe.Charge | null {
  return typeof charge === "object" ? charge : null;
}

function captureBeforeMs(intent: Intent): number | null {
  const seconds = chargeOf(intent)?.payment_method_details?.card?.capture_before;
  return seconds === undefined ? null : seconds * 1000;
}
