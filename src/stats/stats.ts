/**
 * Owns the reading of stats: what was counted in a range of hours, in all and by hour, day, drink or barista.
 *
 * **Invariants**
 * - Redis answers a bounded number of hours a call, and two readers at a time are served.
 * - Rows are bounded: of drinks and baristas beyond the greatest, one row has all others.
 */
import { msOf } from "../events/event.ts";
import { ReadThrottle } from "../events/read-throttle.ts";
import { asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import { Tally, type Figures } from "./tally.ts";

const HOUR_MS = 3_600_000;
/** Four days, with at most 102 names an hour: Redis serves no other call for a few ms. */
const HOURS_A_CALL = 96;
/** Of drinks or baristas. */
const MAX_ROWS = 200;
/** Of those, how many keep their name while they are added up. */
const MAX_NAMES = 10_000;
/** The name of all others. */
const OTHER = "other";

export const GROUPINGS = ["hour", "day", "drink", "barista"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface StatsWanted {
  /** Full hours, ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly by: Grouping | undefined;
}

export interface StatsRow {
  /** An hour as a time, a day as a date, a coffee's id, or a barista. */
  readonly name: string;
  readonly figures: Figures;
}

export interface Stats {
  /** When the last event was that is counted; null: none was. */
  readonly countedMs: number | null;
  readonly total: Figures;
  readonly rows: readonly StatsRow[];
}

/** One field of an hour. */
interface Entry {
  readonly hourMs: number;
  readonly kind: string;
  readonly name: string;
  readonly counted: string;
}

/** `countAll` is called before anything is read. */
export function createReadStats(run: RunScript, countAll: () => Promise<void>) {
  const script = loadScript("read-stats");
  const throttle = new ReadThrottle();

  /** What was counted in these hours, and the last event that is counted. */
  const readHours = async (
    hours: readonly number[],
    hasMore: boolean,
  ): Promise<readonly [string, readonly Entry[]]> => {
    const read = (): Promise<unknown> => run(script, hours.map(hourName));
    const [counted = "", ...lines] = asText(await throttle.run(read, () => hasMore)).split("\n");
    return [counted, lines.map((line) => readEntry(line, hours))];
  };

  return async ({ fromMs, toMs, by }: StatsWanted): Promise<Stats> => {
    await countAll();
    const total = new Tally();
    const rows = new Map<string, Tally>();
    const hours = hoursOf(fromMs, toMs);
    let counted = "";
    // (Of no hour at all, too, there is a last event.)
    for (let at = 0; at === 0 || at < hours.length; at += HOURS_A_CALL) {
      const end = at + HOURS_A_CALL;
      const [last, entries] = await readHours(hours.slice(at, end), end < hours.length);
      counted = last;
      for (const entry of entries) {
        if (entry.kind === "drink") total.add(entry.counted);
        const name = by && nameOf(entry, by);
        if (name !== undefined) tallyOf(rows, name).add(entry.counted);
      }
    }
    const countedMs = counted === "" ? null : msOf(counted);
    return { countedMs, total: total.figures, rows: by === undefined ? [] : rank(fill(rows, hours, by), by) };
  };
}

/** Those that have begun. */
function hoursOf(fromMs: number, toMs: number): number[] {
  const count = Math.ceil((Math.min(toMs, Date.now()) - fromMs) / HOUR_MS);
  return Array.from({ length: Math.max(count, 0) }, (_, at) => fromMs + at * HOUR_MS);
}

/** 2026-11-20T09 */
function hourName(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13);
}

function readEntry(line: string, hours: readonly number[]): Entry {
  const [index, field = "", counted = ""] = line.split("\t");
  const colon = field.indexOf(":");
  const [kind, name] = colon < 0 ? [field, ""] : [field.slice(0, colon), field.slice(colon + 1)];
  return { hourMs: hours[Number(index) - 1] ?? 0, kind, name, counted };
}

/** The row that an entry belongs to; undefined: to none. */
function nameOf({ hourMs, kind, name }: Entry, by: Grouping): string | undefined {
  if (by === "barista") return kind === by ? (name === "" ? OTHER : (JSON.parse(name) as string)) : undefined;
  if (kind !== "drink") return undefined;
  if (by === "drink") return name === "" ? OTHER : name;
  return timeName(hourMs, by);
}

function timeName(hourMs: number, by: "hour" | "day"): string {
  const time = new Date(hourMs).toISOString();
  return by === "day" ? time.slice(0, 10) : time;
}

function tallyOf(rows: Map<string, Tally>, wanted: string): Tally {
  const name = rows.has(wanted) || rows.size < MAX_NAMES ? wanted : OTHER;
  const tally = rows.get(name) ?? new Tally();
  rows.set(name, tally);
  return tally;
}

/** Each hour or day has a row, also where nothing happened. */
function fill(rows: Map<string, Tally>, hours: readonly number[], by: Grouping): ReadonlyMap<string, Tally> {
  if (by === "hour" || by === "day") for (const hourMs of hours) tallyOf(rows, timeName(hourMs, by));
  return rows;
}

/** Hours and days in their order; drinks and baristas from the greatest, and all others last. */
function rank(rows: ReadonlyMap<string, Tally>, by: Grouping): StatsRow[] {
  const toRow = ([name, { figures }]: [string, Tally]): StatsRow => ({ name, figures });
  const named = [...rows];
  if (by === "hour" || by === "day") return named.toSorted(([one], [other]) => (one < other ? -1 : 1)).map(toRow);
  const ranked = named.filter(([name]) => name !== OTHER).toSorted(([, one], [, other]) => other.weight - one.weight);
  const others = rows.get(OTHER) ?? new Tally();
  const rest = ranked.splice(MAX_ROWS);
  for (const [, tally] of rest) others.addAll(tally);
  const hasOthers = rest.length > 0 || rows.has(OTHER);
  return [...ranked, ...(hasOthers ? [[OTHER, others] satisfies [string, Tally]] : [])].map(toRow);
}
