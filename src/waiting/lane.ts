/**
 * Owns one lane: one Redis connection on which many customers wait for their orders' bells.
 *
 * A lane is *idle* while nobody sits in it: it sends nothing. It is *looking* while it reads the orders' stored states,
 * and sends home whose order is final. It is *blocked* while its BLPOP waits on the bells of everybody who sits in it.
 * Customers may sit down at any time: into an idle lane at once; a looking one sees them before it blocks; a blocked one is
 * woken with CLIENT UNBLOCK and blocks again on the longer list.
 *
 * Always holds: a bell rings only for a final order, and what it brings will never change; a block is bounded, and after each bound, error or reconnect
 * all orders of the lane are looked at again.
 */
import type { Redis } from "ioredis";
import { toOrderJson, type OrderJson } from "../orders/order.ts";
import type { End, LookAtBells } from "./bells.ts";
import type { Keys } from "../redis/keys.ts";

/** Longest BLPOP: after it the lane looks at the truth again. */
export const BLOCK_SECONDS = 30;

/** A look or a block that failed is tried again after this. */
const RETRY_MS = 50;
const UNBLOCK_AGAIN_MS = 1;
const SHORTEST_BLOCK_SECONDS = 0.1;
/** A bell that rings so soon after the block began was rung before it. */
const AT_ONCE_MS = 5;

/** Resolves once all that has arrived by now is dealt with. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A customer who waits: called once, with how the waiting ended. */
export type Seat = (end: End) => void;

export interface Sitting {
  readonly orderId: string;
  readonly seat: Seat;
  /** Whether its state need not be read before its bell is listened to. */
  readonly isNew: boolean;
}

/** What a lane needs of the room. */
export interface LaneRoom {
  readonly keys: Keys;
  readonly answerBells: LookAtBells;
  readonly takeBells: LookAtBells;
  openBlocking(): Redis;
  /** False when the connection was not blocked. */
  unblock(clientId: number): Promise<boolean>;
}

type State = "idle" | "looking" | "blocked" | "closed";

export class Lane {
  readonly #room: LaneRoom;
  readonly #redis: Redis;
  /** By order: mostly one waits for each. */
  readonly #seats = new Map<string, Seat[]>();
  /** Orders of this lane whose state has to be read before it blocks. */
  readonly #unseen = new Set<string>();
  /** Orders whose bell this lane has emptied: they are looked at too, so that it rings again, even if nobody waits here any more. */
  readonly #emptied = new Set<string>();
  /** Whether somebody sat down since the block began: it does not listen to their bell. */
  #hasNewcomers = false;
  /** Whether bells ring in company: then the one that was heard is no reason to listen again before the others are taken. */
  #ringsTogether = false;
  #hasHeard = false;
  #state: State = "idle";
  #clientId: number | undefined;
  #waking = false;
  #sawAllAt = performance.now();

