/**
 * Owns what the test acquirer does with an intent: open, confirm, capture, cancel and refund, as Stripe does them.
 *
 * **Invariants**
 * - An operation is answered in one turn: no other one comes between its checks and its change.
 */
import { BY_CHANCE, judge } from "./cards.ts";
import { refuse, unread, wrongState, type Answer } from "./answer.ts";
import { missing, type Form } from "./form.ts";
import * as intents from "./intent.ts";
import type { Intent } from "./intent.ts";
import { declineJson, intentJson, refundJson, type EventType } from "./wire.ts";

/** What an operation is asked with. */
export interface Asked {
  readonly form: Form;
  /** In s since 1970. */
  readonly now: number;
  /** How long an authorisation holds. */
  readonly holdSeconds: number;
  /** Whether chance declines a card that is good. */
  readonly isUnlucky: boolean;
}

/** Stripe's least is of this size; it depends on the currency there. */
const MIN_AMOUNT = 50;

export function open({ form, now }: Asked): Answer {
  const known = ["amount", "currency", "capture_method", "allowed_payment_method_types", "metadata", "expand"];
  const unknown = form.unknown(known);
  if (unknown) return unknown;
  const amount = form.amount("amount");
  if (typeof amount !== "number") return amount;
  const currency = form.text("currency");
  if (currency === undefined) return missing("currency");
  if (!/^[a-z]{3}$/.test(currency)) {
    return unread({ message: `Invalid currency: ${currency.slice(0, 20)}`, param: "currency" });
  }
  if (form.text("capture_method") !== "manual") {
    return unread({ message: "The test acquirer knows capture_method=manual only.", param: "capture_method" });
  }
  if (amount < MIN_AMOUNT) {
    const message = `Amount must be at least ${MIN_AMOUNT} cents.`;
    return unread({ code: "amount_too_small", message, param: "amount" });
  }
  const intent = intents.openIntent({ amount, currency, metadata: form.map("metadata") }, now);
  return changed(intent, undefined, form);
}

export function confirm(intent: Intent, { form, now, holdSeconds, isUnlucky }: Asked): Answer {
  const unknown = form.unknown(["payment_method", "error_on_requires_action", "expand"]);
  if (unknown) return unknown;
  const method = form.text("payment_method");
  if (method === undefined) return missing("payment_method");
  if (intent.status !== "requires_payment_method") {
    return wrongState(
      intent,
      `You cannot confirm this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action.`,
    );
  }
  const verdict = judge(method, intent.amount);
  if (verdict === null) {
    const message = `No such PaymentMethod: '${method.slice(0, 100)}'`;
    return unread({ code: "resource_missing", message, param: "payment_method" });
  }
  const decline = verdict ?? (isUnlucky ? BY_CHANCE : undefined);
  if (!decline) {
    const authorised = intents.authorised(intent, method, now + holdSeconds);
    return changed(authorised, "payment_intent.amount_capturable_updated", form);
  }
  const declined = intents.declined(intent, method, decline);
  return {
    status: 402,
    body: declineJson(declined),
    changed: { intent: declined, event: "payment_intent.payment_failed" },
  };
}

export function capture(intent: Intent, { form }: Asked): Answer {
  const unknown = form.unknown(["amount_to_capture", "expand"]);
  if (unknown) return unknown;
  const amount = form.text("amount_to_capture") === undefined ? intent.amount : form.amount("amount_to_capture");
  if (typeof amount !== "number") return amount;
  if (intent.status !== "requires_capture") {
    const why =
      intent.status === "succeeded"
        ? "it has already been captured."
        : `it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`;
    return wrongState(intent, `This PaymentIntent could not be captured because ${why}`);
  }
  if (amount > intent.authorised) {
    const message = "The amount to capture is greater than what the PaymentIntent holds.";
    return unread({ code: "amount_too_large", message, param: "amount_to_capture" });
  }
  return changed(intents.captured(intent, amount), "payment_intent.succeeded", form);
}

export function cancel(intent: Intent, { form, now }: Asked): Answer {
  const unknown = form.unknown(["cancellation_reason", "expand"]);
  if (unknown) return unknown;
  if (intent.status === "succeeded" || intent.status === "canceled") {
    return wrongState(
      intent,
      `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.`,
    );
  }
  const reason = form.text("cancellation_reason") ?? null;
  return changed(intents.cancelled(intent, reason, now), "payment_intent.canceled", form);
}

export function refund(intent: Intent, { form, now }: Asked): Answer {
  if (intent.captured === 0) {
    return refuse(400, { message: `This PaymentIntent (${intent.id}) does not have a successful charge to refund.` });
  }
  const left = intent.captured - intents.refundedOf(intent);
  if (left === 0) {
    const message = `Charge ${intent.chargeId} has already been refunded.`;
    return refuse(400, { code: "charge_already_refunded", message });
  }
  const amount = form.text("amount") === undefined ? left : form.amount("amount");
  if (typeof amount !== "number") return amount;
  if (amount > left) {
    const message = `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`;
    return refuse(400, { message, param: "amount" });
  }
  const after = intents.refunded(intent, amount, now);
  const [made] = after.refunds.slice(-1);
  const body = made ? refundJson(made, after) : {};
  return { status: 200, body, changed: { intent: after, event: "charge.refunded" } };
}

function changed(intent: Intent, event: EventType | undefined, form: Form): Answer {
  const body = intentJson(intent, { isExpanded: form.list("expand").includes("latest_charge") });
  return { status: 200, body, changed: { intent, ...(event && { event }) } };
}
