/** A small part of what `bun run kills --rules` does; and the judge itself: what goes wrong is a violation. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { judge, killDeliveries } from "../kills/deliveries.ts";
import { DEFAULT_SEED } from "../kills/rounds.ts";
import { TestRedis } from "../support/redis.ts";
import { stopServers } from "../support/server.ts";

setDefaultTimeout(300_000);

let redis: TestRedis | undefined;
afterEach(async () => {
  await stopServers();
  await redis?.stop();
  redis = undefined;
});

test("whatever becomes of webhook and replicas, it gets every event, in order per order, and dead letters again", async () => {
  redis = await TestRedis.start();
  const report = await killDeliveries({ redis, rounds: 3, seed: DEFAULT_SEED });
  expect(report.violations).toEqual([]);
  expect(report.kills).toEqual({ up: 1, slow: 1, down: 1 });
  expect(report.events).toBeGreaterThan(100);
});

describe("the judge", () => {
  const EVENTS = [1, 2, 3].map((number) => ({ id: `5-${number}`, orderId: "a" }));
  const sent = (id: string, body: object = {}) => ({
    id: `all-orders_${id}`,
    path: "/hook",
    host: "here",
    body: { event_id: id, order_id: "a", ...body },
    isVerified: true,
  });
  const ALL = EVENTS.map(({ id }) => sent(id));

  test("has nothing to say where all is right, whatever is sent twice, and where a dead letter comes late", () => {
    expect(judge(EVENTS, [...ALL, ...ALL], new Set())).toEqual([]);
    expect(judge(EVENTS, [sent("5-1"), sent("5-3"), sent("5-2")], new Set(["5-2"]))).toEqual([]);
  });

  test.each([
    ["what is missing", ALL.slice(1), ["5-1: not delivered"]],
    ["another order", [sent("5-2"), sent("5-1"), sent("5-3")], ["5-1: behind a later event of its order"]],
    ["what never happened", [...ALL, sent("5-4")], ["5-4: delivered, and never happened"]],
    ["another body", [...ALL, sent("5-1", { data: {} })], ["5-1: sent again with another body"]],
    [
      "a forgery",
      [...ALL, { ...sent("5-1"), isVerified: false }],
      ["all-orders_5-1: not verified, or of another event"],
    ],
  ])("finds %s", (_name, got, violations) => {
    expect(judge(EVENTS, got, new Set())).toEqual(violations);
  });
});
