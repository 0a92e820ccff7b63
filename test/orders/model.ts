/**
 * Owns the model of a shop that random histories are compared with: its orders, queues and events in memory, without a
 * clock.
 *
 * **Invariants**
 * - One change, one event.
 */

import {
  changed,
  idsOf,
  isDead,
  isHeld,
  isOf,
  refusal,
  type Cancelling,
  type Failing,
  type MachineQueue,
  type ModelOrder,
  type Observation,
  type Outcome,
  type PaymentKind,
  type Placing,
  type Starting,
} from "./model-order.ts";
import { PaymentsModel } from "./model-payments.ts";

export class ShopModel {
  /** In the order of placing, which is the order of the queues. */
  readonly #orders = new Map<string, ModelOrder>();
  readonly #claims = new Map<string, ModelOrder>();
  /** By dead order: the one that it was made again as. */
  readonly #again = new Map<string, string>();
  readonly #maxAttempts: number;
  readonly #machines: MachineQueue;
  #calls = 0;
  #events: string[] = [];
  #runOuts = 0;
  /** How orders are paid that are placed now. */
  paying: PaymentKind = "off";
  readonly payments = new PaymentsModel({
    find: (id) => this.#orders.get(id),
    queue: (order) => this.#queuePaid(order),
    note: (verb, id) => this.#events.push(`payment.${verb} ${id}`),
  });

  constructor(maxAttempts: number, machines: MachineQueue) {
    this.#maxAttempts = maxAttempts;
    this.#machines = machines;
  }

