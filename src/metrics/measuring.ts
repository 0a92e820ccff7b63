/**
 * Owns how figures that only Redis has are read for scrapes.
 *
 * **Invariants**
 * - Scrapes that come close together share a reading: Redis is asked once in KEPT_MS at most.
 * - A scrape waits for it for MEASURE_MS at most.
 * - Failures in a row are reported once; an outage is logged by itself.
 */
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { keepReads } from "../shared-reads.ts";
import { within } from "../within.ts";

const KEPT_MS = 1000;
/** Prometheus waits 10 s for a scrape. */
const MEASURE_MS = 2000;

/** Makes the measuring; undefined: Redis does not answer in time, or the figures can't be read. */
export function createMeasuring<Measure>(
  read: () => Promise<Measure>,
  report: (error: unknown) => void,
): () => Promise<Measure | undefined> {
  let isFailing = false;
  const measure = keepReads(
    async () => {
      try {
        const measured = await read();
        isFailing = false;
        return measured;
      } catch (error) {
        if (!isFailing && !isRedisUnavailable(error)) report(error);
        isFailing = true;
        return undefined;
      }
    },
    { keptMs: KEPT_MS, changes: () => 0 },
  );
  return () => within(MEASURE_MS, measure());
}
