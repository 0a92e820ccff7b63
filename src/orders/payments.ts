/**
 * Owns what can be asked of the payments of orders.
 *
 * **Invariants**
 * - Every change is one operation of the group commit of orders.
 * - What only this server and the provider need is in no answer for clients.
 */
import type { GroupCommit } from "../redis/group-commit.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { gathered, loadScript, type RunScript } from "../redis/script.ts";
import { attempt } from "./operations/attempt.ts";
import { authorise } from "./operations/authorise.ts";
import { capture } from "./operations/capture.ts";
import { decline } from "./operations/decline.ts";
import { refund } from "./operations/refund.ts";
import { repay } from "./operations/repay.ts";
import { reverse } from "./operations/reverse.ts";
import { take } from "./operations/take.ts";
import type { Status } from "./order.ts";
import { unexpected } from "./outcomes.ts";
import type { PaymentJson, PaymentStatus } from "./payment.ts";

export type FindPaymentOutcome =
  | { readonly kind: "found"; readonly payment: PaymentJson }
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" };

interface PaymentSearch {
  /** Undefined: any. */
  readonly status?: PaymentStatus | undefined;
  /** Created at or after, and before; ms since 1970. */
  readonly fromMs: number;
  readonly beforeMs: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

type PaymentSearchOutcome =
  | { readonly kind: "page"; readonly payments: readonly PaymentJson[]; readonly cursor?: string }
  | { readonly kind: "cursor_gone" };

/** A payment that is to be looked at. */
export interface DuePayment {
  readonly orderId: string;
  /** Undefined: its order is gone. */
  readonly orderStatus: Status | undefined;
  readonly status: PaymentStatus;
  readonly amount: number;
  readonly currency: string;
  readonly attempt: number;
  /** The card that is being tried. */
  readonly method?: string;
  readonly intent?: string;
  readonly capture_before?: string;
  readonly refund_requested_at?: string;
}

/** `nextMs`: when the next one is due; null: none is. */
interface DuePayments {
  readonly nextMs: number | null;
  readonly payments: readonly DuePayment[];
}

export type Payments = ReturnType<typeof createPayments>;

export function createPayments(run: RunScript, commit: GroupCommit) {
  return {
    attempt: commit.operation(attempt),
    authorise: commit.operation(authorise),
    decline: commit.operation(decline),
    take: commit.operation(take),
    capture: commit.operation(capture),
    reverse: commit.operation(reverse),
    refund: commit.operation(refund),
    repay: commit.operation(repay),
    find: createFind(run),
    search: createSearch(run),
    takeDue: createTakeDue(run),
    putOff: createPutOff(run),
  };
}

function createFind(run: RunScript): (orderId: string) => Promise<FindPaymentOutcome> {
  const script = loadScript("find-payments");
  return gathered(
    async (orderIds) => asText(await run(script, orderIds)).split("\n"),
    (line) => {
      const [outcome = "", payment] = line.split("\t");
      if (outcome === "found" && payment !== undefined) return { kind: outcome, payment };
      if (outcome === "unknown" || outcome === "damaged") return { kind: outcome };
      throw unexpected(outcome);
    },
  );
}

function createSearch(run: RunScript) {
  const script = loadScript("search-payments");
  return async ({ status, fromMs, beforeMs, cursor = "", limit }: PaymentSearch): Promise<PaymentSearchOutcome> => {
    const reply = asText(await run(script, [status ?? "", fromMs, beforeMs, cursor, limit]));
    const [head = "", ...payments] = reply.split("\n");
    const [outcome, next] = head.split("\t");
    if (outcome === "cursor_gone") return { kind: outcome };
    return { kind: "page", payments, ...(next && { cursor: next }) };
  };
}

/** Takes payments that are to be looked at: for `leaseMs` they are this server's. */
function createTakeDue(run: RunScript) {
  const script = loadScript("due-payments");
  return async (options: { leaseMs: number; againMs: number; most: number }): Promise<DuePayments> => {
    const [nextMs, ...rows] = asList(await run(script, [options.leaseMs, options.againMs, options.most]));
    const payments = rows.map((row) => {
      const [orderId, orderStatus, kept] = asList(row).map(asText);
      const payment = JSON.parse(kept ?? "") as Omit<DuePayment, "orderId" | "orderStatus">;
      return { ...payment, orderId: orderId ?? "", orderStatus: (orderStatus || undefined) as Status | undefined };
    });
    const next = asInteger(nextMs);
    return { nextMs: next < 0 ? null : next, payments };
  };
}

/** Has those of these payments that are to be looked at looked at after `ms`. Resolves to how many these are. */
function createPutOff(run: RunScript) {
  const script = loadScript("put-off-payments");
  return async (orderIds: readonly string[], ms: number): Promise<number> =>
    orderIds.length === 0 ? 0 : asInteger(await run(script, [ms, ...orderIds]));
}
