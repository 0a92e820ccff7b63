/**
 * Owns a durable reader: a consumer group on the shop's events that hands each entry to one handler, whatever dies.
 *
 * Any number of replicas open a reader of the same name. One of them has its lease, and reads. When it closes it hands
 * the lease back; when it dies the lease lapses. The next one begins with what is in hand and not settled.
 *
 * A replica that stalls for longer than its lease is a zombie: it may still handle the entry that it has begun, while
 * another one handles it too. It begins no other one. So a handler has to bear an event twice, even at the same time.
 *
 * **Invariants**
 * - Each entry is handled at least once, and settled only after its handler resolved.
 * - Entries are handled in order, one at a time, over all replicas; none is passed over.
 * - Events that were no longer kept when their turn came are counted.
 */
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type Script } from "../redis/script.ts";
import { StreamRounds } from "../redis/stream-rounds.ts";
import { within } from "../within.ts";
import { msOf, numberOf, readEntry, type Change, type EventId } from "./event.ts";

/** Longer than a server stands still, or Redis is restarted. */
const LEASE_MS = 10_000;
/** How often a replica without the lease asks for it, at least. */
const STANDBY_MS = 1000;
/** Redis serves no other call while it reads them. */
const MAX_TAKEN = 50;
/** What was handled for so long is settled though the batch is not over: a killed replica has little handled twice. */
const SETTLE_MS = 50;
const STOP_MS = 2000;

export interface DurableReaderOptions {
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking" | "run">;
  /** Of the consumer group. */
  readonly name: string;
  /** Takes the events of one entry. Where it rejects it gets them again, for ever: it bounds its tries itself. */
  readonly handle: (events: readonly Change[]) => Promise<void>;
  /** Called where so many events before the next ones are no longer kept; where it rejects, again. */
  readonly lost?: (count: number) => void | Promise<void>;
  readonly log: Log;
  /** Where a new group begins: at the next event, or at the first that is kept. */
  readonly from?: "start" | "end";
  /** For how long a killed replica keeps others waiting. */
  readonly leaseMs?: number;
}

type Entry = readonly [id: EventId, fields: readonly string[]];

export class DurableReader {
  readonly #options: DurableReaderOptions;
  readonly #log: Log;
  readonly #replica = crypto.randomUUID();
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #rounds: StreamRounds;
  readonly #renewal: ReturnType<typeof setInterval>;
  readonly #takeScript = loadScript("take-events");
  readonly #settleScript = loadScript("settle-events");
  /** The last entry that was handled since some were taken; empty where none was. */
  #handled: EventId = "";
  /** Every event up to this one is handled or lost; empty before any is known. */
  #passed: EventId = "";
  /** By `performance.now()`; counted from before Redis was asked, so it lapses here first. */
  #leaseEndsMs = 0;
  #settledMs = 0;
  #isFailing = false;

  /** Begins to read. */
  constructor(options: DurableReaderOptions) {
    const { redis, name, log, leaseMs = LEASE_MS } = options;
    this.#options = options;
    this.#log = log.child({ reader: name });
    this.#leaseMs = leaseMs;
    this.#renewMs = Math.ceil(leaseMs / 3);
    const reading = { connectionName: `reader:${name}`, what: "events", stream: redis.keys.events };
    const round = (): Promise<number> => this.#round();
    this.#rounds = new StreamRounds({ redis, log: this.#log, ...reading, blockMs: this.#renewMs, round });
    this.#renewal = setInterval(() => this.#renew(), this.#renewMs);
    this.#rounds.begin();
  }

  /** Ends within a bound. Where a handler goes on for longer, the lease is not handed back: it lapses. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    const hasEnded = await this.#rounds.close();
    // (Where Redis does not answer, the lease lapses, too.)
    if (hasEnded) await within(STOP_MS, Promise.allSettled([this.#settle(0)]));
  }

  async #round(): Promise<number> {
    const { outcome, newest, entries } = await this.#take();
    if (outcome === "held") return Math.min(STANDBY_MS, this.#renewMs);
    if (outcome === "remade") this.#log.warn("a reader's consumer group was gone: it is made again where it was");
    if (this.#rounds.isStopping) return 0;
    if (entries.length === 0) await this.#rounds.untilNew(newest);
    for (const entry of entries) if (!(await this.#pass(entry))) break;
    return 0;
  }

  async #take(): Promise<{ outcome: string; newest: EventId; entries: readonly Entry[] }> {
    const { from = "end" } = this.#options;
    const reply = await this.#run(this.#takeScript, this.#leaseMs, this.#passed, from, MAX_TAKEN);
    const [outcome, passed, newest = "", ...entries] = asList(reply.value);
    this.#noteLease(outcome !== "held", reply.sentMs);
    this.#handled = "";
    this.#passed = asText(passed);
    return { outcome: asText(outcome), newest: asText(newest), entries: entries.map(readReply) };
  }

  async #settle(leaseMs = this.#leaseMs): Promise<void> {
    const { value, sentMs } = await this.#run(this.#settleScript, leaseMs);
    this.#noteLease(asInteger(value) === 1, sentMs);
  }

  /** Runs a script that settles what was handled. */
  async #run(script: Script, leaseMs: number, ...more: readonly (string | number)[]) {
    const sentMs = performance.now();
    const { redis, name } = this.#options;
    const value = await redis.run(script, [name, this.#replica, leaseMs, this.#handled, ...more]);
    this.#settledMs = performance.now();
    return { value, sentMs };
  }

  #noteLease(isOurs: boolean, sentMs: number): void {
    this.#leaseEndsMs = isOurs ? sentMs + this.#leaseMs : 0;
  }

  /** While a handler takes long. */
  #renew(): void {
    const nowMs = performance.now();
    if (nowMs > this.#leaseEndsMs || nowMs - this.#settledMs < this.#renewMs) return;
    // What fails here fails in the next round again, and is said there.
    this.#settle().catch(() => {});
  }

  /** Hands an entry on until it is handled; false where it is no longer ours before that. */
  async #pass(entry: Entry): Promise<boolean> {
    for (let failures = 1; !this.#rounds.isStopping && performance.now() < this.#leaseEndsMs; failures += 1) {
      if (await this.#attempt(entry)) {
        if (performance.now() - this.#settledMs > SETTLE_MS) await this.#settle();
        return true;
      }
      await this.#rounds.pauseAfter(failures);
    }
    return false;
  }

  async #attempt([id, fields]: Entry): Promise<boolean> {
    try {
      const events = readEntry([id, fields], "0-0");
      await this.#countLost(events);
      await this.#options.handle(events);
    } catch (error) {
      if (!this.#isFailing && !this.#rounds.isStopping)
        this.#log.error({ err: error, event: id }, "events can't be handled: trying again");
      this.#isFailing = true;
      return false;
    }
    this.#isFailing = false;
    this.#passed = this.#handled = id;
    return true;
  }

  async #countLost([first]: readonly Change[]): Promise<void> {
    if (!first) return;
    const lost = numberOf(first.id) - numberOf(this.#passed) - 1;
    if (lost <= 0) return;
    await this.#options.lost?.(lost);
    this.#log.error({ lost }, "events were no longer kept when a reader came to them");
    this.#passed = `${msOf(first.id)}-${numberOf(first.id) - 1}`;
  }
}

function readReply(reply: unknown): Entry {
  const [id, fields] = asList(reply);
  return [asText(id), asList(fields).map(asText)];
}
