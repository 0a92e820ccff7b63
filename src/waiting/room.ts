/**
 * Owns the waiting room: the customers of this server, each held until their order is final.
 * Always holds: at most `lanes` Redis connections however many wait, and nobody is held past a final order, their own bound,
 * their hanging up, or their being sent on to another server.
 */
import type { Order } from "../orders/order.ts";
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { createAnswerBells } from "./bells.ts";
import { BLOCK_SECONDS, Lane, type LaneRoom, type Seat } from "./lane.ts";

/**
 * Why a wait ended: the order is final; it is no longer kept; the time is over; the customer hung up; the room
 * sent them on to another server.
 */
export type WaitOutcome =
  | { readonly kind: "final"; readonly order: Order }
  | { readonly kind: "forgotten" | "time_over" | "left" | "sent_on" };

export interface Wait {
  readonly orderId: string;
  /** Aborted when the customer hangs up. */
  readonly signal: AbortSignal;
  /** Absent: as long as it takes. */
  readonly seconds?: number | undefined;
  /** Whether the customer has to stay when others are sent on to another server: their answer has begun. */
  readonly mustStay?: () => boolean;
}

interface Arrival {
  readonly orderId: string;
  readonly seat: Seat;
  lane: Lane | null;
  gone: boolean;
}

export class WaitingRoom {
  readonly #laneRoom: LaneRoom;
  readonly #mostLanes: number;
  readonly #lanes: Lane[] = [];
  /** How to send each customer on. */
  readonly #held = new Map<() => void, () => boolean>();
  #isSendingOn = false;
  #arrivals: Arrival[] = [];

  constructor(redis: ShopRedis, mostLanes: number, log: Log) {
    this.#mostLanes = mostLanes;
    this.#laneRoom = {
      keys: redis.keys,
      answerBells: createAnswerBells(redis.run, log),
      openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS),
      unblock: (clientId) => redis.unblock(clientId),
    };
  }

  /** How many customers wait here. */
  get held(): number {
    return this.#held.size;
  }

  /** Holds a customer until their order is final. Never rejects: while Redis is away they keep waiting. */
  wait({ orderId, signal, seconds, mustStay = () => false }: Wait): Promise<WaitOutcome> {
    const { promise, resolve } = Promise.withResolvers<WaitOutcome>();
    const settle = (outcome: WaitOutcome): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      this.#held.delete(sendOn);
      arrival.gone = true;
      arrival.lane?.leave(orderId, arrival.seat);
      resolve(outcome);
    };
    const arrival: Arrival = {
      orderId,
      seat: (order) => settle(order ? { kind: "final", order } : { kind: "forgotten" }),
      lane: null,
      gone: false,
    };
    const leave = (): void => settle({ kind: "left" });
    const sendOn = (): void => settle({ kind: "sent_on" });
    const timer = seconds === undefined ? undefined : setTimeout(() => settle({ kind: "time_over" }), seconds * 1000);
    this.#held.set(sendOn, mustStay);
    signal.addEventListener("abort", leave);
    // An abort before the listener stood would never be heard.
    if (signal.aborted) leave();
    else if (this.#isSendingOn) sendOn();
    else this.#arrive(arrival);
    return promise;
  }

  /** Sends everybody on who can go, now and from now on. */
  sendOn(): void {
    this.#isSendingOn = true;
    for (const [sendOn, mustStay] of this.#held) if (!mustStay()) sendOn();
  }

  /** Sends everybody on, and ends all lanes. */
  close(): void {
    this.#isSendingOn = true;
    for (const sendOn of this.#held.keys()) sendOn();
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  /** Arrivals of one tick sit down together: one lane is woken for all of them. */
  #arrive(arrival: Arrival): void {
    if (this.#arrivals.length === 0) setImmediate(() => this.#seatArrivals());
    this.#arrivals.push(arrival);
  }

  #seatArrivals(): void {
    const arrivals = this.#arrivals.filter(({ gone }) => !gone);
    this.#arrivals = [];
    if (arrivals.length === 0) return;
    const lane = this.#chooseLane();
    for (const arrival of arrivals) {
      arrival.lane = lane;
      lane.sit(arrival.orderId, arrival.seat);
    }
    lane.wake();
  }

  /** An idle lane, else a new one, else the smallest. */
  #chooseLane(): Lane {
    const idle = this.#lanes.find((lane) => lane.isIdle);
    if (idle) return idle;
    if (this.#lanes.length < this.#mostLanes) {
      const lane = new Lane(this.#laneRoom);
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((smallest, lane) => (lane.size < smallest.size ? lane : smallest));
  }
}
