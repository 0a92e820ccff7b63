/**
 * Owns the counting of what happens in the shop: from time to time, and whenever stats are read, the events that were
 * not counted yet are.
 *
 * It is a script that reads the stream where it is: what a replica would be sent costs more than to count it. The
 * script notes the last event that it counted in the same step. So no event counts twice, whichever replica counts, and
 * whatever dies.
 *
 * To count an order costs about a tenth of what it costs to serve it. So `lazy` counting is bounded: in a long rush
 * some events are trimmed before it comes to them. `on` counts all: its loop rests between its calls, unless so many
 * wait that some could be trimmed.
 *
 * **Invariants**
 * - Any number of replicas, and those who read stats, may count at once.
 * - Each call of the script is bounded, and so is a round of calls.
 * - Events that were trimmed before they were counted are logged.
 */
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import { asInteger, asList } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { shareReads } from "../shared-reads.ts";
import { BUCKET_GROWTH } from "./histogram.ts";

/** At 10,000 orders a second, 30,000 events come meanwhile. */
const EVERY_MS = 1000;
/** What lazy counting does at most: 20,000 events a minute, which is a thousandth of Redis' time. */
const LAZY_EVERY_MS = 60_000;
const LAZY_CALLS = 20;
const KEPT_DAYS = 400;
const KEPT_MS = KEPT_DAYS * 86_400_000;
/** Redis serves no other call while it counts them: about 2 ms. */
const MAX_EVENTS = 1000;
/** After a call the loop rests for so many times as long as it took. */
const REST_FACTOR = 20;
const MAX_REST_MS = 200;
/** Where more than so many wait it does not: the stream keeps 100,000. */
const MAX_LEFT = 40_000;
/** As many as count a whole stream. */
const MAX_CALLS = 150;

/** `lazy`: as much as costs nothing. `on`: all of it. */
export type StatsMode = "lazy" | "on";

export class StatsCounter {
  readonly #run: RunScript;
  readonly #log: Log;
  readonly #script = loadScript("count-stats");
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #isFailing = false;

  /** Counts all events there are, or as many as a round may. Rejects where Redis does not answer. */
  readonly countAll = shareReads(() => this.#count({ restFactor: 0, maxCalls: MAX_CALLS }));

  /** Begins to count. */
  constructor(run: RunScript, log: Log, mode: StatsMode) {
    this.#run = run;
    this.#log = log;
    const isLazy = mode === "lazy";
    const round = { restFactor: REST_FACTOR, maxCalls: isLazy ? LAZY_CALLS : MAX_CALLS };
    this.#ended = this.#loop(isLazy ? LAZY_EVERY_MS : EVERY_MS, round);
  }

  /** No further call begins; resolves once the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #loop(everyMs: number, round: Round): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#attempt(round);
      await pause(everyMs, signal);
    }
  }

  async #attempt(round: Round): Promise<void> {
    try {
      await this.#count(round);
      this.#isFailing = false;
    } catch (error) {
      // An outage is logged by itself.
      if (this.#isFailing || this.#stopping.signal.aborted || isRedisUnavailable(error)) return;
      this.#isFailing = true;
      this.#log.error({ err: error }, "stats can't be counted: trying again");
    }
  }

  async #count({ restFactor, maxCalls }: Round): Promise<void> {
    const { signal } = this.#stopping;
    for (let calls = 0; calls < maxCalls && !signal.aborted; calls += 1) {
      const begunAt = performance.now();
      const left = await this.#countSome();
      if (left === undefined) return;
      const isPressed = maxCalls === MAX_CALLS && left > MAX_LEFT;
      const restMs = isPressed ? 0 : Math.min(restFactor * (performance.now() - begunAt), MAX_REST_MS);
      if (restMs > 0) await pause(restMs, signal);
    }
  }

  /** Resolves to how many events are left; undefined: none. */
  async #countSome(): Promise<number | undefined> {
    const reply = await this.#run(this.#script, [BUCKET_GROWTH, KEPT_MS, MAX_EVENTS]);
    const [hasMore, lost, left] = asList(reply).map(asInteger);
    if (lost) this.#log.error({ lost }, "events were no longer kept when stats came to count them");
    return hasMore ? left : undefined;
  }
}

/** How the calls of a round go on. */
interface Round {
  /** After a call it rests for so many times as long as that took. */
  readonly restFactor: number;
  readonly maxCalls: number;
}
