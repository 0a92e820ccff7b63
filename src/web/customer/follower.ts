/**
 * Owns how the page hears of one open order: its events, and a look at it now and then for what no event holds (its
 * position, the expected wait). Where events do not come through, it looks more often.
 *
 * **Invariants**
 * - An answer is dropped if something newer was heard while it was on its way.
 * - So an order never steps back.
 */
import { isOrder } from "../../client/orders.ts";
import { between } from "../../pause.ts";
import { problemName } from "../../client/problem.ts";
import type { Order } from "../../orders/order.ts";
import type { Payment } from "../../orders/payment.ts";
import { Live } from "../shared/live.ts";
import { partPayment } from "../shared/payments.ts";
import * as api from "./api.ts";

/** How often to look, ms. */
const QUEUED_MS = 5000;
const QUIET_MS = 20_000;
const WITHOUT_EVENTS_MS = 3000;

/** Learns how the order is. */
export interface Hearing {
  hear(order: Order): void;
  hearPayment(payment: Payment): void;
  /** The shop does not know the order, or no longer. */
  lose(orderId: string): void;
}

export class Follower {
  readonly #orderId: string;
  readonly #hearing: Hearing;
  readonly #live: Live | undefined;
  #isLive = false;
  #isStopped = false;
  #isQueued = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts what was heard, and what was asked. */
  #lastRequest = 0;
  #newest = 0;

  /** `withEvents`: on a connection of its own, of which a browser has few. */
  constructor(orderId: string, hearing: Hearing, { withEvents }: { readonly withEvents: boolean }) {
    this.#orderId = orderId;
    this.#hearing = hearing;
    if (!withEvents) return;
    this.#live = new Live({
      open: (lastEventId, signal) => api.listen(orderId, lastEventId, signal),
      load: () => this.look(),
      onEvent: ({ data }) => {
        const { order, payment } = partPayment(data);
        if (payment) this.#hearing.hearPayment(payment);
        if (!isOrder(order)) return;
        this.#take(order, ++this.#lastRequest);
        // Its position in the queue is in no event.
        if (order.status === "queued") void this.look();
      },
      onConnection: (connection) => {
        const wasLive = this.#isLive;
        this.#isLive = connection === "live";
        // Only then: a connection that is lost again and again would put the next look off for ever.
        if (this.#isLive !== wasLive) this.#plan();
      },
    });
  }

  start(): void {
    if (this.#live) this.#live.start();
    else void this.look();
    this.#plan();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#live?.stop();
  }

  /** The device came back: now, not after the pause. */
  hurry(): void {
    this.#live?.hurry();
    void this.look();
  }

  /** The device lost its connection: the stream would only fall silent. */
  drop(): void {
    this.#live?.drop();
  }

  /** Asks for the order as it is now; false when the shop can't be reached. */
  async look(): Promise<boolean> {
    const request = ++this.#lastRequest;
    const answer = await api.find(this.#orderId);
    if (this.#isStopped) return true;
    if (answer.kind === "done") this.#take(answer.value, request);
    if (answer.kind === "refused" && problemName(answer.problem) === "order_unknown") this.#hearing.lose(this.#orderId);
    return answer.kind === "done";
  }

  #take(order: Order, request: number): void {
    if (this.#isStopped || request < this.#newest) return;
    this.#newest = request;
    this.#isQueued = order.status === "queued";
    this.#hearing.hear(order);
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const calmMs = this.#isQueued && !document.hidden ? QUEUED_MS : QUIET_MS;
    const ms = this.#isLive ? calmMs : WITHOUT_EVENTS_MS;
    this.#timer = setTimeout(() => void this.look().finally(() => this.#plan()), between(0.8 * ms, 1.2 * ms));
  }
}
