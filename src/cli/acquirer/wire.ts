/**
 * Owns how the test acquirer spells things: objects, errors and events in the shape of Stripe's API.
 *
 * **Invariants**
 * - Times are in s since 1970, amounts in cents.
 */
import { heldBy, refundedOf, type Intent, type Refund } from "./intent.ts";

export type Json = Readonly<Record<string, unknown>>;

export function intentJson(intent: Intent, { isExpanded = false } = {}): Json {
  const { id, amount, currency, status, metadata, created, method, captured, chargeId } = intent;
  return {
    id,
    object: "payment_intent",
    amount,
    amount_capturable: heldBy(intent),
    amount_received: captured,
    canceled_at: intent.canceledAt,
    cancellation_reason: intent.cancellationReason,
    capture_method: "manual",
    client_secret: `${id}_secret_test`,
    created,
    currency,
    last_payment_error: intent.lastError === null ? null : cardError(intent.lastError),
    latest_charge: isExpanded && chargeId !== null ? chargeJson(intent) : chargeId,
    livemode: false,
    metadata,
    next_action: null,
    payment_method: method,
    payment_method_types: ["card"],
    status,
  };
}

function chargeJson(intent: Intent): Json {
  const { id, chargeId, amount, captured, created, currency, metadata, method, status, captureBefore } = intent;
  const card = {
    brand: "visa",
    last4: "4242",
    ...(status === "requires_capture" && { capture_before: captureBefore }),
  };
  return {
    id: chargeId,
    object: "charge",
    amount,
    amount_captured: captured,
    amount_refunded: refundedOf(intent),
    captured: captured > 0,
    created,
    currency,
    livemode: false,
    metadata,
    paid: true,
    payment_intent: id,
    payment_method: method,
    payment_method_details: { type: "card", card },
    refunded: captured > 0 && refundedOf(intent) === captured,
    status: "succeeded",
  };
}

export function refundJson({ id, amount, created }: Refund, { id: intentId, chargeId, currency }: Intent): Json {
  return {
    id,
    object: "refund",
    amount,
    charge: chargeId,
    created,
    currency,
    metadata: {},
    payment_intent: intentId,
    reason: null,
    status: "succeeded",
  };
}

function cardError({ code, decline_code, message }: NonNullable<Intent["lastError"]>): Json {
  return { type: "card_error", code, decline_code, message };
}

/** 402: of an intent whose last try was declined. */
export function declineJson(intent: Intent): Json {
  const { lastError } = intent;
  return {
    error: {
      ...(lastError && cardError(lastError)),
      payment_intent: intentJson(intent),
      payment_method: { id: lastError?.method, object: "payment_method", type: "card" },
    },
  };
}

export type EventType =
  | "payment_intent.amount_capturable_updated"
  | "payment_intent.canceled"
  | "payment_intent.payment_failed"
  | "payment_intent.succeeded"
  | "charge.refunded";

export function eventJson(id: string, type: EventType, intent: Intent, created: number): Json {
  const object = type === "charge.refunded" ? chargeJson(intent) : intentJson(intent);
  return { id, object: "event", created, data: { object }, livemode: false, pending_webhooks: 1, type };
}
