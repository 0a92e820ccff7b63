/**
 * Owns a PaymentIntent of the test acquirer: its states, and the sums that the ledger adds up.
 *
 * ```
 *                       confirm                    capture                  refund (amounts add up)
 * requires_payment_method ──▶ requires_capture ──▶ succeeded ──────────────▶ succeeded
 *   ▲ └── decline ──┘   │            │ │
 *   └─────────────────  └─ cancel ───┴─┴── its time is over ──▶ canceled
 * ```
 *
 * **Invariants**
 * - Each change makes a new record: what was stored is never changed.
 * - Captured is at most what was authorised, and refunded at most what was captured.
 */
import type { Decline } from "./cards.ts";

type IntentStatus = "requires_payment_method" | "requires_capture" | "succeeded" | "canceled";

export interface Refund {
  readonly id: string;
  readonly amount: number;
  /** In s since 1970, as all times here. */
  readonly created: number;
}

export interface Intent {
  readonly id: string;
  readonly amount: number;
  readonly currency: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created: number;
  readonly status: IntentStatus;
  readonly method: string | null;
  readonly chargeId: string | null;
  /** What a card was charged for, also when it was given back since. */
  readonly authorised: number;
  readonly authorisations: number;
  readonly captureBefore: number | null;
  readonly captured: number;
  readonly captures: number;
  readonly refunds: readonly Refund[];
  readonly lastError: (Decline & { readonly method: string }) | null;
  readonly canceledAt: number | null;
  readonly cancellationReason: string | null;
}

export function openIntent(wanted: Pick<Intent, "amount" | "currency" | "metadata">, now: number): Intent {
  return {
    id: newId("pi"),
    ...wanted,
    created: now,
    status: "requires_payment_method",
    method: null,
    chargeId: null,
    authorised: 0,
    authorisations: 0,
    captureBefore: null,
    captured: 0,
    captures: 0,
    refunds: [],
    lastError: null,
    canceledAt: null,
    cancellationReason: null,
  };
}

export function authorised(intent: Intent, method: string, captureBefore: number): Intent {
  return {
    ...intent,
    status: "requires_capture",
    method,
    chargeId: newId("ch"),
    authorised: intent.amount,
    authorisations: intent.authorisations + 1,
    captureBefore,
    lastError: null,
  };
}

export function declined(intent: Intent, method: string, decline: Decline): Intent {
  return { ...intent, method: null, lastError: { ...decline, method } };
}

export function captured(intent: Intent, amount: number): Intent {
  return { ...intent, status: "succeeded", captured: amount, captures: intent.captures + 1 };
}

export function cancelled(intent: Intent, reason: string | null, now: number): Intent {
  return { ...intent, status: "canceled", canceledAt: now, cancellationReason: reason };
}

export function refunded(intent: Intent, amount: number, now: number): Intent {
  return { ...intent, refunds: [...intent.refunds, { id: newId("re"), amount, created: now }] };
}

/** Whether what it holds is to be given back, because it was not captured in time. */
export function isLapsed({ status, captureBefore }: Intent, now: number): boolean {
  return status === "requires_capture" && captureBefore !== null && now >= captureBefore;
}

/** What it holds of a card now. */
export function heldBy({ status, authorised: amount }: Intent): number {
  return status === "requires_capture" ? amount : 0;
}

export function refundedOf({ refunds }: Intent): number {
  return refunds.reduce((sum, { amount }) => sum + amount, 0);
}

export function newId(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
