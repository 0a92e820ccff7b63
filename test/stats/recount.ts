/**
 * Owns the recount: what stats have to say, worked out anew from all events of a shop and its orders, as a listener has
 * them.
 *
 * **Invariants**
 * - It shares nothing with what counts: no script, no bucket. Times are exact here.
 */
import { expect } from "bun:test";
import type { Redis } from "ioredis";
import { readEntry } from "../../src/events/event.ts";
import { MAX_ERROR } from "../../src/stats/histogram.ts";
import type { Figures } from "../../src/stats/tally.ts";

/** What an event says of its order, as far as it is counted. */
interface Data {
  readonly item?: string;
  readonly queue?: string;
  readonly price?: number;
  readonly payment_kind?: string;
  readonly not_before?: string;
  readonly placed_at?: string;
  readonly attempts?: number;
  readonly reason?: string;
  readonly barista?: string;
  readonly started_at?: string;
  readonly finished_at?: string;
  readonly payment?: { readonly amount: number; readonly refunded_amount?: number; readonly captured_at?: string };
}

export interface Happened {
  readonly ms: number;
  readonly type: string;
  readonly data: Data;
}

/** All that happened, from the stream and the records. */
export async function readAll(client: Redis, prefix: string): Promise<Happened[]> {
  const happened: Happened[] = [];
  for (const entry of await client.xrange(`${prefix}events`, "-", "+")) {
    for (const { id, type, orderId, members } of readEntry(entry, "0-0")) {
      const record = orderId === "" ? null : await client.get(`${prefix}order:${orderId}`);
      const fixed = record?.split("\n").at(-1);
      const data = JSON.parse(`{${[fixed, members].filter(Boolean).join()}}`) as Data;
      happened.push({ ms: Number.parseInt(id, 10), type, data });
    }
  }
  return happened;
}

export interface Recounted extends Omit<Figures, "wait" | "brew"> {
  readonly waitsMs: readonly number[];
  readonly brewsMs: readonly number[];
}

const REASONS = [
  "customer",
  "barista",
  "customer_timeout",
  "barista_timeout",
  "payment_failed",
  "machine_error",
] as const;
const PLACED = ["order.placed", "order.unpaid", "order.scheduled"];

/** Whether it counts: it is of an order of the counter for which something was chosen. */
const isCounted = ({ type, data }: Happened): boolean =>
  data.item !== undefined && !(type === "order.scheduled" && data.payment_kind !== undefined);

export function recount(all: readonly Happened[]): Recounted {
  const events = all.filter(isCounted);
  const of = (...types: readonly string[]): Data[] =>
    events.filter(({ type }) => types.includes(type)).map(({ data }) => data);
  const sum = (numbers: readonly (number | undefined)[]): number =>
    numbers.reduce<number>((total, number) => total + (number ?? 0), 0);
  const between = (from: string | undefined, to: string | undefined): number =>
    Date.parse(String(to)) - Date.parse(String(from));
  const finished = of("order.finished");
  const cancelled = of("order.cancelled");
  const refunded = of("payment.refunded").filter(({ payment }) => payment?.captured_at !== undefined);
  return {
    placed: of(...PLACED).length,
    completed: finished.length,
    cancelled: Object.fromEntries(
      REASONS.map((each) => [each, cancelled.filter(({ reason }) => reason === each).length]),
    ) as Figures["cancelled"],
    revenue: sum(finished.map(({ price }) => price)),
    payments: {
      captured: sum(of("payment.captured", "payment.taken").map(({ payment }) => payment?.amount)),
      refunded: sum(refunded.map(({ payment }) => payment?.refunded_amount)),
    },
    waitsMs: of("order.started")
      .filter(({ attempts }) => attempts === 1)
      .map(({ not_before, placed_at, started_at }) => Math.max(0, between(not_before ?? placed_at, started_at))),
    brewsMs: finished.map(({ started_at, finished_at }) => between(started_at, finished_at)),
  };
}

/** The same figures; quantiles within the bound that is promised. */
export function expectFigures(figures: Figures, { waitsMs, brewsMs, ...counts }: Recounted): void {
  const { wait, brew, ...counted } = figures;
  expect(counted).toEqual(counts);
  expectTimes(wait, waitsMs);
  expectTimes(brew, brewsMs);
}

function expectTimes({ count, median_seconds, p95_seconds }: Figures["wait"], timesMs: readonly number[]): void {
  expect(count).toBe(timesMs.length);
  const sorted = timesMs.toSorted((one, other) => one - other);
  for (const [seconds, share] of [
    [median_seconds, 0.5],
    [p95_seconds, 0.95],
  ] as const) {
    const exactMs = sorted[Math.ceil(share * sorted.length) - 1];
    if (exactMs === undefined) expect(seconds).toBeNull();
    // (Stats have whole milliseconds.)
    else expect(Math.abs(Number(seconds) * 1000 - exactMs)).toBeLessThanOrEqual(exactMs * MAX_ERROR + 0.5);
  }
}
