/** Owns the tests of claims over time: a claim is its order's while that is brewing under it, and no other's. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

/** Grace's claim `c1` ran out with its lease of A, and was made again for B; A is still with Grace. */
async function openReused(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1", orders: shop.ordersWith({ leaseSeconds: 600 }) });
  await shop.client.zadd(shop.key("leases:default"), "XX", 1, "A");
  const second = { claimId: "c1", barista: "Grace", queue: "default", orderId: "B" };
  expect(await shop.orders.start(second)).toMatchObject({ kind: "started", orderId: "B" });
  return shop;
}

const theirs = { orderId: "A", barista: "Grace" };
const verbs = (shop: TestOrders) => ({
  finish: () => shop.orders.finish(theirs),
  release: () => shop.orders.release(theirs),
  extend: () => shop.ordersWith({ leaseSeconds: 60 }).extend(theirs),
  cancel: () => shop.orders.cancel({ ...theirs, canceller: "barista", reason: "machine_error" }),
  expire: () => shop.ordersWith({ maxAttempts: 1 }).expire(),
});

test.each(["finish", "release", "extend", "cancel", "expire"] as const)(
  "%s of an order whose claim was made again for another one leaves the claim to that one",
  async (verb) => {
    await using shop = await openReused();
    const changes = await shop.changes(() => verbs(shop)[verb]());
    expect(Object.keys(changes)).toContain(verb === "extend" ? "events.5" : "order:A.status");
    expect(await shop.client.hgetall(shop.key("claims"))).toEqual({ c1: "B" });
    expect(await shop.start("Grace", { claimId: "c1" })).toBe("B");
  },
);

test("an order given to another barista leaves the claim that it had before alone", async () => {
  await using shop = await openReused();
  expect(await shop.start("Linus", { claimId: "c2" })).toBe("A");
  expect(await shop.start("Grace", { claimId: "c1" })).toBe("B");
  expect(await shop.start("Linus", { claimId: "c2" })).toBe("A");
});

test("an order that is extended after its lease ran out is its claim's again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1" });
  await shop.client.zadd(shop.key("leases:default"), "XX", 1, "A");
  await shop.orders.extend(theirs);
  expect(await shop.start("Grace", { claimId: "c1" })).toBe("A");
});
