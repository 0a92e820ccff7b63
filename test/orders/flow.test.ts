/** What a server counts of its runs: what happened, once, however often it was answered. */
import { expect, test } from "bun:test";
import { Flow } from "../../src/orders/flow.ts";
import { createOrders, type Orders } from "../../src/orders/orders.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { RedisUnavailableError } from "../../src/redis/unavailable.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { openTestShop } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** The orders of a server whose answers of Redis can be lost. */
async function openLossy() {
  const { redis } = await openTestShop();
  const way = { losesAnswers: false };
  const tasks: (() => Promise<unknown>)[] = [];
  const run: RunScript = async (script, args) => {
    const answer = await redis.run(script, args);
    if (way.losesAnswers) throw new RedisUnavailableError(true);
    return answer;
  };
  const orders = createOrders({ run, runWhenReconnected: (task) => void tasks.push(task) }, ORDER_SETTINGS);
  return { orders, way, tasks };
}

const place = (orders: Orders, orderId: string) => orders.place({ orderId, queue: "default", draft: {} });
const start = (orders: Orders, claimId?: string) => orders.start({ barista: "Grace", queue: "default", claimId });

test("what is answered a second time is not counted again", async () => {
  const { orders } = await openLossy();
  const { events, waits, brews } = orders.flow;
  await place(orders, "A");
  await start(orders, "claim");
  await start(orders, "claim");
  await orders.finish({ orderId: "A" });
  await orders.finish({ orderId: "A" });
  await orders.cancel({ orderId: "none", canceller: "customer", reason: "customer" });
  expect(Object.fromEntries(events.counts)).toEqual({ "order.placed": 1, "order.started": 1, "order.finished": 1 });
  for (const histograms of [waits, brews]) {
    expect(histograms.get("default")?.counts.reduce((sum, count) => sum + count)).toBe(1);
  }
});

test("a run whose answer was lost is counted once it is known", async () => {
  const { orders, way, tasks } = await openLossy();
  await place(orders, "A");
  way.losesAnswers = true;
  expect((await Promise.allSettled([start(orders)]))[0].status).toBe("rejected");
  expect(orders.flow.events.counts.get("order.started")).toBeUndefined();
  way.losesAnswers = false;
  await tasks.shift()?.();
  expect(orders.flow.events.counts.get("order.started")).toBe(1);
  // What was undone for a barista who got no answer is counted too.
  await tasks.shift()?.();
  await until(() => orders.flow.events.counts.get("order.released") === 1, "the order is released");
  const { commitSizes } = orders.flow;
  expect(commitSizes.sum).toBe(3);
});

test("a customer who came after the end was not notified of it", () => {
  const flow = new Flow();
  const finishedMs = Date.now() - 5000;
  const order = JSON.stringify({ status: "ready", finished_at: new Date(finishedMs).toISOString(), result: "x" });
  flow.noteAnswer(order, finishedMs + 1);
  expect(flow.notifications.sum).toBe(0);
  flow.noteAnswer(order, finishedMs - 1);
  expect(flow.notifications.sum).toBeGreaterThanOrEqual(5);
});
