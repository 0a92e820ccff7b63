/**
 * Owns the ledger of the test acquirer: what each intent did with money, and the sums.
 *
 * **Invariants**
 * - It is worked out from the intents each time: it can't differ from them.
 */
import { heldBy, refundedOf, type Intent } from "./intent.ts";
import type { Json } from "./wire.ts";

export interface LedgerRow {
  readonly id: string;
  readonly order_id: string | null;
  readonly status: Intent["status"];
  readonly amount: number;
  readonly currency: string;
  /** What a card was charged for, and how often. `held` of it is neither taken nor given back. */
  readonly authorised: number;
  readonly authorisations: number;
  readonly held: number;
  readonly captured: number;
  readonly captures: number;
  readonly refunded: number;
  readonly refunds: number;
}

const SUMS = ["authorised", "held", "captured", "captures", "refunded", "refunds"] as const;

export function ledgerOf(intents: Iterable<Intent>): { readonly intents: LedgerRow[]; readonly sums: Json } {
  const rows = [...intents].map(rowOf);
  const sums = SUMS.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0)] as const);
  return { intents: rows, sums: { intents: rows.length, ...Object.fromEntries(sums) } };
}

function rowOf(intent: Intent): LedgerRow {
  const { id, status, amount, currency, metadata, authorised, authorisations, captured, captures, refunds } = intent;
  return {
    id,
    order_id: metadata["order_id"] ?? null,
    status,
    amount,
    currency,
    authorised,
    authorisations,
    held: heldBy(intent),
    captured,
    captures,
    refunded: refundedOf(intent),
    refunds: refunds.length,
  };
}
