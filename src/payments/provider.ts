/**
 * Owns the port to whom cards are charged by: what is asked of a provider of payments, and what it may answer.
 *
 * **Invariants**
 * - `step` is the idempotency key of a step: the same again does nothing more, and answers the same.
 * - Nothing that a provider does is thrown: what it did not say clearly is `unavailable`.
 * - Each call ends within 10 s. It is asked once: the caller goes on, with back-off.
 * - Amounts are in cents. No text that is answered holds a secret.
 */

/** It understood, and does not do it: asked again, it says the same. */
export interface Refused {
  readonly kind: "refused";
  readonly detail: string;
}

/** No clear answer: it may have been done, or not. The same step may be asked again. */
export interface Unavailable {
  readonly kind: "unavailable";
  readonly why: string;
  /** How long the provider asked to be left alone. */
  readonly retryAfterMs?: number;
}

export type OpenOutcome = { readonly kind: "opened"; readonly intentId: string } | Refused | Unavailable;

export type AuthoriseOutcome =
  /** `captureBeforeMs`: when the authorisation lapses, in ms since 1970, where the provider says so. */
  | { readonly kind: "authorised"; readonly amount: number; readonly captureBeforeMs: number | null }
  /** The provider's words for the customer. Another method may do. */
  | { readonly kind: "declined"; readonly detail: string }
  /** The intent is cancelled or captured. */
  | { readonly kind: "over" }
  | Unavailable;

export type CaptureOutcome =
  | { readonly kind: "captured" }
  /** Nothing is held there: the authorisation was cancelled, or its time is over. */
  | { readonly kind: "lapsed" }
  | Unavailable;

export type VoidOutcome =
  | { readonly kind: "voided" }
  /** Too late: it is captured. */
  | { readonly kind: "captured" }
  | Unavailable;

export type RefundOutcome = { readonly kind: "refunded" } | Refused | Unavailable;

export type WebhookReading =
  /** `orderId`: the order that it is about, where it is one of ours. */
  { readonly kind: "told"; readonly orderId: string | null } | { readonly kind: "forged"; readonly why: string };

export interface OpenStep {
  readonly orderId: string;
  readonly amount: number;
  readonly currency: string;
  readonly step: string;
}

/** A step of an intent that is open. */
export interface IntentStep {
  readonly intentId: string;
  readonly step: string;
}

/** `method`: what the page got for a card, as `pm_…`. */
export interface AuthoriseStep extends IntentStep {
  readonly method: string;
}

export interface AmountStep extends IntentStep {
  readonly amount: number;
}

/** One who charges cards: an intent an order, authorised first, captured later. */
export interface PaymentProvider {
  readonly name: "test" | "stripe";
  /** What a page needs for the provider's own form. */
  readonly publishableKey: string | null;
  /** Opens the intent of an order. Nothing is charged yet. */
  open(asked: OpenStep): Promise<OpenOutcome>;
  /** Holds the amount on a card. After a decline it may be asked with another method, as another step. */
  authorise(asked: AuthoriseStep): Promise<AuthoriseOutcome>;
  /** Takes what is held. */
  capture(asked: AmountStep): Promise<CaptureOutcome>;
  /** Gives back what is held, or ends an intent that holds nothing. */
  void(asked: IntentStep): Promise<VoidOutcome>;
  /** Gives back what was captured. */
  refund(asked: AmountStep): Promise<RefundOutcome>;
  /** Checks who sent a webhook, and which order it is about. It says "look there", and nothing that is believed. */
  readWebhook(body: string, signature: string | null): Promise<WebhookReading>;
}
