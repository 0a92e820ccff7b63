/**
 * Owns how an order's journey is shown: a step an event, with the time since the step before.
 *
 * **Invariants**
 * - What the order itself says is shown, also where its events are no longer kept.
 * - Steps are bounded: repeated ones are one step, with their count.
 */
import type { Order } from "../../../orders/order.ts";
import type { JourneyView } from "../../../orders/views.ts";
import { sayReason } from "./states.ts";

type Tone = "good" | "warn" | "bad" | "";

export interface Step {
  /** RFC 3339. */
  readonly time: string;
  readonly words: string;
  /** Who did it, or why. */
  readonly details: string;
  readonly tone: Tone;
  /** Seconds since the step before; undefined: it is the first. */
  readonly afterSeconds: number | undefined;
  /** How often it came one after the other. */
  readonly times: number;
}

interface Happening {
  readonly type: string;
  readonly time: string;
  readonly data: Partial<Order>;
}

const MAX_STEPS = 100;

const WORDS: Readonly<Record<string, readonly [string, Tone?]>> = {
  "order.reserved": ["Code redeemed, drink yet to be chosen"],
  "order.unpaid": ["Ordered, to be paid"],
  "order.placed": ["Ordered"],
  "order.scheduled": ["Ordered for later"],
  "order.queued": ["Came into the line"],
  "order.started": ["Started", "warn"],
  "order.finished": ["Ready", "good"],
  "order.failed": ["Could not be made", "bad"],
  "order.released": ["Put back", "warn"],
  "order.extended": ["Still on it"],
  "order.progressed": ["On its way"],
  "order.cancelled": ["Cancelled", "bad"],
  "payment.attempted": ["Card tried"],
  "payment.declined": ["Card refused", "bad"],
  "payment.authorised": ["Held on the card"],
  "payment.taken": ["Paid at the counter"],
  "payment.captured": ["Money taken from the card"],
  "payment.failed": ["Not paid", "bad"],
  "payment.refunding": ["Money is being given back", "warn"],
  "payment.refused": ["Giving back was refused", "bad"],
  "payment.refunded": ["Money given back"],
};

export function stepsOf({ order, events }: JourneyView): Step[] {
  const happened = [...(events as readonly Happening[]), ...missingOf(order, events)];
  const sorted = happened.toSorted((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  const steps: Step[] = [];
  let beforeMs: number | undefined;
  for (const happening of sorted) {
    const step = toStep(happening, beforeMs);
    const last = steps.at(-1);
    const isRepeated = last?.words === step.words && happening.type !== "order.started";
    if (isRepeated) steps[steps.length - 1] = { ...step, afterSeconds: last.afterSeconds, times: last.times + 1 };
    else steps.push(step);
    beforeMs = Date.parse(happening.time);
  }
  return steps.length > MAX_STEPS ? [...steps.slice(0, MAX_STEPS / 2), ...steps.slice(-MAX_STEPS / 2)] : steps;
}

/** What the order says of itself and no event says. */
function missingOf(order: Order, events: JourneyView["events"]): Happening[] {
  const types = new Set(events.map(({ type }) => type));
  const isBegun = ["order.reserved", "order.unpaid", "order.placed", "order.scheduled"].some((type) => types.has(type));
  const end = order.status === "ready" ? "order.finished" : "order.cancelled";
  const missing: (Happening | false)[] = [
    !isBegun && { type: "order.placed", time: order.placed_at, data: order },
    order.started_at !== undefined &&
      !types.has("order.started") && { type: "order.started", time: order.started_at, data: order },
    order.finished_at !== undefined && !types.has(end) && { type: end, time: order.finished_at, data: order },
  ];
  return missing.filter((happening) => happening !== false);
}

function toStep({ type, time, data }: Happening, beforeMs: number | undefined): Step {
  const [words, tone = ""] = WORDS[type] ?? [type];
  const afterSeconds = beforeMs === undefined ? undefined : Math.max(0, (Date.parse(time) - beforeMs) / 1000);
  return { time, words, details: detailsOf(type, data), tone, afterSeconds, times: 1 };
}

function detailsOf(type: string, { barista, attempts = 0, error, progress, reason }: Partial<Order>): string {
  switch (type) {
    case "order.started":
      return `by ${barista}${attempts > 1 ? `, attempt ${attempts}` : ""}`;
    case "order.failed":
      return error ?? "";
    case "order.cancelled":
      return [sayReason({ reason }), error].filter(Boolean).join(": ");
    case "order.progressed":
      return [progress?.percent !== undefined && `${progress.percent} %`, progress?.message].filter(Boolean).join(": ");
    default:
      return "";
  }
}

/** A span between two steps: at once, 0.4 s, 12 s, 3:05 min. */
export function sayPause(seconds: number): string {
  if (seconds < 0.05) return "at once";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${rest} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
