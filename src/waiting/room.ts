/**
 * Owns the waiting room: the customers of this server, each held until their order is final.
 * Always holds: at most `lanes` Redis connections however many wait, and nobody is held past a final order, their own bound,
 * their hanging up, or their being sent on to another server.
 */
import type { OrderJson } from "../orders/order.ts";
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { createBells, type End } from "./bells.ts";
import { BLOCK_SECONDS, Lane, type LaneRoom, type Seat } from "./lane.ts";

/**
 * Why a wait ended: the order is final, no longer kept or damaged; the time is over; the customer hung up; the room sent them on
 * to another server.
 */
export type WaitOutcome = End | { readonly kind: "time_over" | "left" | "sent_on" };

export interface Wait {
  readonly orderId: string;
  /** Whether it was placed just now: then its bell has not rung yet, or still does, and its state need not be read first. */
  readonly isNew?: boolean;
  /** Aborted when the customer hangs up. */
  readonly signal: AbortSignal;
  /** Absent: as long as it takes. */
  readonly seconds?: number | undefined;
  /** Whether the customer has to stay when others are sent on to another server: their answer has begun. */
  readonly mustStay?: () => boolean;
}

/** So many in a lane cost about as much to tell Redis again as a lane of their own costs to wake. */
const ROOMY = 48;

export class WaitingRoom {
  readonly #laneRoom: LaneRoom;
  readonly #mostLanes: number;
  readonly #lanes: Lane[] = [];
  readonly #held = new Set<Guest>();
  #isSendingOn = false;
  #arrivals: Guest[] = [];

  constructor(redis: ShopRedis, mostLanes: number, log: Log) {
    this.#mostLanes = mostLanes;
    this.#laneRoom = {
      keys: redis.keys,
      answerBells: createBells(redis.run, "answer-bells", log),
      takeBells: createBells(redis.run, "take-bells", log),
      openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS),
      unblock: (clientId) => redis.unblock(clientId),
    };
  }

  /** How many customers wait here. */
  get held(): number {
    return this.#held.size;
  }

  /** Holds a customer until their order is final. Never rejects: while Redis is away they keep waiting. */
  wait(wait: Wait): Promise<WaitOutcome> {
    return new Promise((resolve) => {
      const guest = new Guest(wait, (outcome) => {
        this.#held.delete(guest);
        resolve(outcome);
      });
      this.#held.add(guest);
      // An abort before the listener stood would never be heard.
      if (wait.signal.aborted) guest.settle({ kind: "left" });
      else if (this.#isSendingOn) guest.settle({ kind: "sent_on" });
      else this.#arrive(guest);
    });
  }

  /**
   * Tells those who wait here that their order is final, without waiting for its bell: whoever made it so on this server knows
   * first. The bell rings all the same, for other servers, and for whoever has not sat down yet.
   */
  tell(orderId: string, order: OrderJson): void {
    for (const lane of this.#lanes) lane.tell(orderId, order);
  }

  /** Sends everybody on who can go, now and from now on. */
  sendOn(): void {
    this.#isSendingOn = true;
    for (const guest of this.#held) if (!guest.mustStay) guest.settle({ kind: "sent_on" });
  }

  /** Sends on those too whose answer has begun: their body says where to go on. */
  sendEverybodyOn(): void {
    this.#isSendingOn = true;
    for (const guest of this.#held) guest.settle({ kind: "sent_on" });
  }

  /** Sends everybody on, and ends all lanes. */
  close(): void {
    this.sendEverybodyOn();
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  /** Arrivals of one tick sit down together: one lane is woken for all of them. */
  #arrive(guest: Guest): void {
    if (this.#arrivals.length === 0) setImmediate(() => this.#seatArrivals());
    this.#arrivals.push(guest);
  }

  #seatArrivals(): void {
    const arrivals = this.#arrivals.filter(({ isOver }) => !isOver);
    this.#arrivals = [];
    if (arrivals.length === 0) return;
    const lane = this.#chooseLane();
    for (const guest of arrivals) guest.sitDown(lane);
    lane.wake();
  }

  /**
   * A lane that is about to block anyway, else the fullest that has room, else a new one, else the smallest. So few lanes are
   * woken, each for many customers, until so many sit in each that telling Redis all of their bells costs more than a lane does.
   */
  #chooseLane(): Lane {
    const roomy = this.#lanes.filter((lane) => lane.size < ROOMY);
    const best = roomy.find((lane) => lane.isLooking) ?? roomy.toSorted((a, b) => b.size - a.size)[0];
    if (best) return best;
    if (this.#lanes.length < this.#mostLanes) {
      const lane = new Lane(this.#laneRoom);
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((smallest, lane) => (lane.size < smallest.size ? lane : smallest));
  }
}

/** One customer who waits. Always holds: settled once, and then neither listening nor seated any more. */
class Guest {
  readonly #wait: Wait;
  readonly #settled: (outcome: WaitOutcome) => void;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #seat: Seat = (end) => this.settle(end);
  #lane: Lane | undefined;
  isOver = false;

  constructor(wait: Wait, settled: (outcome: WaitOutcome) => void) {
    this.#wait = wait;
    this.#settled = settled;
    const { seconds, signal } = wait;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.settle({ kind: "time_over" }), seconds * 1000);
    signal.addEventListener("abort", this);
  }

  get mustStay(): boolean {
    return this.#wait.mustStay?.() ?? false;
  }

  sitDown(lane: Lane): void {
    const { orderId, isNew = false } = this.#wait;
    this.#lane = lane;
    lane.sit({ orderId, isNew, seat: this.#seat });
  }

  settle(outcome: WaitOutcome): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#wait.signal.removeEventListener("abort", this);
    this.#lane?.leave(this.#wait.orderId, this.#seat);
    this.#settled(outcome);
  }

  /** The customer hung up. */
  handleEvent(): void {
    this.settle({ kind: "left" });
  }
}
