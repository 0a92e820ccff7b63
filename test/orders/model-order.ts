/**
 * Owns one order of the model, what it is asked for, what can be seen of a shop, and what commands answer.
 *
 * **Invariants**
 * - Nothing here changes anything.
 */

/** How orders are paid that are placed now. */
export type PaymentKind = "off" | "counter" | "card";

export interface Placing {
  readonly queue: string;
  readonly isScheduled: boolean;
  readonly retryOf?: string;
}

/** A queue of machines, and how many open orders it takes. */
export interface MachineQueue {
  readonly name: string;
  readonly capacity: number;
}

export interface Failing {
  readonly barista: string | undefined;
  readonly retry: boolean;
  readonly isDelayed: boolean;
}

export interface Starting {
  readonly claim: string;
  readonly barista: string;
  readonly queue: string;
  /** Only this order, out of its turn; undefined is the next one. */
  readonly chosen: string | undefined;
}

export interface Cancelling {
  readonly id: string;
  readonly barista: string | undefined;
  readonly canceller: "customer" | "barista";
}

export type Outcome =
  | { readonly kind: "placed" | "started" | "joined" | "retried"; readonly orderId: string }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "changed"; readonly orderId: string; readonly status: string }
  | { readonly kind: "conflict"; readonly status: string; readonly barista: string }
  | { readonly kind: "expired"; readonly cancelled: number }
  | PaymentOutcome
  | { readonly kind: "empty" | "unknown" | "damaged" | "mismatch" | "ran_out" };

/** Payments as they can be compared. */
export type PaymentOutcome =
  | { readonly kind: "attempted"; readonly attempt: number; readonly intentId: string; readonly payment: SeenPayment }
  | { readonly kind: "joined" | "paid"; readonly payment: SeenPayment }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "due"; readonly orderIds: readonly string[] }
  | { readonly kind: "unknown" | "switched" };

/** A payment as clients see it: of times, only whether it has them. */
export interface SeenPayment {
  readonly status: string;
  readonly kind: string;
  readonly amount: number;
  readonly error: string | undefined;
  readonly refundReason: string | undefined;
  readonly isUnderWay: boolean;
  /** The members that are times, but for when it was created. */
  readonly times: readonly string[];
}

/** What can be seen of a shop after a command. */
export interface Observation {
  /** Appended since the last observation. */
  readonly events: string[];
  /** The orders that are brewing, by the claim under which they are. */
  readonly claims: Readonly<Record<string, string>>;
  /** By queue: ids that can be started in their order, brewing ones, and open ones. */
  readonly queues: Readonly<
    Record<string, { waiting: string[]; leases: string[]; scheduled: string[]; unpaid: string[]; entries: string[] }>
  >;
  readonly payments: Readonly<Record<string, SeenPayment>>;
  /** Ids of the payments that are looked at. */
  readonly openPayments: string[];
  /** Dead letters that were not made again. */
  readonly dead: string[];
  readonly orders: Readonly<
    Record<
      string,
      {
        status: string | undefined;
        attempts: number;
        barista: string | undefined;
        reason: string | undefined;
        error: string | undefined;
        expiries: number;
        kept: boolean;
        /** 1 is next; undefined unless queued. */
        position: number | undefined;
        /** How far it is, while it is brewing. */
        percent: number | undefined;
        retryOf: string | undefined;
        /** Of a call: its number in its queue. */
        callNumber: number | undefined;
      }
    >
  >;
}

export interface ModelOrder {
  readonly id: string;
  readonly queue: string;
  status: "unpaid" | "scheduled" | "queued" | "brewing" | "ready" | "cancelled";
  attempts: number;
  expiries: number;
  /** When its lease ran out, counted; undefined while it runs. */
  ranOut: number | undefined;
  barista: string | undefined;
  reason: string | undefined;
  /** Why it failed last. */
  error: string | undefined;
  /** Whether it is queued, and not to be started yet. */
  isDelayed: boolean;
  percent: number | undefined;
  readonly retryOf: string | undefined;
  readonly callNumber: number | undefined;
  /** Whether it is to be scheduled once it is paid. */
  isLater: boolean;
  /** Whether the time to pay is over. */
  isTooLate: boolean;
}

export const idsOf = (orders: readonly ModelOrder[]): string[] => orders.map(({ id }) => id);

export function isDead({ status, reason }: ModelOrder): boolean {
  return status === "cancelled" && (reason === "machine_error" || reason === "barista_timeout");
}

export function isOf(order: ModelOrder, barista: string | undefined): boolean {
  return barista === undefined || barista === order.barista;
}

export function isHeld(order: ModelOrder, barista: string | undefined): boolean {
  return order.status === "brewing" && isOf(order, barista);
}

export function changed({ id, status }: ModelOrder): Outcome {
  return { kind: "changed", orderId: id, status };
}

export function refusal(order: ModelOrder | undefined): Outcome {
  return order ? { kind: "conflict", status: order.status, barista: order.barista ?? "" } : { kind: "unknown" };
}
