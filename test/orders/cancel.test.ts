/** Owns the tests of operations/cancel.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

const BY_CUSTOMER = { canceller: "customer", reason: "customer" } as const;
const BY_BARISTA = { canceller: "barista", reason: "machine_error" } as const;

test("a customer's queued order is cancelled, and no bell rings where none may hear it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const changes = await shop.changes(async () => {
    expect(await shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER })).toMatchObject({
      kind: "changed",
      order: { order_id: "A", status: "cancelled", reason: "customer" },
    });
  });
  expect(changes).toEqual({
    "events.3": "nothing → order.cancelled A",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → customer",
    "order:A.status": "queued → cancelled",
    "queue:default": "stream: A, B → stream: B",
    "waiting:default": "zset: A number 1, B number 2 → zset: B number 2",
  });
});

test("a barista cancels a brewing order", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace", { claimId: "c1" });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.cancel({ orderId: "A", barista: "Grace", ...BY_BARISTA })).toMatchObject({
      kind: "changed",
      order: { status: "cancelled", reason: "machine_error", barista: "Grace" },
    });
  });
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    dead: "nothing → zset: A time",
    "events.3": "nothing → order.cancelled A",
    "leases:default": "zset: A time → nothing",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.claim": "c1 → nothing",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → machine_error",
    "order:A.status": "brewing → cancelled",
    "queue:default": "stream: A → stream: ",
    "spent:now": "nothing → set with TTL: c1",
  });
});

test("a barista cancels a queued order, under any name", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  expect(await shop.orders.cancel({ orderId: "A", barista: "Linus", ...BY_BARISTA })).toMatchObject({
    kind: "changed",
  });
});

test("a released order leaves nothing behind when it is cancelled", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace");
  await shop.orders.release({ orderId: "A" });
  const changes = await shop.changes(() => shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER }));
  expect(changes).toEqual({
    "events.4": "nothing → order.cancelled A",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → customer",
    "order:A.status": "queued → cancelled",
    "queue:default": "stream: A → stream: ",
    "waiting:default": "zset: A number 1 → nothing",
  });
  expect(await shop.start("Grace")).toBeNull();
});

test("what can't be cancelled is refused with the order's state, and nothing changes", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["ready", "brewing"]);
  await shop.start("Grace");
  await shop.orders.finish({ orderId: "ready" });
  await shop.start("Grace");
  const brewing = { kind: "conflict", status: "brewing", barista: "Grace" } as const;
  const ready = { kind: "conflict", status: "ready", barista: "Grace" } as const;
  const changes = await shop.changes(async () => {
    expect(await shop.orders.cancel({ orderId: "nobody's", ...BY_CUSTOMER })).toEqual({ kind: "unknown" });
    expect(await shop.orders.cancel({ orderId: "brewing", ...BY_CUSTOMER })).toEqual(brewing);
    expect(await shop.orders.cancel({ orderId: "brewing", barista: "Linus", ...BY_BARISTA })).toEqual(brewing);
    expect(await shop.orders.cancel({ orderId: "ready", ...BY_CUSTOMER })).toEqual(ready);
    expect(await shop.orders.cancel({ orderId: "ready", barista: "Grace", ...BY_BARISTA })).toEqual(ready);
  });
  expect(changes).toEqual({});
});

test("cancelling again answers the same, and another reason is refused", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  const first = await shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER });
  const changes = await shop.changes(async () => {
    expect(await shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER })).toEqual(first);
    expect(await shop.orders.cancel({ orderId: "A", ...BY_BARISTA })).toEqual({
      kind: "conflict",
      status: "cancelled",
      barista: "",
    });
  });
  expect(changes).toEqual({});
});

test("of a start and a cancellation at once, one wins", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  const [started, cancelled] = await Promise.all([
    shop.start("Grace"),
    shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER }),
  ]);
  expect([started, cancelled.kind]).toEqual(started === null ? [null, "changed"] : ["A", "conflict"]);
});

test("cancelled orders are no history of waits", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.orders.cancel({ orderId: "A", ...BY_CUSTOMER });
  expect(await shop.state()).not.toHaveProperty(["waits:default"]);
});
