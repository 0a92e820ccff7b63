/**
 * Owns a waiting room: who waits at this server, each for the end of something that is stored in Redis.
 *
 * A seat is taken by id before the thing is made, so that no end is missed. Seats that last are *armed* after a few milliseconds:
 * a lane then listens to their bell. What ends at this server before is delivered without.
 *
 * **Invariants**
 * - At most `maxLanes` Redis connections, however many wait.
 * - A wait ends with the end, its own bound, its caller's leaving, or being sent on to another server.
 * - A lane that is full is left alone: it is not woken for newcomers.
 */
import type { Redis } from "ioredis";
import { Lane, type LaneRoom } from "./lane.ts";

/** So many ids in a lane cost about as much to send to Redis again as a lane of their own costs to wake. */
export const LANE_TARGET_SIZE = 150;
/** Seats that are taken for less than this are never armed. */
const ARM_MS = 20;
const RETRY_MS = 50;

/** How what was waited for ended: with a value; it is kept no more; it can't be read. */
export type End<Value> = { readonly kind: "final"; readonly value: Value } | { readonly kind: "forgotten" | "damaged" };

/** Why a wait ended: the end; the time is over; the caller left; the room sent them on to another server. */
export type WaitOutcome<Value> = End<Value> | { readonly kind: "time_over" | "left" | "sent_on" };

/** What is waited for, and how it is read. */
export interface Subject<Value> {
  /** The list that is rung (pushed to) at the end. */
  bellOf(id: string): string;
  idOf(bell: string): string;
  /** Notes in Redis that somebody waits here, or reads the end. Rejects when Redis does not answer. */
  watch(id: string): Promise<End<Value> | undefined>;
  /** Reads which of them are over. */
  readFinals(ids: readonly string[]): Promise<ReadonlyMap<string, End<Value>>>;
  findBells(ids: readonly string[]): Promise<readonly string[]>;
}

/** The connections that a room needs. */
export interface RoomRedis {
  openBlocking(): Redis;
  /** Ends blocked reads of another connection of ours; false when it was not blocked (yet). */
  unblock(clientId: number): Promise<boolean>;
}

export interface Wait {
  readonly id: string;
  /** Whether Redis knows who waits for it, or is about to: it is made with this server as its holder. */
  readonly isNew?: boolean;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal;
  /** Absent: as long as it takes. */
  readonly seconds?: number | undefined;
}

/** A place in the room. `outcome` resolves once. */
export interface Seat<Value> {
  readonly outcome: Promise<WaitOutcome<Value>>;
  /** Whether the caller has to stay when others are sent on: their answer has begun. */
  stayWhile(mustStay: () => boolean): void;
  leave(): void;
}

export class WaitingRoom<Value> {
  readonly #subject: Subject<Value>;
  readonly #laneRoom: LaneRoom;
  readonly #maxLanes: number;
  readonly #lanes: Lane[] = [];
  readonly #seats = new Map<string, Set<Guest<Value>>>();
  /** Seats that are not armed: those taken since the last look, and before it. */
  #newcomers: Guest<Value>[] = [];
  #waiting: Guest<Value>[] = [];
  /** By id: the lane that listens for it. */
  readonly #armed = new Map<string, Lane>();
  #armTimer: ReturnType<typeof setTimeout> | undefined;
  #isSendingOn = false;
  #held = 0;

