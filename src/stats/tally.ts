/**
 * Owns what was counted of some orders, and the figures that answers show of it.
 *
 * **Invariants**
 * - Tallies add up: that of a day is the sum of its hours'.
 */
import { Type, type Static } from "@sinclair/typebox";
import { CANCEL_REASONS, type CancelReason } from "../orders/order.ts";
import { countOf, quantileMs, type Histogram } from "./histogram.ts";

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Seconds = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description: `${description}; null where there is none` });

const TIMES_EXAMPLE = { count: 41, median_seconds: 38.264, p95_seconds: 112.704 };

/** Quantiles of times: at most 5 % off. */
const Times = Type.Object(
  { count: Count("how many"), median_seconds: Seconds("half were shorter"), p95_seconds: Seconds("95 % were shorter") },
  { $id: "StatsTimes", additionalProperties: false, examples: [TIMES_EXAMPLE] },
);

export const FIGURES_EXAMPLE = {
  placed: 44,
  completed: 41,
  cancelled: {
    customer: 2,
    barista: 1,
    customer_timeout: 0,
    barista_timeout: 0,
    payment_failed: 0,
    machine_error: 0,
  },
  revenue: 14_350,
  payments: { captured: 14_350, refunded: 0 },
  wait: TIMES_EXAMPLE,
  brew: { count: 41, median_seconds: 41.888, p95_seconds: 60.976 },
};

export const Figures = Type.Object(
  {
    placed: Count("orders placed, also those that are to be paid first, or for later"),
    completed: Count("orders that became ready"),
    cancelled: Type.Object(
      Object.fromEntries(CANCEL_REASONS.map((reason) => [reason, Count(reason)])) as Record<
        CancelReason,
        ReturnType<typeof Count>
      >,
      { additionalProperties: false, description: "orders cancelled, by reason" },
    ),
    revenue: Count("cents: prices of the completed orders"),
    payments: Type.Object(
      { captured: Count("cents taken"), refunded: Count("cents given back") },
      { additionalProperties: false, description: "what was paid for orders" },
    ),
    wait: Times,
    brew: Times,
  },
  { $id: "StatsFigures", additionalProperties: false, examples: [FIGURES_EXAMPLE] },
);
export type Figures = Static<typeof Figures>;

/** A count as it is kept: its name and number. Buckets are named by a letter and a number. */
const COUNT = /(\S+)=(\d+)/g;
const BUCKET = /^([wb])(\d+)$/;

export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #histograms = { w: new Map<number, number>(), b: new Map<number, number>() };

  /** Adds what was counted, as `redis/lib/stats.lua` keeps it. */
  add(text: string): void {
    for (const [, name = "", number] of text.matchAll(COUNT)) {
      const [, letter, bucket] = BUCKET.exec(name) ?? [];
      if (letter === "w" || letter === "b") increase(this.#histograms[letter], Number(bucket), Number(number));
      else increase(this.#counts, name, Number(number));
    }
  }

  /** Adds another tally. */
  addAll(other: Tally): void {
    for (const [name, number] of other.#counts) increase(this.#counts, name, number);
    for (const letter of ["w", "b"] as const) {
      for (const [bucket, number] of other.#histograms[letter]) increase(this.#histograms[letter], bucket, number);
    }
  }

  /** How many orders it is about, for a ranking. */
  get weight(): number {
    return this.#count("placed") + this.#count("completed");
  }

  get figures(): Figures {
    const reasons = CANCEL_REASONS.map((reason) => [reason, this.#count(`cancelled.${reason}`)] as const);
    return {
      placed: this.#count("placed"),
      completed: this.#count("completed"),
      cancelled: Object.fromEntries(reasons) as Figures["cancelled"],
      revenue: this.#count("revenue"),
      payments: { captured: this.#count("captured"), refunded: this.#count("refunded") },
      wait: timesOf(this.#histograms.w),
      brew: timesOf(this.#histograms.b),
    };
  }

  #count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
}

function increase<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function timesOf(histogram: Histogram): Figures["wait"] {
  return {
    count: countOf(histogram),
    median_seconds: secondsOf(quantileMs(histogram, 0.5)),
    p95_seconds: secondsOf(quantileMs(histogram, 0.95)),
  };
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms) / 1000;
}
