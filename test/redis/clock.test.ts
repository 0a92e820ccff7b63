/** Owns the tests of redis/lib/clock.lua: the times that orders show, on days that no test can wait for. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SCRIPT_HEAD } from "../../src/redis/script.ts";
import { sharedRedis } from "../support/redis.ts";

const CLOCK = "redis.call('TIME')";
const clock = readFileSync(join(import.meta.dir, "../../redis/lib/clock.lua"), "utf8");
/** The library by another clock, and what scripts make of it. */
const source = `${SCRIPT_HEAD}${clock.replace(CLOCK, "{ ARGV[1], ARGV[2] }")}\nreturn { now, date, string.format('%.0f', now_ms) }`;

let client: Redis;
beforeAll(async () => {
  client = (await sharedRedis()).connect();
});
afterAll(() => client.disconnect());

/** What it makes of a time: as RFC 3339, its date, and ms since 1970. */
async function readClock(ms: number, micros = 0): Promise<unknown> {
  // In two strings, as Redis gives it: seconds, and microseconds of the next one.
  return await client.eval(source, 1, "{test}:", String(Math.floor(ms / 1000)), String((ms % 1000) * 1000 + micros));
}

function byJavaScript(ms: number): unknown {
  const text = new Date(ms).toISOString();
  return [text, text.slice(0, 10), String(ms)];
}

test("it asks for the time once", () => {
  expect(clock.split(CLOCK)).toHaveLength(2);
});

test.each([
  "1970-01-01T00:00:00.000Z",
  "1999-12-31T23:59:59.999Z",
  "2000-02-29T12:00:00.000Z",
  "2024-02-28T23:59:59.999Z",
  "2024-02-29T00:00:00.000Z",
  "2024-03-01T00:00:00.001Z",
  "2026-11-09T09:09:09.009Z",
  "2027-01-01T00:00:00.000Z",
  "2100-02-28T23:59:59.999Z",
  "2100-03-01T00:00:00.000Z",
])("%s is shown as it is", async (text) => {
  expect(await readClock(Date.parse(text))).toEqual([text, text.slice(0, 10), String(Date.parse(text))]);
});

test("any time until 2200 is shown as JavaScript shows it, whatever its microseconds", async () => {
  const time = fc.integer({ min: 0, max: Date.parse("2200-01-01T00:00:00Z") });
  await fc.assert(
    fc.asyncProperty(time, fc.nat(999), async (ms, micros) => {
      expect(await readClock(ms, micros)).toEqual(byJavaScript(ms));
    }),
    { numRuns: 500 },
  );
});

test("the first and the last millisecond of each day of four years are shown", async () => {
  const DAY_MS = 86_400_000;
  const days = Array.from({ length: 4 * 366 }, (_, day) => Date.parse("2026-01-01T00:00:00Z") + day * DAY_MS);
  const times = days.flatMap((ms) => [ms, ms + DAY_MS - 1]);
  expect(await Promise.all(times.map((ms) => readClock(ms)))).toEqual(times.map(byJavaScript));
});
