/**
 * Owns how the customer page speaks to the customers' port.
 *
 * **Invariants**
 * - Every call answers with a value: done, refused with a problem, or `away` (no answer, or one of no use).
 * - None throws.
 */
import type { Draft, Completion, Order } from "../../orders/order.ts";
import type { Coffee } from "../../shop/menu.ts";
import { createShopClock } from "../shared/clock.ts";
import type { Opened } from "../shared/live.ts";
import { isProblem, type Problem } from "../shared/problem.ts";

export type Answer<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | { readonly kind: "refused"; readonly problem: Problem; readonly retryAfterSeconds: number | undefined }
  | { readonly kind: "away" };

/** The state of the shop that customers see. */
export interface ShopView {
  readonly open: boolean;
  readonly full: boolean;
  readonly require_code: boolean;
  /** Orders before one that is placed now. */
  readonly queue_length: number;
  /** Expected seconds from ordering now until ready; null without history. */
  readonly eta_seconds: number | null;
  /** How long a reservation waits for its choice. */
  readonly customer_timeout_seconds?: number;
}

/** A server waits up to half a minute for its storage before it gives up; then there is nothing to wait for. */
const PATIENCE_MS = 35_000;

/** The shop's time, as its answers show it. */
export const clock = createShopClock();

interface Asking {
  readonly method?: "POST" | "PUT" | "PATCH";
  readonly json?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

async function call<Value>(path: string, { method, json, headers }: Asking = {}): Promise<Answer<Value>> {
  try {
    const response = await fetch(path, {
      method: method ?? "GET",
      headers: { ...headers, ...(json ? { "Content-Type": "application/json" } : undefined) },
      body: json ? JSON.stringify(json) : null,
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    clock.learn(response.headers.get("date"));
    const value: unknown = await response.json();
    if (response.ok) return { kind: "done", value: value as Value };
    if (!isProblem(value)) return { kind: "away" };
    const retryAfterSeconds = Number(response.headers.get("retry-after")) || undefined;
    return { kind: "refused", problem: value, retryAfterSeconds };
  } catch {
    // No connection, none in time, or a proxy's answer that is no JSON.
    return { kind: "away" };
  }
}

const pathOf = (orderId: string): string => `/order/${encodeURIComponent(orderId)}`;

export const menu = () => call<{ readonly coffees: readonly Coffee[] }>("/coffees");

export const shop = () => call<ShopView>("/shop");

/** Places an order without waiting for it. The same `key` with the same draft gets the order first placed under it. */
export const place = (draft: Draft, key: string) =>
  call<Order>("/order/", {
    method: "POST",
    json: draft,
    headers: { "Idempotency-Key": key, Prefer: "respond-async" },
  });

/** Redeems a code: the order is the customer's, and waits for their choice. */
export const reserve = (draft: { code: string; customer_id: string; customer_name?: string }, key: string) =>
  call<Order>("/reservation", { method: "POST", json: draft, headers: { "Idempotency-Key": key } });

/** Chooses for a reservation. */
export const complete = (orderId: string, choice: Completion) =>
  call<Order>(pathOf(orderId), { method: "PUT", json: choice });

export const find = (orderId: string) => call<Order>(pathOf(orderId));

export const cancel = (orderId: string) =>
  call<Order>(pathOf(orderId), { method: "PATCH", json: { status: "cancelled" } });

/** An order's events, from now or after the last one heard. */
export async function listen(orderId: string, lastEventId: string | undefined, signal: AbortSignal): Promise<Opened> {
  const headers = { Accept: "text/event-stream", ...(lastEventId ? { "Last-Event-ID": lastEventId } : undefined) };
  try {
    const { ok, body } = await fetch(`${pathOf(orderId)}/events`, { headers, cache: "no-store", signal });
    return ok && body ? { kind: "open", body } : { kind: "away" };
  } catch {
    return { kind: "away" };
  }
}
