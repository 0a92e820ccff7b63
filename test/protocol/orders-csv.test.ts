/** Owns the tests of a CSV of orders whose orders are dropped while it is read. */
import { expect, test } from "bun:test";
import { ordersCsv } from "../../src/api/baristas/orders-csv.ts";
import { createQueries, type Search } from "../../src/orders/queries.ts";
import { TestOrders } from "../support/orders.ts";

async function readWhileDropped(shop: TestOrders, own: Pick<Search, "isNewestFirst">): Promise<string> {
  const wanted: Search = { fromMs: 0, beforeMs: 1e15, limit: 1, ...own };
  const orders = createQueries(shop.redis.run);
  const first = await orders.search(wanted);
  if (first.kind !== "page") throw new Error(first.kind);
  await shop.client.zrem(shop.key("orders"), first.cursor ?? "");
  return await new Response(ordersCsv(orders, wanted, first)).text();
}

test("a CSV that can't go on breaks off where orders would follow", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  const outcome = await readWhileDropped(shop, {}).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(Error);
  expect(String(outcome)).toContain("order A is no longer kept");
});

test("it ends where the orders that would follow are no longer kept either", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  const lines = (await readWhileDropped(shop, { isNewestFirst: true })).trimEnd().split("\r\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toStartWith("C,");
});
