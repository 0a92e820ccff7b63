/** Owns the tests of operations/progress.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

const HALF = '{"percent":50,"message":"milk \\"is\\" foaming"}';

/** A shop in which Grace has A, half of it done, and B is queued. */
async function openHalf(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace");
  await shop.orders.progress({ orderId: "A", barista: "Grace", progress: HALF });
  return shop;
}

test("how far an order is stands in it, and in its event; its lease stays as it was", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace", { claimId: "c1" });
  const deadline = await shop.client.zscore(shop.key("leases:default"), "A");
  const changes = await shop.changes(async () =>
    expect(await shop.orders.progress({ orderId: "A", barista: "Grace", progress: HALF })).toMatchObject({
      kind: "changed",
      order: { status: "brewing", progress: { percent: 50, message: 'milk "is" foaming' }, barista: "Grace" },
    }),
  );
  expect(changes).toEqual({
    "events.3": "nothing → order.progressed A",
    "order:A.progress": `nothing → ${HALF}`,
  });
  expect(await shop.client.zscore(shop.key("leases:default"), "A")).toBe(deadline ?? "");
  expect(await shop.orders.progress({ orderId: "A", progress: '{"percent":0.5}' })).toMatchObject({
    order: { progress: { percent: 0.5 } },
  });
});

test("only who holds a brewing order may say how far it is", async () => {
  await using shop = await openHalf();
  const progress = (orderId: string, barista?: string) => shop.orders.progress({ orderId, barista, progress: "{}" });
  const changes = await shop.changes(async () => {
    expect(await progress("nobody's")).toEqual({ kind: "unknown" });
    expect(await progress("B")).toEqual({ kind: "conflict", status: "queued", barista: "" });
    expect(await progress("A", "Linus")).toEqual({ kind: "conflict", status: "brewing", barista: "Grace" });
  });
  expect(changes).toEqual({});
  await shop.orders.finish({ orderId: "A" });
  expect(await progress("A", "Grace")).toEqual({ kind: "conflict", status: "ready", barista: "Grace" });
});

test("who holds it by a lease that ran out may say so until another has it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.orders.progress({ orderId: "A", barista: "Grace", progress: HALF })).toMatchObject({
    kind: "changed",
  });
  const changes = await shop.changes(async () => expect(await shop.start("Linus")).toBe("A"));
  expect(changes).toMatchObject({ "order:A.progress": `${HALF} → nothing`, "order:A.expiries": "nothing → 1" });
  expect(await shop.orders.find("A")).not.toHaveProperty("order.progress");
});

const CLEARING: Readonly<Record<string, (orders: TestOrders["orders"]) => Promise<unknown>>> = {
  release: (orders) => orders.release({ orderId: "A" }),
  finish: (orders) => orders.finish({ orderId: "A" }),
  "finish with a result": (orders) => orders.finish({ orderId: "A", result: "1" }),
  "fail for now": (orders) => orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: 0 }),
  "fail for good": (orders) => orders.fail({ orderId: "A", error: "no", retry: false, retryAfterMs: 0 }),
  cancel: (orders) => orders.cancel({ orderId: "A", canceller: "barista", reason: "barista" }),
};

test.each(Object.entries(CLEARING))("%s forgets how far it was", async (_verb, act) => {
  await using shop = await openHalf();
  const changes = await shop.changes(() => act(shop.orders));
  expect(changes).toMatchObject({ "order:A.progress": `${HALF} → nothing` });
  const found = await shop.orders.find("A");
  expect(found).toMatchObject({ kind: "found" });
  expect(found).not.toHaveProperty("order.progress");
});

test("an extend keeps it, and so do looks at it", async () => {
  await using shop = await openHalf();
  expect(await shop.orders.extend({ orderId: "A" })).toMatchObject({ order: { progress: { percent: 50 } } });
  expect(await shop.orders.find("A")).toMatchObject({ order: { progress: { percent: 50 } } });
  const page = await shop.orders.search({ fromMs: 0, beforeMs: 1e15, limit: 10 });
  expect(page).toMatchObject({ orders: [{ progress: { percent: 50 } }, {}] });
});

test("sent again it answers the same, whatever has become of the order, and changes nothing", async () => {
  await using shop = await openHalf();
  const { orders, last } = shop.recorded();
  await orders.progress({ orderId: "A", progress: HALF });
  const { answer, sendAgain } = last();
  await shop.orders.progress({ orderId: "A", progress: '{"percent":90}' });
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.changes(async () => expect(await sendAgain()).toEqual(answer))).toEqual({});
});
