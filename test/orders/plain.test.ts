/** Owns the tests of lib/plain.lua: what Redis remembers of records is never taken for what is stored. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

/** More than are remembered. */
const MANY = 1200;

test("a record that was changed by hand is started and finished as it is stored", async () => {
  await using shop = await TestOrders.open();
  const change = async (from: string, to: string): Promise<void> => {
    const record = (await shop.client.get(shop.key("order:A"))) ?? "";
    expect(record).toContain(from);
    await shop.client.set(shop.key("order:A"), record.replace(from, to));
  };
  await shop.place(["A"]);
  await change('"price":300', '"price":350');
  expect(await shop.orders.start({ barista: "Grace", queue: "default" })).toMatchObject({
    order: { price: 350, barista: "Grace" },
  });
  await change('"Grace"', '"Linus"');
  expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toEqual({
    kind: "conflict",
    status: "brewing",
    barista: "Linus",
  });
  expect(await shop.orders.finish({ orderId: "A", barista: "Linus" })).toMatchObject({
    order: { status: "ready", price: 350, barista: "Linus" },
  });
});

test("more orders than are remembered are started in their order, and each is finished", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: MANY }, (_, index) => `order-${index}`);
  await shop.place(ids);
  const started = await Promise.all(ids.map(() => shop.orders.start({ barista: "Grace", queue: "default" })));
  expect(started.map((outcome) => (outcome.kind === "started" ? outcome.orderId : null))).toEqual(ids);
  const finished = await Promise.all(ids.map((orderId) => shop.orders.finish({ orderId, barista: "Grace" })));
  expect(finished.filter(({ kind }) => kind === "changed")).toHaveLength(MANY);
  expect(await shop.start("Grace")).toBeNull();
});
