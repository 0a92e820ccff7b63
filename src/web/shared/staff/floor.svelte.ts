/**
 * Owns the orders that a staff page shows: a snapshot, and every event since.
 *
 * **Invariants**
 * - An event that comes while an answer is on its way is newer than that answer.
 * - This holds for answers of one order and of all.
 * - An order that is final never opens again, however late an older event or answer comes.
 */
import type { Order, Status } from "../../../orders/order.ts";
import { isFinal } from "../../../orders/status.ts";

/** An order, and since when its barista has it (ms since 1970): from its start, or from the last "still on it". */
export interface FloorOrder extends Order {
  readonly leasedMs?: number;
}

/** A snapshot, or the answer to a verb, on its way. `states`: those that it covers, all by default. */
interface Sync {
  /** Takes one order, where that was all that was asked for. `leasedMs`: a lease that began then. */
  readonly take: (order: Order, leasedMs?: number) => void;
  readonly end: (orders: readonly Order[], fromMs: number, states?: readonly Status[]) => void;
  readonly abandon: () => void;
}

/** Ready orders are shown for so long. */
export const READY_SHOWN_SECONDS = 600;
/** How many final orders are remembered, so that nothing late opens them again, and ready ones kept. */
const MAX_FINAL = 1000;

export class Floor {
  readonly #byId = new Map<string, FloorOrder>();
  readonly #final = new Set<string>();
  /** Of each snapshot on its way: the orders that changed since it was asked for. */
  readonly #touched = new Set<Set<string>>();
  readonly #kept: ReadonlySet<Status>;
  #orders = $state.raw<readonly FloorOrder[]>([]);

  /** `kept`: the states in which orders are shown. */
  constructor(kept: readonly Status[]) {
    this.#kept = new Set(kept);
  }

  get orders(): readonly FloorOrder[] {
    return this.#orders;
  }

  find(orderId: string): FloorOrder | undefined {
    return this.#byId.get(orderId);
  }

  /** An order as an event shows it. `leasedMs`: a lease that began then. */
  put(order: Order, leasedMs?: number): void {
    for (const touched of this.#touched) touched.add(order.order_id);
    this.#set(order, leasedMs);
    this.#show();
  }

  /**
   * To be called before anything is asked for: `end` takes it once it is whole, with all that was placed since
   * `fromMs`.
   */
  beginSync(): Sync {
    const touched = new Set<string>();
    this.#touched.add(touched);
    const abandon = (): void => void this.#touched.delete(touched);
    return {
      abandon,
      take: (order, leasedMs) => {
        abandon();
        if (!touched.has(order.order_id)) this.put(order, leasedMs);
      },
      end: (orders, fromMs, states = [...this.#kept]) => {
        abandon();
        const found = new Set(orders.map(({ order_id }) => order_id));
        for (const { order_id: id, placed_at, status } of this.#byId.values()) {
          const isMissing = states.includes(status) && Date.parse(placed_at) >= fromMs && !found.has(id);
          if (isMissing && !touched.has(id)) this.#byId.delete(id);
        }
        for (const order of orders) if (!touched.has(order.order_id)) this.#set(order);
        this.#show();
      },
    };
  }

  #set(order: Order, leasedMs = 0): void {
    const id = order.order_id;
    if (isFinal(order.status)) this.#remember(id);
    else if (this.#final.has(id)) return;
    if (!this.#kept.has(order.status)) {
      this.#byId.delete(id);
      return;
    }
    if (order.status !== "brewing") {
      this.#byId.set(id, order);
      return;
    }
    const before = this.#byId.get(id)?.leasedMs ?? 0;
    this.#byId.set(id, { ...order, leasedMs: Math.max(leasedMs, before, Date.parse(order.started_at ?? "") || 0) });
  }

  #remember(id: string): void {
    this.#final.add(id);
    if (this.#final.size <= MAX_FINAL) return;
    for (const oldest of this.#final) {
      this.#final.delete(oldest);
      this.#byId.delete(oldest);
      return;
    }
  }

  #show(): void {
    this.#orders = [...this.#byId.values()];
  }
}

/** Orders in the order of the queue: by the day and the number, which is from 1 each day. */
export function inQueueOrder<Shown extends Order>(orders: readonly Shown[]): Shown[] {
  return orders.toSorted(
    (one, other) =>
      one.placed_at.slice(0, 10).localeCompare(other.placed_at.slice(0, 10)) || (one.number ?? 0) - (other.number ?? 0),
  );
}

/** Those of a state, in the order of the queue. */
export function inState<Shown extends Order>(orders: readonly Shown[], status: Status): Shown[] {
  return inQueueOrder(orders.filter((order) => order.status === status));
}
