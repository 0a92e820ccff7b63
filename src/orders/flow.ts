/**
 * Owns what became of orders by this server: its events, and how long orders waited, took, and were on their way to
 * their customers.
 *
 * A run says how many events it has, and when it ran. So what is answered a second time is not counted twice: an order
 * that was started or finished by an earlier run shows another time.
 *
 * **Invariants**
 * - A line is looked at once, and never parsed as JSON.
 * - Queues that this server does not declare share one name.
 */
import { Histogram, LONG_SECONDS, SHORT_SECONDS } from "../histogram.ts";
import { DEFAULT_QUEUE } from "../queue-settings.ts";
import type { AnsweredRun } from "../redis/group-commit.ts";
import { Tally } from "../tally.ts";

/** The name of all queues that are not declared here. */
const OTHER_QUEUES = "other";

/** What never changes of an order for machines begins so (`redis/operations/call.lua`). */
const NAMES_QUEUE = /^\w+\t\{"order_id":"[^"]*","number":\d+,"queue":"([\w-]+)"/;
const COMMIT_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** A time as orders show it, 2026-11-20T09:30:00.120Z. */
const TIME_LENGTH = 24;
/** Stands behind the time placed of an order that is started for the first time. */
const FIRST_START = '","status":"brewing","attempts":1,';
const NOT_BEFORE = '"not_before":"';
const FINISHED_AT = '"finished_at":"';

export class Flow {
  /** By type, and for cancelled ones by reason: `order.cancelled customer`. */
  readonly events = new Tally();
  /** From placed, or from the time that it was scheduled for, to first started; by queue. */
  readonly waits: ReadonlyMap<string, Histogram>;
  /** From started to finished; by queue. */
  readonly brews: ReadonlyMap<string, Histogram>;
  /** From final to the answer of a customer who was held then. */
  readonly notifications = new Histogram(SHORT_SECONDS);
  /** From sending a run to its answer, outages included. */
  readonly commitSeconds = new Histogram(SHORT_SECONDS);
  /** How many operations travelled in a run. */
  readonly commitSizes = new Histogram(COMMIT_SIZES);

  /** `queues`: those of machines that this server declares. */
  constructor(queues: readonly string[] = []) {
    const names = [DEFAULT_QUEUE, ...queues, OTHER_QUEUES];
    const byQueue = () => new Map(names.map((name) => [name, new Histogram(LONG_SECONDS)]));
    this.waits = byQueue();
    this.brews = byQueue();
  }

  /** Notes the answer of a run: a line an operation, and what the run says of itself. */
  note({ lines, operations, sentAtMs }: AnsweredRun): void {
    this.commitSeconds.observe((performance.now() - sentAtMs) / 1000);
    this.commitSizes.observe(operations);
    // (Behind the last line break there is nothing.)
    const told = lines.at(-2) ?? "";
    if (!told.startsWith("told\t")) return;
    const [, now = "", ...events] = told.split("\t");
    for (const counted of events) {
      const at = counted.indexOf(" ");
      this.events.add(counted.slice(at + 1), Number(counted.slice(0, at)));
    }
    const run = { nowMs: Date.parse(now), started: `"started_at":"${now}"`, finished: `","finished_at":"${now}"` };
    for (const line of lines) {
      if (line.startsWith("started\t")) this.#noteStart(line, run);
      else if (line.startsWith("finished\t")) this.#noteFinish(line, run);
    }
  }

  /** Notes that a customer gets the end of their order. `heldAtMs`: since when they waited (ms since 1970). */
  noteAnswer(order: string, heldAtMs: number): void {
    const at = order.indexOf(FINISHED_AT);
    if (at < 0) return;
    const finishedMs = timeBehind(order, at + FINISHED_AT.length);
    // One who came too late was not waiting then; and Redis's clock may be ahead of ours.
    if (finishedMs >= heldAtMs) this.notifications.observe(Math.max(0, Date.now() - finishedMs) / 1000);
  }

  #noteStart(line: string, { nowMs, started }: RunTime): void {
    const end = line.indexOf(FIRST_START);
    if (end < 0 || !line.includes(started, end)) return;
    // What never changes ends with the time placed; a time that it was scheduled for stands before.
    const placedMs = Date.parse(line.slice(end - TIME_LENGTH, end));
    const dueAt = line.lastIndexOf(NOT_BEFORE, end);
    const dueMs = dueAt < 0 ? 0 : timeBehind(line, dueAt + NOT_BEFORE.length);
    observe(this.waits, line, nowMs - (dueMs > placedMs ? dueMs : placedMs));
  }

  #noteFinish(line: string, { nowMs, finished }: RunTime): void {
    const end = line.indexOf(finished);
    if (end >= 0) observe(this.brews, line, nowMs - Date.parse(line.slice(end - TIME_LENGTH, end)));
  }
}

/** When a run ran, and what an order shows that it started or finished. */
interface RunTime {
  readonly nowMs: number;
  readonly started: string;
  readonly finished: string;
}

function observe(histograms: ReadonlyMap<string, Histogram>, line: string, ms: number): void {
  // (Not a number where a record was put right by hand.)
  if (!(ms >= 0)) return;
  const queue = NAMES_QUEUE.exec(line)?.[1] ?? DEFAULT_QUEUE;
  (histograms.get(queue) ?? histograms.get(OTHER_QUEUES))?.observe(ms / 1000);
}

/** The time that begins there and ends with a quote, ms since 1970; not a number where there is none. */
function timeBehind(text: string, start: number): number {
  return Date.parse(text.slice(start, text.indexOf('"', start)));
}
