/**
 * Owns what the page keeps on its device: the customer's name, their orders, and an order that may not have arrived
 * yet.
 *
 * **Invariants**
 * - Every change is written before anything is sent because of it, and is built on what another tab wrote meanwhile.
 * - Where the browser keeps nothing (a private window), the page works for as long as it is open.
 */
import { createKey } from "../../client/key.ts";
import type { Draft, Order } from "../../orders/order.ts";

const KEY = "longpour.customer";
/** How many orders are kept. */
const MAX_ORDERS = 30;

/** An order as it was last heard of. */
export interface KeptOrder {
  readonly order: Order;
  /** Put aside by the customer: one of the past. */
  readonly isPast: boolean;
}

/** An order on its way to the shop, until its answer is here. */
export interface Pending {
  /** Its Idempotency-Key. */
  readonly key: string;
  readonly draft: Draft;
  /** The drink's name, to be shown. */
  readonly name: string;
  /** When the customer last said that they want it, ms since 1970. */
  readonly wantedMs: number;
}

export interface Kept {
  /** Empty until it was given. */
  readonly name: string;
  /** Random: it says nothing but that two orders are of the same device. */
  readonly customerId: string;
  readonly isSilent: boolean;
  /** Newest first. */
  readonly orders: readonly KeptOrder[];
  readonly pending: Pending | undefined;
  /** A code that is being redeemed, under an Idempotency-Key of its own. */
  readonly redeeming: { readonly code: string; readonly key: string } | undefined;
}

export class Device {
  #kept = $state.raw<Kept>(read() ?? empty());

  get kept(): Kept {
    return this.#kept;
  }

  /** Learns what other tabs write; returns how to stop. */
  listen(): () => void {
    const relearn = ({ key }: StorageEvent): void => {
      if (key === KEY || key === null) this.#kept = read() ?? this.#kept;
    };
    addEventListener("storage", relearn);
    return () => removeEventListener("storage", relearn);
  }

  change(changed: Partial<Kept>): void {
    this.#write({ ...this.#fresh(), ...changed });
  }

  /** Keeps an order as it is now; a new one comes first. */
  put(order: Order, isPast = false): void {
    const fresh = this.#fresh();
    const known = fresh.orders.some((kept) => kept.order.order_id === order.order_id);
    const orders = known
      ? fresh.orders.map((kept) =>
          kept.order.order_id === order.order_id ? { order, isPast: kept.isPast || isPast } : kept,
        )
      : [{ order, isPast }, ...fresh.orders].slice(0, MAX_ORDERS);
    this.#write({ ...fresh, orders });
  }

  putAside(orderId: string): void {
    const fresh = this.#fresh();
    const orders = fresh.orders.map((kept) => (kept.order.order_id === orderId ? { ...kept, isPast: true } : kept));
    this.#write({ ...fresh, orders });
  }

  #fresh(): Kept {
    return read() ?? this.#kept;
  }

  #write(kept: Kept): void {
    this.#kept = kept;
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Nothing is kept here: what is in memory serves while the page is open.
    }
  }
}

function empty(): Kept {
  return {
    name: "",
    customerId: `web-${createKey()}`,
    isSilent: false,
    orders: [],
    pending: undefined,
    redeeming: undefined,
  };
}

function read(): Kept | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<Kept> | null;
    return kept && Array.isArray(kept.orders) ? { ...empty(), ...kept } : undefined;
  } catch {
    return undefined;
  }
}
