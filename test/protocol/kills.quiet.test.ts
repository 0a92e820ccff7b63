/**
 * A small part of what `bun run kills` does: Redis and replicas are killed under load, and no client notices.
 * And the judge itself: what goes wrong is a violation.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Ledger, violationsIn, type Remains } from "../kills/ledger.ts";
import { DEFAULT_SEED, runKills } from "../kills/rounds.ts";
import type { WireOrder } from "../support/http.ts";
import { stopServers } from "../support/server.ts";
import { TestRedis } from "../support/redis.ts";

setDefaultTimeout(120_000);

/** Its first victim is Redis. */
const REDIS_FIRST = 93_000;

let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
  redis = undefined;
});

test("whatever is killed, every order is made once, and answered to its customer", async () => {
  redis = await TestRedis.start();
  const report = await runKills({ redis, rounds: 6, seed: DEFAULT_SEED });
  expect(report.violations).toEqual([]);
  // Not vacuous: each of them was killed, and in the middle of something.
  expect(report.kills).toEqual({ Redis: 3, "replica A": 1, "replica B": 2 });
  expect(report.orders).toBeGreaterThan(100);
  expect(report.customersRetries).toBeGreaterThan(0);
  expect(report.baristasRetries).toBeGreaterThan(0);
});

/** What a Redis that forgets does to orders. Which of it one kill shows is chance. */
const LOSSES = [/^key .*: OrderRefused: No such order/, /^finish of .* 404 /, /: answered, and not kept$/];
const MAX_CAMPAIGNS = 4;

test("a Redis that writes nothing to disk is found out", async () => {
  redis = await TestRedis.start("--appendonly", "no");
  const found: string[] = [];
  const missing = () => LOSSES.filter((loss) => !found.some((line) => loss.test(line)));
  for (let campaign = 0; campaign < MAX_CAMPAIGNS && missing().length > 0; campaign++) {
    // (Who waits at a lane that has read its orders already hears of the loss after its next block, in half a minute.)
    const { kills, violations } = await runKills({ redis, rounds: 1, seed: REDIS_FIRST, timeoutMs: 5000 });
    expect(kills.Redis).toBe(1);
    found.push(...violations);
  }
  expect(missing()).toEqual([]);
});

describe("the judge", () => {
  const KEY = "0a1b2c3d-0000-4000-8000-000000000001";
  const START = { barista: "Grace", claim: "first" };
  const READY: WireOrder = {
    order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
    number: 1,
    item: "latte",
    price: 400,
    note: KEY,
    placed_at: "2026-11-20T09:30:00.120Z",
    status: "ready",
    attempts: 1,
    barista: "Grace",
    started_at: "2026-11-20T09:31:10.004Z",
    finished_at: "2026-11-20T09:31:40.004Z",
    result: { by: "Grace", n: 1 },
  };
  const ID = READY.order_id;
  const QUEUE = {
    queue: "default",
    depth: 0,
    brewing: 0,
    oldest_waiting_seconds: null,
    held: 0,
    damaged: 0,
    lease_seconds: 60,
  };
  const REMAINS: Remains = { stored: [ID], queues: [QUEUE, QUEUE] };

  /** One order, asked for twice, as it should go; its start was answered twice, as the first answer was lost. */
  function rightly(): Ledger {
    const ledger = new Ledger();
    ledger.visits.set(KEY, [READY, READY]);
    ledger.noteStart(ID, START);
    ledger.noteStart(ID, START);
    ledger.finishes.set(ID, { made: { by: "Grace", n: 1 }, answers: [READY] });
    return ledger;
  }

  const finishedWith = (n: number, answers: WireOrder[]) => (ledger: Ledger) =>
    ledger.finishes.set(ID, { made: { by: "Grace", n }, answers });
  const answered = (own: Partial<WireOrder>) => (ledger: Ledger) => {
    ledger.visits.set(KEY, [{ ...READY, ...own }]);
    finishedWith(1, [{ ...READY, ...own }])(ledger);
  };

  test("has nothing to say where all went well", () => {
    expect(violationsIn(rightly(), REMAINS)).toEqual([]);
  });

  test.each<[string, (ledger: Ledger) => unknown, string[]]>([
    ["a customer without an answer", (ledger) => ledger.visits.set("other", []), ["key other: no answer"]],
    ["a fault", (ledger) => ledger.faults.push("hung"), ["hung"]],
    [
      "another answer to the same key",
      (ledger) => ledger.visits.set(KEY, [READY, { ...READY, number: 2 }]),
      [`${ID}: answered differently when asked again`],
    ],
    [
      "one order for two customers",
      (ledger) => ledger.visits.set("other", [READY]),
      [`${ID}: another customer's`, `${ID}: answered under two keys`],
    ],
    ["a lost order", answered({ status: "cancelled", reason: "lost" }), [`${ID}: cancelled (lost)`]],
    ["an order that was made again", answered({ attempts: 2 }), [`${ID}: started 2 times`]],
    [
      "two who hold it",
      (ledger) => ledger.noteStart(ID, { barista: "Linus", claim: "his" }),
      [`${ID}: held by Grace under first and Linus under his`],
    ],
    [
      "two claims for it",
      (ledger) => ledger.noteStart(ID, { ...START, claim: "second" }),
      [`${ID}: held by Grace under first and Grace under second`],
    ],
    [
      "a thief who finishes it under their own name",
      answered({ barista: "Linus" }),
      [`${ID}: made by Linus, and Grace had it`],
    ],
    [
      "a thief who finishes it under the holder's name",
      finishedWith(2, [READY]),
      [`${ID}: its result is not what its barista sent`],
    ],
    ["a finish without an answer", finishedWith(1, []), [`${ID}: its barista got no answer`]],
    [
      "a finish with another answer",
      finishedWith(1, [{ ...READY, result: { by: "Grace", n: 2 } }]),
      [`${ID}: its barista was answered with something else`],
    ],
    ["no barista who finished it", (ledger) => ledger.finishes.delete(ID), [`${ID}: no barista finished it`]],
    ["no barista who started it", (ledger) => ledger.starts.delete(ID), [`${ID}: no barista was given it to make`]],
    [
      "an order without a customer",
      (ledger) => ledger.finishes.set("other", { made: { by: "Grace", n: 2 }, answers: [] }),
      ["other: made without a customer"],
    ],
  ])("finds %s", (_what, spoil, violations) => {
    const ledger = rightly();
    spoil(ledger);
    expect(violationsIn(ledger, REMAINS)).toEqual(violations);
  });

  test("finds what is left, and what is gone", () => {
    const queues = [QUEUE, { ...QUEUE, depth: 1, brewing: 2, damaged: 3, held: 4 }];
    expect(violationsIn(rightly(), { stored: ["other"], queues })).toEqual([
      `${ID}: answered, and not kept`,
      "other: kept, and no customer's",
      "left in the queue: depth 1, brewing 2, damaged 3, held 4",
    ]);
  });
});
