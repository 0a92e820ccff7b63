/**
 * Owns one lane: one Redis connection on which many customers wait for their orders' bells.
 *
 * A lane is *idle* while nobody sits in it: it sends nothing. It is *looking* while it reads the truth, the orders' states,
 * and sends home whose order is final. It is *blocked* while its BLPOP waits on the bells of everybody who sits in it.
 * Customers may sit down at any time: into an idle lane at once; a looking one sees them before it blocks; a blocked one is
 * woken with CLIENT UNBLOCK and blocks again on the longer list.
 *
 * Always holds: the bell only wakes, the order's state decides; a block is bounded, and after each bound, error or reconnect
 * all orders of the lane are looked at again.
 */
import type { Redis } from "ioredis";
import type { Order } from "../orders/order.ts";
import type { AnswerBells } from "./bells.ts";
import type { Keys } from "../redis/keys.ts";

/** Longest BLPOP: after it the lane looks at the truth again. */
export const BLOCK_SECONDS = 30;

/** A look or a block that failed is tried again after this. */
const RETRY_MS = 50;
const UNBLOCK_AGAIN_MS = 1;
const SHORTEST_BLOCK_SECONDS = 0.1;
/** A bell that rings so soon after the block began was rung before it. */
const BUSY_MS = 5;

/** Somebody who waits: called once, with the final order, or null when the order is forgotten. */
export type Seat = (order: Order | null) => void;

/** What a lane needs of the room. */
export interface LaneRoom {
  readonly keys: Keys;
  readonly answerBells: AnswerBells;
  openBlocking(): Redis;
  /** False when the connection was not blocked. */
  unblock(clientId: number): Promise<boolean>;
}

type State = "idle" | "looking" | "blocked" | "closed";

export class Lane {
  readonly #room: LaneRoom;
  readonly #redis: Redis;
  readonly #seats = new Map<string, Set<Seat>>();
  /** Orders whose state was not read since they sat down. */
  readonly #unseen = new Set<string>();
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

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** How many orders are waited for: what Redis looks through and the length of BLPOP. */
  get size(): number {
    return this.#seats.size;
  }

  sit(orderId: string, seat: Seat): void {
    const seats = this.#seats.get(orderId);
    if (seats) seats.add(seat);
    else this.#seats.set(orderId, new Set([seat]));
    this.#unseen.add(orderId);
  }

  /** Frees the seat at once; the lane stops listening to its bell the next time it blocks. */
  leave(orderId: string, seat: Seat): void {
    const seats = this.#seats.get(orderId);
    if (!seats?.delete(seat) || seats.size > 0) return;
    this.#seats.delete(orderId);
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
    this.#redis.disconnect();
  }

  /** Looks and blocks in turn until nobody sits here any more, and nothing is left to look at. */
  async #run(): Promise<void> {
    this.#sawAllAt = performance.now();
    while ((this.#seats.size > 0 || this.#unseen.size > 0) && !this.#isClosed()) {
      this.#state = "looking";
      if (this.#unseen.size > 0) await this.#look();
      else await this.#block();
    }
    if (!this.#isClosed()) this.#state = "idle";
  }

  /** Reads the truth of the unseen, and sends home whose order is final. */
  async #look(): Promise<void> {
    const orderIds = [...this.#unseen];
    this.#unseen.clear();
    try {
      for (const [orderId, order] of await this.#room.answerBells(orderIds)) this.#answer(orderId, order);
    } catch {
      // Logged by the room; everybody stays seated.
      this.#seeAll();
      for (const orderId of orderIds) this.#unseen.add(orderId);
      await Bun.sleep(RETRY_MS);
    }
  }

  #answer(orderId: string, order: Order | null): void {
    const seats = this.#seats.get(orderId);
    this.#seats.delete(orderId);
    this.#unseen.delete(orderId);
    for (const seat of seats ?? []) seat(order);
  }

  /** Waits until a bell of this lane rings, the bound is over, or somebody sits down. */
  async #block(): Promise<void> {
    this.#state = "blocked";
    try {
      const bells = Array.from(this.#seats.keys(), (orderId) => this.#room.keys.bell(orderId));
      if (this.#clientId === undefined) void this.#askClientId();
      const blockedAt = performance.now();
      const leftSeconds = BLOCK_SECONDS - (blockedAt - this.#sawAllAt) / 1000;
      const rung = await this.#redis.blpop(bells, Math.max(SHORTEST_BLOCK_SECONDS, leftSeconds));
      const now = performance.now();
      // A bell that rang at once has company: all are looked at in one go. One that was waited for comes alone, as a newcomer does.
      const isBusy = rung !== null && now - blockedAt < BUSY_MS;
      const isBoundOver = now - this.#sawAllAt >= BLOCK_SECONDS * 1000;
      if (isBusy || isBoundOver || (!rung && this.#unseen.size === 0)) this.#seeAll();
      // Popped for everybody: it is looked at, and rung again, even if nobody here waits for it any more.
      if (rung) this.#unseen.add(this.#room.keys.orderOfBell(rung[0]));
    } catch {
      // A lost connection (told as an outage) or CLIENT UNBLOCK … ERROR: a popped bell may be lost with it.
      this.#seeAll();
      await Bun.sleep(RETRY_MS);
    } finally {
      if (!this.#isClosed()) this.#state = "looking";
    }
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
    while (this.#state === "blocked" && this.#unseen.size > 0) {
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
