/**
 * Owns what an error of Stripe's library means for a payment.
 *
 * **Invariants**
 * - What is not understood is `unavailable`, with our own words: those of the library may hold anything.
 * - Words of Stripe are answered where it declines or refuses, without the secret key.
 */
import type Stripe from "stripe";
import { withoutSecrets } from "../log.ts";
import type { Refused, Unavailable } from "./provider.ts";

export type Failure =
  /** The card was declined, or there is no such method. */
  | { readonly kind: "declined"; readonly detail: string }
  /** The intent does not take this step now. Null: look at it, it was not said. */
  | { readonly kind: "state"; readonly status: string | null }
  /** The authorisation has run out. */
  | { readonly kind: "lapsed" }
  | { readonly kind: "refunded" }
  | Refused
  | Unavailable;

/** The card's bank wants to ask its owner (3-D Secure). */
export const NO_CONFIRMATION = "this card asks for a confirmation that is not offered here: please use another card";

/** Reads what a call threw. `StripeError` is the library's class, which is loaded late. */
export function readFailure(error: unknown, StripeError: typeof Stripe.errors.StripeError, secretKey: string): Failure {
  if (!(error instanceof StripeError)) return { kind: "unavailable", why: "its answer could not be read" };
  const words = withoutSecrets(error.message, [secretKey]);
  switch (error.type) {
    case "StripeCardError":
      return { kind: "declined", detail: error.code === "authentication_required" ? NO_CONFIRMATION : words };
    case "StripeInvalidRequestError":
      return readInvalidRequest(error, words);
    case "StripeAuthenticationError":
    case "StripePermissionError":
      return { kind: "unavailable", why: "it does not accept STRIPE_SECRET_KEY" };
    case "StripeIdempotencyError":
      return { kind: "unavailable", why: "this step was asked before with other values" };
    case "StripeConnectionError":
      return { kind: "unavailable", why: isTimeout(error) ? "no answer in time" : "no answer that can be read" };
    default:
      return readTrouble(error);
  }
}

function readInvalidRequest(
  { code = "", param, payment_intent: intent }: Stripe.errors.StripeError,
  detail: string,
): Failure {
  if (code === "payment_intent_unexpected_state") return { kind: "state", status: intent?.status ?? null };
  if (code === "charge_already_captured") return { kind: "state", status: "succeeded" };
  if (code === "charge_already_refunded") return { kind: "refunded" };
  if (EXPIRED.has(code)) return { kind: "lapsed" };
  // A method that is unknown, used up, or no card.
  return { kind: param === "payment_method" || isOfMethod(code) ? "declined" : "refused", detail };
}

const EXPIRED = new Set(["charge_expired_for_capture", "capture_charge_authorization_expired"]);

function isOfMethod(code: string): boolean {
  return code.startsWith("payment_method_") || code.startsWith("card_") || code.startsWith("token_");
}

/** 409, 429, 5xx and whatever else. */
function readTrouble(error: Stripe.errors.StripeError): Failure {
  const status = error.statusCode ?? 0;
  // Stripe keeps what it answered under a key: the same step would be answered so for a day. The intent knows better.
  if (status >= 500 && error.headers?.["idempotent-replayed"] === "true") return { kind: "state", status: null };
  return { kind: "unavailable", why: describeTrouble(status), ...retryAfter(error) };
}

function describeTrouble(status: number): string {
  if (status === 409) return "the same step is still under way there";
  if (status === 429) return "it has too many requests";
  return status >= 400 ? `it answers ${status}` : "its answer could not be read";
}

const MAX_RETRY_AFTER_SECONDS = 3600;

/** `Retry-After` in seconds; as a date it does not count. */
function retryAfter({ headers }: Stripe.errors.StripeError): { readonly retryAfterMs?: number } {
  const text = headers?.["retry-after"] ?? "";
  return /^\d+$/.test(text) ? { retryAfterMs: Math.min(Number(text), MAX_RETRY_AFTER_SECONDS) * 1000 } : {};
}

function isTimeout({ message }: Stripe.errors.StripeError): boolean {
  return message.includes("timeout");
}
