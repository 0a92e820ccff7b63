/**
 * Owns the counting of what happens in the shop: every second, and whenever stats are read, the events that were not
 * counted yet are.
 *
 * It is a script that reads the stream where it is: what a replica would be sent costs more than to count it. The script
 * notes the last event that it counted in the same step. So whoever counts, and whatever dies, no event counts twice.
 *
 * **Invariants**
 * - Any number of replicas may count at once; on a replica one call at a time does.
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

/** At 10,000 orders a second, 30,000 events come meanwhile; the stream keeps 100,000. */
const EVERY_MS = 1000;
const KEPT_DAYS = 400;
const KEPT_MS = KEPT_DAYS * 86_400_000;
/** Redis serves no other call while it counts them: about 2 ms. */
const MAX_EVENTS = 1000;
/** As many as count a whole stream. */
const MAX_CALLS = 150;

export class StatsCounter {
  readonly #run: RunScript;
  readonly #log: Log;
  readonly #script = loadScript("count-stats");
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #isFailing = false;

  /** Counts all events there are, or as many as a round may. Rejects where Redis does not answer. */
  readonly countAll = shareReads(() => this.#countAll());

  /** Begins to count. */
  constructor(run: RunScript, log: Log) {
    this.#run = run;
    this.#log = log;
    this.#ended = this.#loop();
  }

  /** No further call begins; resolves once the one under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#attempt();
      await pause(EVERY_MS, signal);
    }
  }

  async #attempt(): Promise<void> {
    try {
      await this.countAll();
      this.#isFailing = false;
    } catch (error) {
      // An outage is logged by itself.
      if (this.#isFailing || this.#stopping.signal.aborted || isRedisUnavailable(error)) return;
      this.#isFailing = true;
      this.#log.error({ err: error }, "stats can't be counted: trying again");
    }
  }

  async #countAll(): Promise<void> {
    for (let calls = 0; calls < MAX_CALLS && !this.#stopping.signal.aborted; calls += 1) {
      const [hasMore, lost] = asList(await this.#run(this.#script, [BUCKET_GROWTH, KEPT_MS, MAX_EVENTS])).map(
        asInteger,
      );
      if (lost) this.#log.error({ lost }, "events were no longer kept when stats came to count them");
      if (!hasMore) return;
    }
  }
}
