/**
 * Owns one order of the model, what can be seen of a shop, and what commands answer.
 *
 * **Invariants**
 * - Nothing here changes anything.
 */

export type Outcome =
  | { readonly kind: "placed" | "started" | "joined" | "retried"; readonly orderId: string }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "changed"; readonly orderId: string; readonly status: string }
  | { readonly kind: "conflict"; readonly status: string; readonly barista: string }
  | { readonly kind: "expired"; readonly cancelled: number }
  | { readonly kind: "empty" | "unknown" | "damaged" | "mismatch" | "ran_out" };

/** What can be seen of a shop after a command. */
export interface Observation {
  /** Appended since the last observation. */
  readonly events: string[];
  /** The orders that are brewing, by the claim under which they are. */
  readonly claims: Readonly<Record<string, string>>;
  /** By queue: ids that can be started in their order, brewing ones, and open ones. */
  readonly queues: Readonly<
    Record<string, { waiting: string[]; leases: string[]; scheduled: string[]; entries: string[] }>
  >;
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
  status: "scheduled" | "queued" | "brewing" | "ready" | "cancelled";
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
