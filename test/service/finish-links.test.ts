/** Owns the tests of what a finish link is read as. */
import { expect, test } from "bun:test";
import { FinishLinks } from "../../src/service/finish-links.ts";
import { TestOrders } from "../support/orders.ts";

const STARTED = {
  order_id: crypto.randomUUID(),
  attempts: 2,
  barista: "Grace",
  started_at: "2026-11-20T10:00:00.000Z",
};

test("a link is read as the start that it was made for, and as none where the order had no start", async () => {
  await using shop = await TestOrders.open();
  const links = new FinishLinks(shop.redis.run);
  const sign = await links.prepare();
  const readOf = (order: object) => links.read(sign(JSON.stringify(order)));
  expect(await readOf(STARTED)).toEqual({
    orderId: STARTED.order_id,
    barista: "Grace",
    start: { attempts: 2, startedAt: STARTED.started_at },
  });
  // An operation takes an empty time for any start.
  const { started_at: _gone, ...unstarted } = STARTED;
  expect(await readOf(unstarted)).toBeUndefined();
});
