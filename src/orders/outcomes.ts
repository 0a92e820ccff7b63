/**
 * Owns what operations may answer of an order, and the reading of it.
 *
 * **Invariants**
 * - An answer that no script gives throws.
 */
import type { OrderJson, Status } from "./order.ts";

/**
 * `conflict`: the order's state does not allow the change; `barista` is who holds or held it, or empty.
 * `damaged`: its record can't be read; it is set aside, in a list for staff.
 */
export type Refusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" }
  | { readonly kind: "conflict"; readonly status: Status; readonly barista: string };
export type ChangeOutcome = { readonly kind: "changed"; readonly order: OrderJson } | Refusal;

/** Which order, and whose: `barista` undefined means any barista. */
export interface Change {
  readonly orderId: string;
  readonly barista?: string | undefined;
  /** The `traceparent` of the request: for traces alone. */
  readonly traceparent?: string | undefined;
}

/** One start of an order, as the order showed it then. */
export interface StartOf {
  readonly attempts: number;
  readonly startedAt: string;
}

/** A start as operations compare it; empty for any. */
export function encodeStart(start: StartOf | undefined): { attempts: number | ""; started_at: string } {
  return { attempts: start?.attempts ?? "", started_at: start?.startedAt ?? "" };
}

/** `done`: what the operation answers when it has changed the order. */
export function readChange(done: string, outcome: string, rest: readonly string[]): ChangeOutcome {
  const [order] = rest;
  if (outcome === done && order !== undefined) return { kind: "changed", order };
  return readRefusal(outcome, rest);
}

export function readRefusal(outcome: string, [status, barista]: readonly string[]): Refusal {
  if (outcome === "unknown" || outcome === "damaged") return { kind: outcome };
  if (outcome !== "conflict") throw unexpected(outcome);
  return { kind: "conflict", status: status as Status, barista: barista ? (JSON.parse(barista) as string) : "" };
}

export function unexpected(outcome: string): TypeError {
  return new TypeError(`a script answered ${outcome}`);
}

/** A barista as operations compare them: JSON, or empty for any. */
export function encodeBarista(barista: string | undefined): string {
  return barista === undefined ? "" : JSON.stringify(barista);
}