  constructor(room: LaneRoom) {
    this.#room = room;
    this.#redis = room.openBlocking();
    // The id changes with every connection.
    this.#redis.on("close", () => {
      this.#clientId = undefined;
    });
  }

  /** Whether whoever sits down now is listened for without waking it. */
  get isLooking(): boolean {
    return this.#state === "looking" || this.#state === "idle";
  }

  /** How many orders are waited for: what Redis looks through and the length of BLPOP. */
  get size(): number {
    return this.#seats.size;
  }

  sit({ orderId, seat, isNew }: Sitting): void {
    const seats = this.#seats.get(orderId);
    if (seats) seats.push(seat);
    else this.#seats.set(orderId, [seat]);
    this.#hasNewcomers = true;
    if (!isNew) this.#unseen.add(orderId);
  }

  /** Sends home whoever waits for this order. */
  tell(orderId: string, order: OrderJson): void {
    if (this.#seats.has(orderId)) this.#answer(orderId, { kind: "final", order });
  }

  /** Frees the seat at once; the lane stops listening to its bell the next time it blocks. */
  leave(orderId: string, seat: Seat): void {
    const others = this.#seats.get(orderId)?.filter((other) => other !== seat);
    if (others?.length) {
      this.#seats.set(orderId, others);
    } else {
      this.#seats.delete(orderId);
      this.#unseen.delete(orderId);
    }
  }

  /** Sees to it that whoever sat down is looked at and listened for. */
  wake(): void {
    if (this.#state === "idle") void this.#run();
    else if (this.#state === "blocked") void this.#unblock();
  }

  close(): void {
    this.#state = "closed";
    this.#seats.clear();
    this.#unseen.clear();
    this.#emptied.clear();
    this.#redis.disconnect();
  }

  /** Looks and blocks in turn until nobody sits here any more, and nothing is left to look at. */
  async #run(): Promise<void> {
    this.#sawAllAt = performance.now();
    while ((this.#seats.size > 0 || this.#mustLook()) && !this.#isClosed()) {
      this.#state = "looking";
      if (this.#mustLook()) await this.#look();
      else if (this.#hasHeard && this.#ringsTogether) await this.#takeBells();
      else await this.#block();
    }
    if (!this.#isClosed()) this.#state = "idle";
  }

  #mustLook(): boolean {
    return this.#unseen.size > 0 || this.#emptied.size > 0;
  }

  /** Reads the stored state of the unseen, and sends home whose order is final. */
  async #look(): Promise<void> {
    const emptied = [...this.#emptied];
    const orderIds = [...new Set([...this.#unseen, ...emptied])];
    this.#unseen.clear();
    this.#emptied.clear();
    try {
      for (const [orderId, end] of await this.#room.answerBells(orderIds)) this.#answer(orderId, end);
    } catch {
      // Logged by the room; all who are still here stay seated.
      this.#seeAll();
      for (const orderId of emptied) this.#emptied.add(orderId);
      await Bun.sleep(RETRY_MS);
    }
  }

  /** Sends home everybody whose bell rings. */
  async #takeBells(): Promise<void> {
    this.#hasHeard = false;
    try {
      const before = this.#seats.size;
      for (const [orderId, end] of await this.#room.takeBells([...this.#seats.keys()])) this.#answer(orderId, end);
      this.#ringsTogether = this.#seats.size < before;
    } catch {
      this.#seeAll();
      await Bun.sleep(RETRY_MS);
    }
  }

  #answer(orderId: string, end: End): void {
    const seats = this.#seats.get(orderId);
    this.#seats.delete(orderId);
    this.#unseen.delete(orderId);
    for (const seat of seats ?? []) seat(end);
  }

  /** Waits until a bell of this lane rings, the bound is over, or somebody sits down. */
  async #block(): Promise<void> {
    this.#state = "blocked";
    try {
      const bells = Array.from(this.#seats.keys(), (orderId) => this.#room.keys.bell(orderId));
      this.#hasNewcomers = false;
      if (this.#clientId === undefined) void this.#askClientId();
      const blockedAt = performance.now();
      const leftSeconds = BLOCK_SECONDS - (blockedAt - this.#sawAllAt) / 1000;
      const rung = await this.#redis.blpop(bells, Math.max(SHORTEST_BLOCK_SECONDS, leftSeconds));
      const now = performance.now();
      const isBoundOver = now - this.#sawAllAt >= BLOCK_SECONDS * 1000;
      if (isBoundOver || (!rung && !this.#hasNewcomers)) this.#seeAll();
      this.#hasHeard = rung !== null;
      if (rung) {
        this.#ringsTogether ||= now - blockedAt < AT_ONCE_MS;
        this.#hear(this.#room.keys.orderOfBell(rung[0]), rung[1]);
        // Whoever was told meanwhile need not be listened for again.
        await nextTurn();
      }
    } catch {
      // A lost connection (told as an outage) or CLIENT UNBLOCK … ERROR: a popped bell may be lost with it.
      this.#seeAll();
      await Bun.sleep(RETRY_MS);
    } finally {
      if (!this.#isClosed()) this.#state = "looking";
    }
  }

  /** The first pop brings the order itself; a later one is empty: then the lane looks, and the bell rings again. */
  #hear(orderId: string, json: string): void {
    if (json === "") this.#emptied.add(orderId);
    else this.#answer(orderId, { kind: "final", order: toOrderJson(orderId, json) });
  }

  /** Sent right before BLPOP on the same connection, so the answer is there once that blocks. */
  async #askClientId(): Promise<void> {
    try {
      this.#clientId = await this.#redis.client("ID");
    } catch {
      // The connection is lost, and BLPOP with it.
    }
  }

  #seeAll(): void {
    this.#sawAllAt = performance.now();
    for (const orderId of this.#seats.keys()) this.#unseen.add(orderId);
  }

  /** Ends the BLPOP. One that was sent but has not reached Redis yet can't be ended: it is tried until the lane looks. */
  async #unblock(): Promise<void> {
    if (this.#waking) return;
    this.#waking = true;
    while (this.#state === "blocked" && this.#hasNewcomers) {
      try {
        if (this.#clientId !== undefined) await this.#room.unblock(this.#clientId);
        await Bun.sleep(UNBLOCK_AGAIN_MS);
      } catch {
        // The line for commands is lost, told as an outage. This lane's own may go on.
        await Bun.sleep(RETRY_MS);
      }
    }
    this.#waking = false;
  }

  /** A method, for `close` may come during any await. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
