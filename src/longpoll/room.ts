/**
 * Owns a waiting room: the callers that wait at this server, each for the end of something that is stored in Redis.
 *
 * A seat is taken by id before the thing is made, so that no end is missed. Once it is made, seats that last are
 * *armed* after a few milliseconds: a lane then listens to their bell. An end at this server before then is notified
 * without a lane.
 *
 * **Invariants**
 * - At most `maxLanes` Redis connections, however many wait.
 * - A wait ends with the end, its own bound, its caller's leaving, or a redirect to another server.
 */
import type { Redis } from "ioredis";
import { BLOCK_SECONDS, type LaneRoom } from "./lane.ts";
import { Lanes } from "./lanes.ts";

/** Seats that are taken for less than this are never armed. */
const ARM_MS = 20;
const RETRY_MS = 50;

/** How what was waited for ended: with a value; it is kept no more; it can't be read. */
export type End<Value> =
  | { readonly kind: "final"; readonly value: Value }
  | { readonly kind: "forgotten" }
  | { readonly kind: "damaged" };

/** Why a wait ended: the end; the time is over; the caller left; the room redirected them to another server. */
export type WaitOutcome<Value> =
  | End<Value>
  | { readonly kind: "time_over" }
  | { readonly kind: "left" }
  | { readonly kind: "redirected" };

/** The thing that is waited for, and how it is read. */
export interface Subject<Value> {
  /** The list that is rung (pushed to) at the end. */
  bellOf(id: string): string;
  idOf(bell: string): string;
  /** Notes in Redis that a caller waits here, or reads the end. Rejects when Redis does not answer. */
  watch(id: string): Promise<End<Value> | undefined>;
  /** Reads which of them are over. */
  readFinals(ids: readonly string[]): Promise<ReadonlyMap<string, End<Value>>>;
  findBells(ids: readonly string[]): Promise<readonly string[]>;
}

/** The connections that a room needs. */
export interface RoomRedis {
  openBlocking(name: string, maxBlockSeconds: number): Redis;
  /** Ends blocked reads of another connection of ours; false when it was not blocked (yet). */
  unblock(clientId: number): Promise<boolean>;
}

export interface Wait {
  readonly id: string;
  /**
   * Whether it is yet to be made, with this server as its holder: until `listen`, only a notification ends the wait.
   */
  readonly isNew?: boolean;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal;
  /** Absent: as long as it takes. */
  readonly seconds?: number | undefined;
}

/** A caller that waits. */
export interface Guest<Value> {
  /** Whether they have to stay when others are redirected: their answer has begun. */
  readonly mustStay: boolean;
  /** Notifies them, once, of how their wait ended. It may be while they sit down. */
  settle(outcome: WaitOutcome<Value>): void;
}

/** A seat in the room. */
export interface Seat {
  /** The thing is made, and Redis knows that it is waited for here. To be called of a seat that was taken as new. */
  listen(): void;
  /** Ends the wait as `left`; after its end it does nothing. */
  leave(): void;
}

export class WaitingRoom<Value> {
  readonly #subject: Subject<Value>;
  readonly #lanes: Lanes;
  /** By id: the seat taken last, which knows the one before. */
  readonly #seats = new Map<string, TakenSeat<Value>>();
  /** Seats that are not armed: those taken since the last look, and before it. */
  #newcomers: TakenSeat<Value>[] = [];
  #waiting: TakenSeat<Value>[] = [];
  #armTimer: ReturnType<typeof setTimeout> | undefined;
  #isRedirecting = false;
  #held = 0;

