/**
 * Owns the reader of demands: what other programs append to the stream `{shop}:demands:work` becomes orders, or dead
 * letters.
 *
 * A demand leaves the stream once it is an order or a dead letter. Those that this server has taken stand first in its
 * next batch, so while the queue is full the same ones are tried again, and no more are taken.
 *
 * **Invariants**
 * - Each demand becomes one order, by the id of its entry, whatever is lost on the way.
 * - At most MAX_TAKEN are in hand, none longer than JSON may be here.
 * - What a dead server had in hand is taken over.
 * - Every block is bounded.
 */
import type { Redis } from "ioredis";
import { MAX_JSON_BYTES } from "../any-json.ts";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import type { Log } from "../log.ts";
import type { Orders } from "../orders/orders.ts";
import { between, pause } from "../pause.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { ShopDamagedError } from "../redis/damaged.ts";
import { isWrongType } from "../redis/errors.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { within } from "../within.ts";
import { readDemand, type Entry } from "./demand.ts";
import { WORK_QUEUE } from "./input.ts";

const MAX_TAKEN = 100;
/** Of a demand that is too long, for its dead letter. */
const KEPT_BYTES = 4096;
/** How long a wait for a new one takes at most; then what others have left is looked for. */
const BLOCK_SECONDS = 5;
/** Longer than a server has a batch in hand, but while the queue is full: taken over too early does no harm. */
const LEFT_MS = 10_000;
/** While the queue is full: it has enough to do until then. */
const FULL: BackOff = { firstMs: 20, maxMs: 500 };
const FAILED: BackOff = { firstMs: 100, maxMs: 5000 };
const STOP_MS = 2000;

interface DemandParts {
  readonly redis: Pick<ShopRedis, "run" | "keys" | "openBlocking">;
  readonly orders: Pick<Orders, "replica" | "call" | "bury">;
  readonly log: Log;
}

interface Batch {
  /** Of the newest demand that any server took. */
  readonly newestId: string;
  readonly entries: readonly Entry[];
}

/** What became of a batch: all of it is settled, a part, or nothing, as the queue is full. */
type Round = "done" | "partly" | "full";

export class Demands {
  readonly #parts: DemandParts;
  readonly #connection: Redis;
  readonly #takeScript = loadScript("take-demands");
  readonly #settleScript = loadScript("settle-demands");
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #isFailing = false;

  /** Begins to read. */
  constructor(parts: DemandParts) {
    this.#parts = parts;
    this.#connection = parts.redis.openBlocking("demands", BLOCK_SECONDS);
    this.#ended = this.#run();
  }

  /** What is in hand and not settled then is taken over by another server, or by the next one. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#connection.disconnect();
    await within(STOP_MS, this.#ended);
  }

  async #run(): Promise<void> {
    let [failures, fullRounds] = [0, 0];
    while (!this.#isStopping()) {
      try {
        const round = await this.#round();
        failures = 0;
        this.#isFailing = false;
        fullRounds = round === "full" ? fullRounds + 1 : 0;
        if (round !== "done") await this.#pause(maxPauseMs(Math.max(1, fullRounds), FULL));
      } catch (error) {
        failures += 1;
        this.#noteError(error);
        await this.#pause(maxPauseMs(failures, FAILED));
      }
    }
  }

  async #round(): Promise<Round> {
    const { newestId, entries } = await this.#take();
    if (this.#isStopping()) return "done";
    if (entries.length > 0) return await this.#makeOrders(entries);
    await this.#untilNew(newestId);
    return "done";
  }

  async #take(): Promise<Batch> {
    const { redis, orders } = this.#parts;
    const args = [WORK_QUEUE, orders.replica, MAX_TAKEN, LEFT_MS, MAX_JSON_BYTES, KEPT_BYTES];
    const [newestId, ...entries] = asList(await redis.run(this.#takeScript, args));
    return { newestId: asText(newestId), entries: entries.map(readEntry) };
  }

  async #untilNew(newestId: string): Promise<void> {
    const bounds = ["COUNT", 1, "BLOCK", BLOCK_SECONDS * 1000] as const;
    await this.#connection.xread(...bounds, "STREAMS", this.#parts.redis.keys.demands(WORK_QUEUE), newestId);
  }

  async #makeOrders(entries: readonly Entry[]): Promise<Round> {
    const outcomes = await Promise.allSettled(entries.map((entry) => this.#makeOrder(entry)));
    const settled = entries.flatMap(({ id }, index) => {
      const outcome = outcomes[index];
      return outcome?.status === "fulfilled" && outcome.value ? [id] : [];
    });
    if (settled.length > 0) await this.#parts.redis.run(this.#settleScript, [WORK_QUEUE, ...settled]);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    if (settled.length === entries.length) return "done";
    return settled.length > 0 ? "partly" : "full";
  }

  /** Whether the demand is an order now, or a dead letter. */
  async #makeOrder(entry: Entry): Promise<boolean> {
    const { orders } = this.#parts;
    const demand = readDemand(entry);
    const fixed = { orderId: Bun.randomUUIDv7(), queue: WORK_QUEUE, idempotencyKey: `demand ${entry.id}` };
    if (demand.kind === "bad") {
      const { kind } = await orders.bury({ ...fixed, input: demand.input, error: demand.error });
      return kind !== "unknown";
    }
    const { kind } = await orders.call({ ...fixed, input: demand.input, label: demand.workCode });
    // Anything else says that there is an order of this demand.
    return kind !== "refused" && kind !== "denied";
  }

  async #pause(maxMs: number): Promise<void> {
    await pause(between(0, maxMs), this.#stopping.signal);
  }

  /** An outage has a line of its own, and so has a key that holds another type. */
  #noteError(error: unknown): void {
    const isDamaged = error instanceof ShopDamagedError || isWrongType(error);
    if (this.#isFailing || this.#isStopping() || isDamaged || isRedisUnavailable(error)) return;
    this.#isFailing = true;
    this.#parts.log.error({ err: error }, "demands can't be taken: trying again");
  }

  /** A method, for `close` may come during any await. */
  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }
}

function readEntry(reply: unknown): Entry {
  const [id, bytes, fields] = asList(reply);
  return { id: asText(id), bytes: asInteger(bytes), fields: asList(fields).map(asText) };
}
