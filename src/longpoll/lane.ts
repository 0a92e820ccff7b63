/**
 * Owns one lane: one Redis connection on which many wait for bells.
 *
 * A lane is *idle* while nothing is waited for: it sends nothing. It is *reading* while it reads stored state, and
 * notifies of what is over. It is *blocked* while its BLPOP waits on the bells of all its ids. Ids may be added at any
 * time: an idle lane begins, a reading one sees them before it blocks, a blocked one is woken with CLIENT UNBLOCK and
 * blocks again on the longer list.
 *
 * **Invariants**
 * - A bell only wakes. Ends are notified as they are read from stored state.
 * - A block is bounded. After each bound, error or reconnect all ids of the lane are read again.
 * - An id that is waited for no more is dropped before the next block.
 */
import type { Redis } from "ioredis";
import { isWrongType } from "../redis/errors.ts";
import { nextTurn } from "../turn.ts";

/** Longest BLPOP: after it the lane reads stored state again. */
export const BLOCK_SECONDS = 30;

/** A read or a block that failed is tried again after this. */
const RETRY_MS = 50;
const UNBLOCK_AGAIN_MS = 1;
const MIN_BLOCK_SECONDS = 0.1;
/** A bell that rings so soon after the block began was rung before it. */
const AT_ONCE_MS = 5;

/** The calls that a lane needs of its room. */
export interface LaneRoom {
  bellOf(id: string): string;
  idOf(bell: string): string;
  /** Reads stored state, and notifies of what is over. Rejects when it can't be read. */
  readFinals(ids: readonly string[]): Promise<void>;
  /** The ids whose bell rings. Rejects when Redis does not answer. */
  findBells(ids: readonly string[]): Promise<readonly string[]>;
  openBlocking(): Redis;
  /** False when the connection was not blocked. */
  unblock(clientId: number): Promise<boolean>;
}

type State = "idle" | "reading" | "blocked" | "closed";

export class Lane {
  readonly #room: LaneRoom;
  readonly #redis: Redis;
  readonly #ids = new Set<string>();
  /** Ids whose stored state has to be read before the lane blocks. */
  readonly #unread = new Set<string>();
  /** Whether ids were added since the block began: it does not listen to their bell. */
  #hasNewcomers = false;
  /**
   * Whether bells ring in company: then the one that was heard is no reason to block again before the others are taken.
   */
  #ringsTogether = false;
  #hasHeard = false;
  #state: State = "idle";
  #clientId: number | undefined;
  #isWaking = false;
  #readAllAtMs = performance.now();