  get ids(): readonly string[] {
    return [...this.#orders.keys()];
  }

  place(id: string, { queue, isScheduled, retryOf }: Placing): Outcome {
    const isCall = queue === this.#machines.name;
    if (isCall && retryOf === undefined && this.#open(queue).length >= this.#machines.capacity)
      return { kind: "refused", why: "queue_full" };
    const fresh = { attempts: 0, expiries: 0, ranOut: undefined, isDelayed: false, percent: undefined } as const;
    const unknown = { barista: undefined, reason: undefined, error: undefined } as const;
    const callNumber = isCall ? (this.#calls += 1) : undefined;
    const kind = isCall || retryOf !== undefined ? "off" : this.paying;
    const due = isScheduled ? "scheduled" : "queued";
    const status = kind === "off" ? due : "unpaid";
    const waiting = { isLater: isScheduled, isTooLate: false };
    this.#orders.set(id, { id, queue, status, ...fresh, ...unknown, ...waiting, retryOf, callNumber });
    this.#events.push(`order.${status === "queued" ? "placed" : status} ${id}`);
    if (kind !== "off") this.payments.add(id, kind);
    return { kind: "placed", orderId: id };
  }

  /** Makes a dead order again, as one of this id. */
  retry(id: string, newId: string): Outcome {
    const order = this.#orders.get(id);
    const first = this.#again.get(id);
    if (first !== undefined) return { kind: "retried", orderId: first };
    if (!order || !isDead(order)) return refusal(order);
    this.place(newId, { queue: order.queue, isScheduled: false, retryOf: id });
    this.#again.set(id, newId);
    return { kind: "retried", orderId: newId };
  }

  progress(id: string, { barista, percent }: { barista: string | undefined; percent: number }): Outcome {
    const order = this.#orders.get(id);
    if (!order || !isHeld(order, barista)) return refusal(order);
    order.percent = percent;
    this.#events.push(`order.progressed ${id}`);
    return changed(order);
  }

  start({ claim, barista, queue, chosen }: Starting): Outcome {
    const before = this.#claims.get(claim);
    // A claim that was finished or cancelled is spent.
    if (before && before.status !== "brewing") return { kind: "empty" };
    if (before && before.ranOut === undefined) return { kind: "started", orderId: before.id };
    // The lease is over: the claim is free again, whichever barista gets the order.
    if (before) this.#forgetClaim(before);
    const order = chosen === undefined ? this.#next(queue) : this.#takeChosen(chosen);
    if (!order) return chosen === undefined ? { kind: "empty" } : refusal(this.#orders.get(chosen));
    Object.assign(order, {
      status: "brewing",
      barista,
      isDelayed: false,
      ranOut: undefined,
      percent: undefined,
      attempts: order.attempts + 1,
    });
    this.#forgetClaim(order);
    this.#claims.set(claim, order);
    this.#events.push(`order.started ${order.id}`);
    return { kind: "started", orderId: order.id };
  }

  finish(id: string, barista: string | undefined): Outcome {
    const order = this.#orders.get(id);
    if (order?.status === "ready" && isOf(order, barista)) return changed(order);
    if (!order || !isHeld(order, barista)) return refusal(order);
    this.#close(order, "ready");
    this.#events.push(`order.finished ${id}`);
    return changed(order);
  }

  release(id: string, { barista, isUncounted }: { barista: string | undefined; isUncounted: boolean }): Outcome {
    const order = this.#orders.get(id);
    if (!order || !isHeld(order, barista)) return refusal(order);
    this.#forgetClaim(order);
    if (isUncounted) order.attempts -= 1;
    Object.assign(order, { status: "queued", barista: undefined, ranOut: undefined, percent: undefined });
    this.#events.push(`order.released ${id}`);
    return changed(order);
  }

  extend(id: string, barista: string | undefined): Outcome {
    const order = this.#orders.get(id);
    if (!order || !isHeld(order, barista)) return refusal(order);
    order.ranOut = undefined;
    this.#events.push(`order.extended ${id}`);
    return changed(order);
  }

  cancel({ id, barista, canceller }: Cancelling): Outcome {
    const order = this.#orders.get(id);
    if (order?.status === "cancelled" && order.reason === canceller) return changed(order);
    const may =
      order?.status === "queued" ||
      order?.status === "scheduled" ||
      order?.status === "unpaid" ||
      (order && canceller === "barista" && isHeld(order, barista));
    if (!order || !may) return refusal(order);
    this.#cancel(order, canceller);
    return changed(order);
  }

  fail(id: string, { barista, retry, isDelayed }: Failing): Outcome {
    const order = this.#orders.get(id);
    if (!order || !isHeld(order, barista)) return refusal(order);
    order.error = "broken";
    if (!retry || order.attempts >= this.#maxAttempts) {
      this.#cancel(order, "machine_error");
      return changed(order);
    }
    this.#forgetClaim(order);
    Object.assign(order, { status: "queued", barista: undefined, ranOut: undefined, percent: undefined, isDelayed });
    this.#events.push(`order.failed ${id}`);
    return changed(order);
  }

  /** The time of an order has come that failed or is scheduled, and the sweeper comes by. */
  comeDue(id: string): Outcome {
    const order = this.#orders.get(id);
    if (order) Object.assign(order, { isDelayed: false, isLater: false });
    if (order?.status === "scheduled") {
      order.status = "queued";
      this.#events.push(`order.queued ${id}`);
    }
    return this.expire();
  }

  /** The lease of a brewing order runs out, or the time to pay an unpaid one. */
  runOut(id: string): Outcome {
    const order = this.#orders.get(id);
    if (order?.status === "brewing") order.ranOut = this.#runOuts += 1;
    if (order?.status === "unpaid") order.isTooLate = true;
    return { kind: "ran_out" };
  }

  /** The sweeper comes by. */
  expire(): Outcome {
    const last = this.#expired([...this.#orders.values()]).filter(({ expiries }) => expiries + 1 >= this.#maxAttempts);
    for (const order of last) this.#cancel(order, "barista_timeout");
    const unpaid = [...this.#orders.values()].filter(({ status, isTooLate }) => status === "unpaid" && isTooLate);
    for (const order of unpaid) this.#cancel(order, "payment_failed");
    return { kind: "expired", cancelled: last.length + unpaid.length };
  }

  /** What should be seen now; its events count as observed. */
  observe(queues: readonly string[]): Observation {
    const events = this.#events;
    this.#events = [];
    const claims = [...this.#claims].filter(([, { status }]) => status === "brewing");
    return {
      events,
      claims: Object.fromEntries(claims.map(([claim, { id }]) => [claim, id])),
      queues: Object.fromEntries(queues.map((queue) => [queue, this.#observeQueue(queue)])),
      ...this.payments.observe(),
      dead: idsOf([...this.#orders.values()].filter((order) => isDead(order) && !this.#again.has(order.id))).toSorted(),
      orders: Object.fromEntries(
        [...this.#orders.values()].map((order) => {
          const { id, queue, status, attempts, barista, reason, expiries, error, percent, retryOf, callNumber } = order;
          const isFinal = status === "ready" || status === "cancelled";
          const rank = this.#queued(queue).indexOf(order) + 1;
          const position = rank === 0 ? undefined : rank;
          const told = { status, attempts, barista, reason, error, expiries, percent, retryOf, callNumber };
          return [id, { ...told, kept: !isFinal, position }];
        }),
      ),
    };
  }

  #observeQueue(queue: string): Observation["queues"][string] {
    const open = this.#open(queue);
    return {
      waiting: idsOf(this.#queued(queue)),
      leases: idsOf(open.filter(({ status }) => status === "brewing")).toSorted(),
      scheduled: idsOf(open.filter(({ status }) => status === "scheduled")).toSorted(),
      unpaid: idsOf(open.filter(({ status }) => status === "unpaid")).toSorted(),
      entries: idsOf(open).toSorted(),
    };
  }

  #open(queue: string): ModelOrder[] {
    return this.#inQueue(queue).filter(({ status }) => status !== "ready" && status !== "cancelled");
  }

  #next(queue: string): ModelOrder | undefined {
    return this.#takeExpired(queue) ?? this.#queued(queue)[0];
  }

  #takeChosen(id: string): ModelOrder | undefined {
    const order = this.#orders.get(id);
    if (order?.status === "queued") return order;
    return order?.ranOut === undefined || !this.#takeOver(order) ? undefined : order;
  }

  #takeExpired(queue: string): ModelOrder | undefined {
    return this.#expired(this.#inQueue(queue)).find((order) => this.#takeOver(order));
  }

  /** Counts the lease that ran out; false when it was the last, and the order is cancelled. */
  #takeOver(order: ModelOrder): boolean {
    if (order.expiries + 1 >= this.#maxAttempts) {
      this.#cancel(order, "barista_timeout");
      return false;
    }
    order.expiries += 1;
    return true;
  }

  #cancel(order: ModelOrder, reason: string): void {
    const isUnpaid = order.status === "unpaid";
    order.reason = reason;
    this.#close(order, "cancelled");
    this.#events.push(`order.cancelled ${order.id}`);
    if (isUnpaid) this.payments.closeUnpaid(order.id);
  }

  #queuePaid(order: ModelOrder): void {
    order.status = order.isLater ? "scheduled" : "queued";
    this.#events.push(`order.${order.status} ${order.id}`);
  }

  #close(order: ModelOrder, status: "ready" | "cancelled"): void {
    Object.assign(order, { status, isDelayed: false, ranOut: undefined, percent: undefined });
    if (status === "ready") order.error = undefined;
  }

  #forgetClaim(order: ModelOrder): void {
    for (const [claim, claimed] of this.#claims) if (claimed === order) this.#claims.delete(claim);
  }

  #inQueue(queue: string): ModelOrder[] {
    return [...this.#orders.values()].filter((order) => order.queue === queue);
  }

  #queued(queue: string): ModelOrder[] {
    return this.#inQueue(queue).filter(({ status, isDelayed }) => status === "queued" && !isDelayed);
  }

  /** The first that ran out first. */
  #expired(orders: readonly ModelOrder[]): ModelOrder[] {
    return orders
      .filter(({ ranOut }) => ranOut !== undefined)
      .toSorted((one, other) => (one.ranOut ?? 0) - (other.ranOut ?? 0));
  }
}
