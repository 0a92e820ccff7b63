/**
 * Owns the orders of this device: the open ones as tickets, and those of the past.
 *
 * **Invariants**
 * - An order that is ready or cancelled never changes again.
 */
import type { Order, Status } from "../../orders/order.ts";
import { isFinal } from "../../orders/status.ts";
import type { Announcer } from "./announcer.svelte.ts";
import type { Device, KeptOrder } from "./device.svelte.ts";
import type { Watched } from "./payment-watch.svelte.ts";
import { sayReason } from "./words.ts";

/** Ready ones that were not put aside are of the past after this. */
const READY_SHOWN_MS = 30 * 60_000;
/** Of an order that the customer cancelled, the money is back by then, or the shop has it in hand. */
const CANCELLED_WATCHED_MS = 5 * 60_000;

/** Those that need their customer come first. */
const RANKS: Partial<Record<Status, number>> = { ready: 0, unpaid: 1 };
const LAST_RANK = 2;
const rankOf = ({ status }: Order): number => RANKS[status] ?? LAST_RANK;

export class Tickets {
  readonly #device: Device;
  readonly #announcer: Announcer;

  /** Ready ones first, which are waited for no longer; then those to be paid. */
  readonly open = $derived.by(() => {
    const orders = this.#device.kept.orders.filter(({ isPast }) => !isPast).map(({ order }) => order);
    return orders.toSorted((a, b) => rankOf(a) - rankOf(b));
  });
  readonly past = $derived.by<readonly KeptOrder[]>(() => this.#device.kept.orders.filter(({ isPast }) => isPast));
  /** The ids of those that the shop may still change, newest first. */
  readonly waiting = $derived.by(() =>
    this.open.filter(({ status }) => !isFinal(status)).map((order) => order.order_id),
  );
  /** Those whose payment may change while no event of it comes: to be paid, over, or cancelled a moment ago. */
  readonly withMoney = $derived.by<readonly Watched[]>(() =>
    this.#device.kept.orders
      .filter(({ order, isPast }) => order.payment_kind !== undefined && isMoneyMoving(order, isPast))
      .map(({ order }) => ({ orderId: order.order_id, isCancelled: order.status === "cancelled" })),
  );
  /** The drink that a code gave and that is not chosen yet. */
  readonly reservation = $derived.by(() => this.open.find(({ status }) => status === "reserved"));

  constructor(device: Device, announcer: Announcer) {
    this.#device = device;
    this.#announcer = announcer;
  }

  /** Takes an order as the shop says that it is. */
  hear(order: Order): void {
    const before = this.#find(order.order_id);
    if (before && isFinal(before.status)) return;
    this.#device.put(order, order.status === "cancelled" && order.reason === "customer");
    if (before?.status !== order.status) this.#announce(order, before);
  }

  /** The shop no longer knows an order that was still open here: the customer learns it, and has the ticket to show. */
  lose(orderId: string): void {
    const known = this.#find(orderId);
    if (!known) return;
    const { position: _position, eta_seconds: _eta, ...order } = known;
    this.hear({ ...order, status: "cancelled", reason: "lost", finished_at: new Date().toISOString() });
  }

  putAside(orderId: string): void {
    this.#device.putAside(orderId);
  }

  /** Puts aside orders that ended long ago. */
  tidy(): void {
    for (const { order_id, finished_at } of this.open) {
      if (finished_at && Date.now() - Date.parse(finished_at) > READY_SHOWN_MS) this.#device.putAside(order_id);
    }
  }

  #find(orderId: string): Order | undefined {
    return this.#device.kept.orders.find(({ order }) => order.order_id === orderId)?.order;
  }

  #announce(order: Order, before: Order | undefined): void {
    if (before?.status === "unpaid" && (order.status === "queued" || order.status === "scheduled"))
      this.#announcer.announcement = `Paid. Your order ${order.number} will be made.`;
    if (order.status === "brewing") this.#announcer.announcement = `Your order ${order.number} is being made.`;
    // An own cancellation is confirmed by a notice.
    if (order.status === "cancelled" && order.reason !== "customer")
      this.#announcer.announcement = `Your order was cancelled. ${sayReason(order)}`;
    // The ticket says it, as an alert.
    if (order.status === "ready") this.#announcer.ring(() => this.#isRung(order.order_id));
  }

  #isRung(orderId: string): boolean {
    return !this.#device.kept.isSilent && this.open.some((order) => order.order_id === orderId);
  }
}

function isMoneyMoving({ status, finished_at = "" }: Order, isPast: boolean): boolean {
  if (isPast) return status === "cancelled" && Date.now() - Date.parse(finished_at) < CANCELLED_WATCHED_MS;
  return status === "unpaid" || isFinal(status);
}