  constructor(room: LaneRoom) {
    this.#room = room;
    this.#redis = room.openBlocking();
    // The id changes with every connection.
    this.#redis.on("close", () => {
      this.#clientId = undefined;
    });
  }

  /** Whether ids that are added now are listened for without waking it. */
  get isAwake(): boolean {
    return this.#state === "reading" || this.#state === "idle";
  }

  /** How many ids it listens for: what Redis looks through, and the length of BLPOP. */
  get size(): number {
    return this.#ids.size;
  }

  add(ids: Iterable<string>): void {
    for (const id of ids) this.#ids.add(id);
    this.#hasNewcomers = true;
    if (this.#state === "idle") void this.#run();
    else if (this.#state === "blocked") void this.#unblock();
  }

  /** The lane stops listening to its bell the next time it blocks. */
  drop(id: string): void {
    this.#ids.delete(id);
    this.#unread.delete(id);
  }

  close(): void {
    this.#state = "closed";
    this.#ids.clear();
    this.#unread.clear();
    this.#redis.disconnect();
  }

  /** Reads and blocks in turn until nothing is waited for. */
  async #run(): Promise<void> {
    this.#readAllAtMs = performance.now();
    while (this.#ids.size > 0 && !this.#isClosed()) {
      this.#enter("reading");
      if (this.#unread.size > 0) await this.#read();
      else if (this.#hasHeard && this.#ringsTogether) await this.#findBells();
      else await this.#block();
    }
    this.#enter("idle");
  }

  /** The only place where the state changes, but for `close`, which is the end. */
  #enter(state: State): void {
    if (!this.#isClosed()) this.#state = state;
  }

  async #read(): Promise<void> {
    const ids = [...this.#unread];
    this.#unread.clear();
    try {
      await this.#room.readFinals(ids);
    } catch {
      // Logged by the room; all stay where they are.
      this.#readAll();
      await Bun.sleep(RETRY_MS);
    }
  }

  async #findBells(): Promise<void> {
    this.#hasHeard = false;
    try {
      const rung = await this.#room.findBells([...this.#ids]);
      for (const id of rung) this.#unread.add(id);
      this.#ringsTogether = rung.length > 0;
    } catch {
      this.#readAll();
      await Bun.sleep(RETRY_MS);
    }
  }

  /** Waits until a bell of this lane rings, the bound is over, or ids are added. */
  async #block(): Promise<void> {
    if (this.#ids.size === 0) return;
    this.#enter("blocked");
    try {
      this.#hasNewcomers = false;
      if (this.#clientId === undefined) void this.#askClientId();
      const blockedAtMs = performance.now();
      const leftSeconds = BLOCK_SECONDS - (blockedAtMs - this.#readAllAtMs) / 1000;
      const bells = Array.from(this.#ids, (id) => this.#room.bellOf(id));
      const rung = await this.#redis.blpop(bells, Math.max(MIN_BLOCK_SECONDS, leftSeconds));
      this.#hear(rung?.[0], performance.now() - blockedAtMs);
      // Ids that are over by now need no bell again.
      if (rung) await nextTurn();
    } catch (error) {
      // A lost connection (logged as an outage) or CLIENT UNBLOCK … ERROR: a popped bell may be lost with it.
      this.#readAll();
      // A bell that is no list: taking all of them drops it.
      if (isWrongType(error)) {
        this.#hasHeard = true;
        this.#ringsTogether = true;
      }
      await Bun.sleep(RETRY_MS);
    } finally {
      this.#enter("reading");
    }
  }

  #hear(bell: string | undefined, blockedMs: number): void {
    const isBoundOver = performance.now() - this.#readAllAtMs >= BLOCK_SECONDS * 1000;
    this.#hasHeard = bell !== undefined;
    if (isBoundOver || (bell === undefined && !this.#hasNewcomers)) this.#readAll();
    if (bell === undefined) return;
    this.#ringsTogether ||= blockedMs < AT_ONCE_MS;
    this.#unread.add(this.#room.idOf(bell));
  }

  /** Sent right before BLPOP on the same connection, so the answer is there once that blocks. */
  async #askClientId(): Promise<void> {
    try {
      this.#clientId = await this.#redis.client("ID");
    } catch {
      // The connection is lost, and BLPOP with it.
    }
  }

  #readAll(): void {
    this.#readAllAtMs = performance.now();
    for (const id of this.#ids) this.#unread.add(id);
  }

  /**
   * Ends the BLPOP. One that was sent but has not reached Redis yet can't be ended: it is tried until the lane is
   * awake.
   */
  async #unblock(): Promise<void> {
    if (this.#isWaking) return;
    this.#isWaking = true;
    while (this.#state === "blocked" && this.#hasNewcomers) {
      try {
        if (this.#clientId !== undefined) await this.#room.unblock(this.#clientId);
        await Bun.sleep(UNBLOCK_AGAIN_MS);
      } catch {
        // The connection for commands is lost, logged as an outage. This lane's own may go on.
        await Bun.sleep(RETRY_MS);
      }
    }
    this.#isWaking = false;
  }

  /** A method, for `close` may come during any await. */
  #isClosed(): boolean {
    return this.#state === "closed";
  }
}