  constructor(subject: Subject<Value>, redis: RoomRedis, maxLanes: number) {
    this.#subject = subject;
    const laneRoom: LaneRoom = {
      bellOf: (id) => subject.bellOf(id),
      idOf: (bell) => subject.idOf(bell),
      readFinals: async (ids) => {
        for (const [id, end] of await subject.readFinals(ids)) this.#end(id, end);
      },
      findBells: (ids) => subject.findBells(ids),
      openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS),
      unblock: (clientId) => redis.unblock(clientId),
    };
    this.#lanes = new Lanes(laneRoom, maxLanes);
  }

  /** How many wait here. */
  get held(): number {
    return this.#held;
  }

  /** How many ids each lane listens for. */
  get laneSizes(): readonly number[] {
    return this.#lanes.sizes;
  }

  /** How many wait for one id. */
  countFor(id: string): number {
    let count = 0;
    for (let seat = this.#seats.get(id); seat; seat = seat.before) count += 1;
    return count;
  }

  /** Takes a seat. While Redis is unavailable its guest keeps waiting. */
  sit(wait: Wait, guest: Guest<Value>): Seat {
    const seat = new TakenSeat(this, wait, guest);
    this.#held += 1;
    seat.before = this.#seats.get(seat.id);
    this.#seats.set(seat.id, seat);
    // An abort before the listener stood would never be heard.
    if (wait.signal.aborted) seat.settle({ kind: "left" });
    else if (this.#isRedirecting) seat.settle({ kind: "redirected" });
    else if (!wait.isNew) void this.#watch(seat);
    return seat;
  }

  /** Sits until the wait ends. Never rejects. */
  wait(wait: Wait): Promise<WaitOutcome<Value>> {
    return new Promise((settle) => {
      const seat = this.sit(wait, { mustStay: false, settle });
      if (wait.isNew) seat.listen();
    });
  }

  /** Has a lane listen for it, if it lasts. */
  arm(seat: TakenSeat<Value>): void {
    this.#newcomers.push(seat);
    this.#armTimer ??= setTimeout(() => this.#armSeats(), ARM_MS);
  }

  /** Notifies those who wait here of an end that this server knows first. */
  notify(id: string, value: Value): void {
    if (this.#seats.has(id)) this.#end(id, { kind: "final", value });
  }

  /** Redirects all who can go, now and from now on. */
  redirect(): void {
    this.#isRedirecting = true;
    for (const seat of this.#allSeats()) if (!seat.guest.mustStay) seat.settle({ kind: "redirected" });
  }

  /** Redirects those too whose answer has begun: their body says where to go on. */
  redirectAll(): void {
    this.#isRedirecting = true;
    for (const seat of this.#allSeats()) seat.settle({ kind: "redirected" });
  }

  /** Redirects all, and ends all lanes. */
  close(): void {
    this.redirectAll();
    clearTimeout(this.#armTimer);
    this.#lanes.close();
  }

  /** Gives up a seat whose wait is over. */
  remove(seat: TakenSeat<Value>): void {
    this.#held -= 1;
    const { id, before } = seat;
    const last = this.#seats.get(id);
    if (last !== seat) {
      let next = last;
      while (next && next.before !== seat) next = next.before;
      if (next) next.before = before;
    } else if (before) this.#seats.set(id, before);
    else {
      this.#seats.delete(id);
      this.#lanes.drop(id);
    }
  }

  #allSeats(): TakenSeat<Value>[] {
    return [...this.#seats.values()].flatMap((last) => [...inSeats(last)]);
  }

  #end(id: string, end: End<Value>): void {
    // (Settling a seat gives it up.)
    for (let seat = this.#seats.get(id); seat;) {
      const { before } = seat;
      seat.settle(end);
      seat = before;
    }
  }

  /** Asks until Redis answers: then either all is over, or its bell rings for this server. */
  async #watch(seat: TakenSeat<Value>): Promise<void> {
    while (!seat.isOver) {
      try {
        const end = await this.#subject.watch(seat.id);
        if (end) seat.settle(end);
        else this.arm(seat);
        return;
      } catch {
        // Unavailable, logged as an outage.
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  /** Arms those who were here at the last look: each lane is woken once for all that it gets. */
  #armSeats(): void {
    const lasting = this.#waiting.filter(({ isOver, id }) => !isOver && !this.#lanes.has(id));
    this.#waiting = this.#newcomers;
    this.#newcomers = [];
    this.#armTimer = this.#waiting.length > 0 ? setTimeout(() => this.#armSeats(), ARM_MS) : undefined;
    this.#lanes.add([...new Set(lasting.map(({ id }) => id))]);
  }
}

/** The seats of one id. Each may be given up meanwhile. */
function* inSeats<Value>(last: TakenSeat<Value> | undefined): Generator<TakenSeat<Value>> {
  for (let seat = last; seat;) {
    const { before } = seat;
    yield seat;
    seat = before;
  }
}

/** Settled once, and then neither listening nor taken any more. */
class TakenSeat<Value> implements Seat {
  readonly #room: WaitingRoom<Value>;
  readonly #signal: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly id: string;
  readonly guest: Guest<Value>;
  /** The seat of the same id that was taken before this one. */
  before: TakenSeat<Value> | undefined;
  isOver = false;

  constructor(room: WaitingRoom<Value>, { id, signal, seconds }: Wait, guest: Guest<Value>) {
    this.#room = room;
    this.#signal = signal;
    this.id = id;
    this.guest = guest;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.settle({ kind: "time_over" }), seconds * 1000);
    signal.addEventListener("abort", this);
  }

  listen(): void {
    if (!this.isOver) this.#room.arm(this);
  }

  settle(outcome: WaitOutcome<Value>): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this);
    this.#room.remove(this);
    this.guest.settle(outcome);
  }

  leave(): void {
    this.settle({ kind: "left" });
  }

  /** The caller hung up. */
  handleEvent(): void {
    this.leave();
  }
}
