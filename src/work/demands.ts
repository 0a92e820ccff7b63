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
import { MAX_JSON_BYTES } from "../any-json.ts";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import type { Log } from "../log.ts";
import type { Orders } from "../orders/orders.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";
import { StreamRounds } from "../redis/stream-rounds.ts";
import { readDemand, type Entry } from "./demand.ts";
import { WORK_QUEUE } from "./input.ts";

const MAX_TAKEN = 100;
/** Of a demand that is too long, for its dead letter. */
const KEPT_BYTES = 4096;
/** How long a wait for a new one takes at most; then what others have left is looked for. */
const BLOCK_MS = 5000;
/** Longer than a server has a batch in hand, but while the queue is full: taken over too early does no harm. */
const LEFT_MS = 10_000;
/** While the queue is full: it has enough to do until then. */
const FULL: BackOff = { firstMs: 20, maxMs: 500 };

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
  readonly #rounds: StreamRounds;
  readonly #takeScript = loadScript("take-demands");
  readonly #settleScript = loadScript("settle-demands");
  #fullRounds = 0;

  /** Begins to read. */
  constructor(parts: DemandParts) {
    this.#parts = parts;
    const { redis, log } = parts;
    const stream = redis.keys.demands(WORK_QUEUE);
    const reading = { connectionName: "demands", what: "demands", stream, blockMs: BLOCK_MS };
    this.#rounds = new StreamRounds({ redis, log, ...reading, round: () => this.#round() });
    this.#rounds.begin();
  }

  /** What is in hand and not settled then is taken over by another server, or by the next one. */
  async close(): Promise<void> {
    await this.#rounds.close();
  }

  async #round(): Promise<number> {
    const { newestId, entries } = await this.#take();
    if (this.#rounds.isStopping) return 0;
    if (entries.length === 0) await this.#rounds.untilNew(newestId);
    const round = entries.length > 0 ? await this.#makeOrders(entries) : "done";
    this.#fullRounds = round === "full" ? this.#fullRounds + 1 : 0;
    return round === "done" ? 0 : maxPauseMs(Math.max(1, this.#fullRounds), FULL);
  }

  async #take(): Promise<Batch> {
    const { redis, orders } = this.#parts;
    const args = [WORK_QUEUE, orders.replica, MAX_TAKEN, LEFT_MS, MAX_JSON_BYTES, KEPT_BYTES];
    const [newestId, ...entries] = asList(await redis.run(this.#takeScript, args));
    return { newestId: asText(newestId), entries: entries.map(readEntry) };
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
}

function readEntry(reply: unknown): Entry {
  const [id, bytes, fields] = asList(reply);
  return { id: asText(id), bytes: asInteger(bytes), fields: asList(fields).map(asText) };
}
