/**
 * Owns which time a search means by a day.
 *
 * **Invariants**
 * - A day is one of UTC, and without any bound it is today.
 */
const DAY_MS = 86_400_000;

interface Bounds {
  readonly fromMs: number;
  readonly beforeMs: number;
}

/** A day, narrowed by `from` and `to`; those alone need no day. */
export function readRange({ date, from, to }: { date?: string; from?: string; to?: string }): Bounds {
  const isOneDay = date !== undefined || (from === undefined && to === undefined);
  const dayMs = isOneDay ? Date.parse(date ?? new Date().toISOString().slice(0, 10)) : 0;
  const dayEndMs = isOneDay ? dayMs + DAY_MS : Number.MAX_SAFE_INTEGER;
  return {
    fromMs: Math.max(dayMs, from === undefined ? 0 : Date.parse(from)),
    beforeMs: Math.min(dayEndMs, to === undefined ? dayEndMs : Date.parse(to)),
  };
}