  constructor(subject: Subject<Value>, redis: RoomRedis, maxLanes: number) {
    this.#subject = subject;
    this.#maxLanes = maxLanes;
    this.#laneRoom = {
      bellOf: (id) => subject.bellOf(id),
      idOf: (bell) => subject.idOf(bell),
      readFinals: async (ids) => {
        for (const [id, end] of await subject.readFinals(ids)) this.#end(id, end);
      },
      findBells: (ids) => subject.findBells(ids),
      openBlocking: () => redis.openBlocking(),
      unblock: (clientId) => redis.unblock(clientId),
    };
  }

  /** How many wait here. */
  get held(): number {
    return this.#held;
  }

  /** Takes a seat. Its outcome never rejects: while Redis is unavailable they keep waiting. */
  sit(wait: Wait): Seat<Value> {
    const guest = new Guest<Value>(wait, (left) => this.#remove(left));
    this.#add(guest);
    // An abort before the listener stood would never be heard.
    if (wait.signal.aborted) guest.settle({ kind: "left" });
    else if (this.#isSendingOn) guest.settle({ kind: "sent_on" });
    else if (wait.isNew) this.#arm(guest);
    else void this.#watch(guest);
    return guest;
  }

  /** Sits until the wait ends. */
  wait(wait: Wait): Promise<WaitOutcome<Value>> {
    return this.sit(wait).outcome;
  }

  /** Notifies those who wait here of an end that this server knows first. */
  deliver(id: string, value: Value): void {
    if (this.#seats.has(id)) this.#end(id, { kind: "final", value });
  }

  /** Sends on all who can go, now and from now on. */
  sendOn(): void {
    this.#isSendingOn = true;
    for (const guest of this.#guests()) if (!guest.mustStay) guest.settle({ kind: "sent_on" });
  }

  /** Sends on those too whose answer has begun: their body says where to go on. */
  sendEverybodyOn(): void {
    this.#isSendingOn = true;
    for (const guest of this.#guests()) guest.settle({ kind: "sent_on" });
  }

  /** Sends all on, and ends all lanes. */
  close(): void {
    this.sendEverybodyOn();
    clearTimeout(this.#armTimer);
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  #guests(): Guest<Value>[] {
    return [...this.#seats.values()].flatMap((guests) => [...guests]);
  }

  #add(guest: Guest<Value>): void {
    this.#held += 1;
    const others = this.#seats.get(guest.id);
    if (others) others.add(guest);
    else this.#seats.set(guest.id, new Set([guest]));
  }

  #remove(guest: Guest<Value>): void {
    const guests = this.#seats.get(guest.id);
    if (!guests?.delete(guest)) return;
    this.#held -= 1;
    if (guests.size > 0) return;
    this.#seats.delete(guest.id);
    this.#armed.get(guest.id)?.drop(guest.id);
    this.#armed.delete(guest.id);
  }

  #end(id: string, end: End<Value>): void {
    for (const guest of this.#seats.get(id) ?? []) guest.settle(end);
  }

  /** Asks until Redis answers: then either all is over, or its bell rings for this server. */
  async #watch(guest: Guest<Value>): Promise<void> {
    while (!guest.isOver) {
      try {
        const end = await this.#subject.watch(guest.id);
        if (end) guest.settle(end);
        else this.#arm(guest);
        return;
      } catch {
        // Unavailable, logged as an outage.
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  #arm(guest: Guest<Value>): void {
    this.#newcomers.push(guest);
    this.#armTimer ??= setTimeout(() => this.#armSeats(), ARM_MS);
  }

  /** Arms those who were here at the last look: each lane is woken once for all that it gets. */
  #armSeats(): void {
    const lasting = this.#waiting.filter(({ isOver, id }) => !isOver && !this.#armed.has(id));
    this.#waiting = this.#newcomers;
    this.#newcomers = [];
    this.#armTimer = this.#waiting.length > 0 ? setTimeout(() => this.#armSeats(), ARM_MS) : undefined;
    this.#armAll([...new Set(lasting.map(({ id }) => id))]);
  }

  /** Fills one lane after the other. Where all are full, the smallest takes as many again. */
  #armAll(ids: readonly string[]): void {
    for (let first = 0; first < ids.length;) {
      const lane = this.#chooseLane();
      const left = LANE_TARGET_SIZE - lane.size;
      const some = ids.slice(first, first + (left > 0 ? left : LANE_TARGET_SIZE));
      for (const id of some) this.#armed.set(id, lane);
      lane.add(some);
      first += some.length;
    }
  }

  /** A lane that is awake, else the fullest that has room, else a new one, else the smallest. */
  #chooseLane(): Lane {
    const roomy = this.#lanes.filter((lane) => lane.size < LANE_TARGET_SIZE);
    const best = roomy.find((lane) => lane.isAwake) ?? roomy.toSorted((a, b) => b.size - a.size)[0];
    if (best) return best;
    if (this.#lanes.length < this.#maxLanes) {
      const lane = new Lane(this.#laneRoom);
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((smallest, lane) => (lane.size < smallest.size ? lane : smallest));
  }
}

/** One who waits. Settled once, and then neither listening nor seated any more. */
class Guest<Value> implements Seat<Value> {
  readonly #wait: Wait;
  readonly #left: (guest: Guest<Value>) => void;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly outcome: Promise<WaitOutcome<Value>>;
  #resolve: (outcome: WaitOutcome<Value>) => void = () => {};
  #mustStay: () => boolean = () => false;
  isOver = false;

  constructor(wait: Wait, left: (guest: Guest<Value>) => void) {
    this.#wait = wait;
    this.#left = left;
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const { seconds, signal } = wait;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.settle({ kind: "time_over" }), seconds * 1000);
    signal.addEventListener("abort", this);
  }

  get id(): string {
    return this.#wait.id;
  }

  get mustStay(): boolean {
    return this.#mustStay();
  }

  stayWhile(mustStay: () => boolean): void {
    this.#mustStay = mustStay;
  }

  settle(outcome: WaitOutcome<Value>): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#wait.signal.removeEventListener("abort", this);
    this.#left(this);
    this.#resolve(outcome);
  }

  leave(): void {
    this.settle({ kind: "left" });
  }

  /** The caller hung up. */
  handleEvent(): void {
    this.leave();
  }
}
