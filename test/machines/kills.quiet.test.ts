/** A small part of what `bun run kills --makers` does: each kind of maker, each replica and Redis is killed once. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DEFAULT_SEED } from "../kills/rounds.ts";
import { killMakers } from "../kills/makers.ts";
import { findOverlaps } from "../kills/workers/makings.ts";
import { TestRedis } from "../support/redis.ts";
import { stopServers } from "../support/server.ts";

setDefaultTimeout(120_000);

let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
  redis = undefined;
});

test("whoever is killed, each call is answered once with its own result, and none is made twice at once", async () => {
  redis = await TestRedis.start();
  const { kills, calls, made, retries, violations } = await killMakers({ redis, rounds: 6, seed: DEFAULT_SEED });
  expect(violations).toEqual([]);
  // Not vacuous: each was killed, and all of them had made orders.
  expect(Object.values(kills)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(calls).toBeGreaterThan(50);
  expect(Math.min(...Object.values(made))).toBeGreaterThan(6);
  expect(retries).toBeGreaterThan(0);
});

describe("the judge", () => {
  const making = (pid: number, beginMs: number, endMs?: number) => ({ kind: "client", pid, beginMs, endMs }) as const;

  test.each([
    ["one after the other", [making(1, 10, 20), making(2, 20, 30)], []],
    ["one that was killed, and then another", [making(3, 10), making(2, 15, 30)], []],
    ["two at once", [making(1, 10, 20), making(2, 19, 30)], ["id: client 2 began it while client 1 made it"]],
    ["another before the kill", [making(3, 10), making(2, 14, 30)], ["id: client 2 began it while client 3 made it"]],
    ["one that never ended", [making(1, 10)], ["id: client 1 began it and never ended it"]],
  ])("of %s", (_what, makings, faults) => {
    expect(findOverlaps(new Map([["id", makings]]), new Map([[3, 15]]))).toEqual(faults);
  });
});
