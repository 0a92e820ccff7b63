/**
 * Owns how a staff page speaks to the baristas' port.
 *
 * **Invariants**
 * - Every request carries the token that is kept now.
 * - 401 locks the page, and so does 429 until the server has taken a token.
 */
import type { Problem } from "../../../client/problem.ts";
import type { CancelReason, Order, Status } from "../../../orders/order.ts";
import type { FailureDraft, HandoverView, QueueView, SearchPage } from "../../../orders/views.ts";
import type { CodeView } from "../../../shop/codes.ts";
import type { Coffee, CoffeeList } from "../../../shop/menu.ts";
import type { Payment } from "../../../orders/payment.ts";
import type { ShopPatch, StaffShopView } from "../../../shop/settings.ts";
import * as calls from "../call.ts";
import { paymentPathOf } from "../payments.ts";
import { openEvents } from "../sse.ts";
import { createLooks } from "./looks.ts";

export type Answer<Value> = calls.Answer<Value> | { readonly kind: "locked" };

/** When the orders of a search were placed, ms since 1970. */
interface SearchSpan {
  readonly fromMs: number;
  readonly beforeMs?: number;
  /** Where there are more, the later ones are left out. */
  readonly maxPages?: number;
}

/** A page of a search: what was found, and how to go on. */
interface FoundPage {
  readonly orders?: readonly Order[];
  readonly payments?: readonly Payment[];
  readonly cursor: string | null;
}

interface Gathering<Item> {
  readonly read: (page: FoundPage) => readonly Item[] | undefined;
  /** Where there are more, the later ones are left out. */
  readonly maxPages?: number | undefined;
}

export interface StaffApiOptions extends calls.SendOptions {
  /** The token now, if there is one. */
  readonly readToken: () => string | undefined;
  /** The server wants a token, does not take this one (`given`), or has had too many wrong ones to look at it. */
  readonly onLocked: (given: string | undefined, problem: Problem | undefined) => void;
}

const readOrders = ({ orders }: FoundPage): readonly Order[] | undefined => orders;

export type StaffApi = ReturnType<typeof createStaffApi>;

export function createStaffApi({ readToken, onLocked, clock, fetch }: StaffApiOptions) {
  const plainSend = calls.createSend({ clock, fetch });
  /** Whether the server has taken a token: then 429 passes, else it is about the token. */
  let hasWorked = false;

  /** Sends a request with the token. */
  const send: calls.Send<calls.NoResponse> = async (path, init) => {
    const token = readToken();
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    const response = await plainSend(path, { ...init, headers });
    if (response === "unreachable") return response;
    if (response.status === 401 || (response.status === 429 && !hasWorked)) {
      hasWorked = false;
      onLocked(token, await calls.readResponseProblem(response));
      return "locked";
    }
    hasWorked ||= response.ok;
    return response;
  };

  const call = <Value>(path: string, options?: calls.Call): Promise<Answer<Value>> => calls.call(send, path, options);

  /** What a search finds, page by page. */
  async function gather<Item>(
    path: string,
    query: URLSearchParams,
    { read, maxPages = Infinity }: Gathering<Item>,
  ): Promise<Answer<readonly Item[]>> {
    const found: Item[] = [];
    for (let pages = 1; ; pages += 1) {
      const page = await call<FoundPage>(`${path}?${query}`);
      if (page.kind !== "done") return page;
      found.push(...(read(page.value) ?? []));
      if (page.value.cursor === null || pages >= maxPages) return { kind: "done", value: found };
      query.set("cursor", page.value.cursor);
    }
  }

  const change = (verb: string, query: Readonly<Record<string, string>>) =>
    call<Order>(`/${verb}/?${new URLSearchParams(query)}`, { method: "POST" });

  const changePayment = (barista: string, orderId: string, json: object) =>
    call<Payment>(`${paymentPathOf(orderId)}?${new URLSearchParams({ barista })}`, { method: "PATCH", json });

  return {
    /** The same `claim` (UUID) again gets the same order: for asking again after no answer. */
    start: (barista: string, claim: string, orderId?: string) => {
      const query = new URLSearchParams({ barista, ...(orderId === undefined ? undefined : { order_id: orderId }) });
      return call<Order>(`/start/?${query}`, { headers: { "Idempotency-Key": claim } });
    },
    finish: (barista: string, orderId: string) => change("finish", { barista, order_id: orderId }),
    /** Finishes the order and starts the oldest one; the same `claim` (UUID) again gets the same order. */
    finishAndStart: (barista: string, claim: string, orderId: string) => {
      const query = new URLSearchParams({ barista, order_id: orderId, next: "0" });
      return call<HandoverView>(`/finish/?${query}`, { method: "POST", headers: { "Idempotency-Key": claim } });
    },
    fail: (barista: string, orderId: string, json: FailureDraft) =>
      call<Order>(`/fail/?${new URLSearchParams({ barista, order_id: orderId })}`, { method: "POST", json }),
    release: (barista: string, orderId: string) => change("release", { barista, order_id: orderId }),
    extend: (barista: string, orderId: string) => change("extend", { barista, order_id: orderId }),
    cancel: (barista: string, orderId: string, reason: CancelReason) =>
      change("cancel", { barista, order_id: orderId, reason }),

    find: (orderId: string) => call<Order>(`/order/${orderId}`),
    queue: () => call<QueueView>("/queue"),
    settings: () => call<StaffShopView>("/shop"),
    changeSettings: (patch: ShopPatch) => call<StaffShopView>("/shop", { method: "PATCH", json: patch }),
    coffees: () => call<CoffeeList>("/coffees"),
    putCoffee: ({ id, ...coffee }: Coffee) =>
      call<Coffee>(`/coffees/${encodeURIComponent(id)}`, { method: "PUT", json: coffee }),
    code: () => call<CodeView>("/code"),

    /** The orders of a state that were placed in a span, oldest first, page by page. */
    search: (status: Status, { fromMs, beforeMs, maxPages }: SearchSpan): Promise<Answer<readonly Order[]>> => {
      const query = new URLSearchParams({ status, from: new Date(fromMs).toISOString(), limit: "200" });
      if (beforeMs !== undefined) query.set("to", new Date(beforeMs).toISOString());
      return gather("/order/", query, { read: readOrders, maxPages });
    },

    /** The orders that were placed on a day (UTC), such as 2026-11-20. */
    ordersOf: (date: string): Promise<Answer<readonly Order[]>> =>
      gather("/order/", new URLSearchParams({ date, limit: "200" }), { read: readOrders }),
    /** The payments that were created on a day (UTC). */
    paymentsOf: (date: string): Promise<Answer<readonly Payment[]>> =>
      gather("/payment", new URLSearchParams({ date, limit: "200" }), { read: ({ payments }) => payments }),
    takeMoney: (barista: string, orderId: string) => changePayment(barista, orderId, { status: "PAYMENT_SUCCESSFUL" }),
    giveBack: (barista: string, orderId: string, reason: string) =>
      changePayment(barista, orderId, { status: "PAYMENT_REFUNDED", reason }),

    /** Orders that could not be made, newest first: a page. */
    dead: () => call<SearchPage>("/dead?limit=100"),
    retry: (barista: string, orderId: string) => change("retry", { barista, order_id: orderId }),

    /** The events of a queue, from now or after the last one heard. */
    listen: (queue: string, lastEventId: string | undefined, signal: AbortSignal) =>
      openEvents(send, `/events?${new URLSearchParams({ queue })}`, { lastEventId, signal }),

    ...createLooks(send),
  };
}
