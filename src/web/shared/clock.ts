/**
 * Owns the shop's time on a device whose own clock may be wrong, and how spans of it are worded.
 *
 * **Invariants**
 * - An age is that of the shop's clock, never less than zero.
 */

/** A Date header is cut to the second, and may be a second old: less than this is no difference. */
const TOLERANCE_MS = 2000;

export type ShopClock = ReturnType<typeof createShopClock>;

export function createShopClock(readMs: () => number = Date.now) {
  let aheadMs = 0;
  return {
    /** The shop's time, ms since 1970. */
    now: (): number => readMs() + aheadMs,

    /** Learns from the Date header of an answer. */
    learn(date: string | null): void {
      const serverMs = Date.parse(date ?? "");
      if (Number.isNaN(serverMs)) return;
      const differenceMs = serverMs + 500 - readMs();
      aheadMs = Math.abs(differenceMs) < TOLERANCE_MS ? 0 : differenceMs;
    },
  };
}

/** How pressing an age is. */
export type Urgency = "fresh" | "late" | "overdue";

const LATE_SECONDS = 120;
const OVERDUE_SECONDS = 300;

export function urgencyOf(ageSeconds: number): Urgency {
  if (ageSeconds >= OVERDUE_SECONDS) return "overdue";
  return ageSeconds >= LATE_SECONDS ? "late" : "fresh";
}

/** Since when an order waits: since it was placed, or since the time that it was scheduled for. */
export function waitsSince({
  placed_at,
  not_before,
}: {
  readonly placed_at: string;
  readonly not_before?: string;
}): string {
  return not_before ?? placed_at;
}

/** Whole seconds from a time (RFC 3339) until `nowMs`. */
export function secondsSince(time: string, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1000));
}

/** A span as a watch shows it: 0:07, 12:30, 1:02:09. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const rest = two(whole % 60);
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "numeric", minute: "2-digit" });

/** A time to come (RFC 3339), at most days ahead: 14:30, or Mon, 14:30. */
export function formatTime(time: string, nowMs: number): string {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(nowMs).toDateString();
  return (isToday ? TIME : DAY_AND_TIME).format(date);
}

/** A span as it is said: "7 seconds", "12 minutes". */
export function saySpan(seconds: number): string {
  const [count, unit] = seconds < 60 ? [Math.floor(seconds), "second"] : [Math.floor(seconds / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
