/** Owns the tests of operations/start.lua. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { endings } from "../support/settled.ts";

test("the oldest order is started, under a lease and a claim", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const changes = await shop.changes(async () => {
    const outcome = await shop.orders.start({ claimId: "c1", barista: "Grace", queue: "default" });
    expect(outcome).toMatchObject({
      kind: "started",
      order: { order_id: "A", status: "brewing", barista: "Grace", attempts: 1, number: 1 },
    });
  });
  expect(changes).toEqual({
    claims: "nothing → hash: c1 for A",
    "events.3": "nothing → order.started A",
    "leases:default": "nothing → zset: A time",
    "order:A.status": "queued → brewing",
    "order:A.attempts": "0 → 1",
    "order:A.barista": 'nothing → "Grace"',
    "order:A.claim": "nothing → c1",
    "order:A.started_at": "nothing → time",
    // The group is made by the first start of a new Redis.
    "queue:default.consumers": "nothing → a replica",
    "waiting:default": "zset: A number 1, B number 2 → zset: B number 2",
  });
});

test("a lease runs from the start on", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.start("Grace", { orders: shop.ordersWith({ leaseSeconds: 60 }) });
  const startedAt = Date.parse((await shop.record("A")).started_at);
  expect(Number(await shop.client.zscore(shop.key("leases:default"), "A"))).toBe(startedAt + 60_000);
});

test("an empty queue and one that never was give nothing, and change nothing", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  expect(await shop.start("Grace")).toBe("A");
  const changes = await shop.changes(async () => {
    expect(await shop.orders.start({ claimId: "c1", barista: "Linus", queue: "default" })).toEqual({ kind: "empty" });
    expect(await shop.orders.start({ claimId: "c2", barista: "Linus", queue: "patio" })).toEqual({ kind: "empty" });
  });
  expect(changes).toEqual({});
});

test("orders are started oldest first, also by many baristas at once", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 20 }, (_, index) => `order-${index}`);
  await shop.place(ids);
  expect(await Promise.all([...ids, "one too many"].map((_, index) => shop.start(`barista-${index % 4}`)))).toEqual([
    ...ids,
    null,
  ]);
});

test("each queue gives its own orders", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  expect(await shop.start("Grace", { queue: "patio" })).toBe("B");
  expect(await shop.start("Grace", { queue: "patio" })).toBeNull();
  expect(await shop.start("Grace")).toBe("A");
});

test("an empty queue does not keep the baristas of another waiting, in one tick", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const queues = ["patio", "default", "patio", "default", "default"];
  expect(await Promise.all(queues.map((queue) => shop.start("Grace", { queue })))).toEqual([
    null,
    "A",
    null,
    "B",
    null,
  ]);
});

test("the same claim gets the same order again, and nothing changes", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const claim = { claimId: "c1", barista: "Grace", queue: "default" };
  const first = await shop.orders.start(claim);
  const changes = await shop.changes(async () => {
    expect(await shop.orders.start(claim)).toEqual(first);
    expect(await Promise.all([shop.orders.start(claim), shop.orders.start(claim)])).toEqual([first, first]);
  });
  expect(changes).toEqual({});
});

test("one claim sent twice in one tick gets one order", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  expect(await Promise.all([shop.start("Grace", { claimId: "c1" }), shop.start("Grace", { claimId: "c1" })])).toEqual([
    "A",
    "A",
  ]);
  expect(await shop.state()).toMatchObject({ "waiting:default": "zset: B number 2", "order:A.attempts": "1" });
});

test("the claim of a finished order gives nothing, though others wait", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace", { claimId: "c1" });
  await shop.orders.finish({ orderId: "A" });
  const changes = await shop.changes(async () => expect(await shop.start("Grace", { claimId: "c1" })).toBeNull());
  expect(changes).toEqual({});
});

test("a released order is started again before newer ones", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  expect(await shop.start("Grace")).toBe("A");
  expect(await shop.start("Linus")).toBe("B");
  await shop.orders.release({ orderId: "B" });
  await shop.orders.release({ orderId: "A" });
  expect(await shop.changes(async () => expect(await shop.start("Ada", { claimId: "c1" })).toBe("A"))).toEqual({
    claims: "nothing → hash: c1 for A",
    "events.8": "nothing → order.started A",
    "leases:default": "nothing → zset: A time",
    "order:A.status": "queued → brewing",
    "order:A.attempts": "1 → 2",
    "order:A.barista": 'nothing → "Ada"',
    "order:A.claim": "nothing → c1",
    "order:A.started_at": "nothing → time",
    "waiting:default": "zset: A number 1, B number 2, C number 3 → zset: B number 2, C number 3",
  });
  expect([await shop.start("Ada"), await shop.start("Ada"), await shop.start("Ada")]).toEqual(["B", "C", null]);
});

test("an order whose lease ran out is given to the next barista before the oldest queued one", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.start("Linus");
  expect(await shop.startAndLoseLease("Grace")).toBe("B");
  await shop.orders.release({ orderId: "A" });
  expect(await shop.changes(async () => expect(await shop.start("Ada", { claimId: "c1" })).toBe("B"))).toEqual({
    claims: "nothing → hash: c1 for B",
    "events.7": "nothing → order.started B",
    "order:B.attempts": "1 → 2",
    "order:B.expiries": "nothing → 1",
    "order:B.barista": '"Grace" → "Ada"',
    "order:B.claim": "nothing → c1",
  });
  expect([await shop.start("Ada"), await shop.start("Ada"), await shop.start("Ada")]).toEqual(["A", "C", null]);
});

test("of several leases that ran out, the first is given out first", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  for (let started = 0; started < 3; started += 1) await shop.start("Grace");
  await shop.client.zadd(shop.key("leases:default"), 2, "B", 1, "C");
  expect([await shop.start("Ada"), await shop.start("Ada"), await shop.start("Ada")]).toEqual(["C", "B", null]);
});

test("an order is cancelled on the way when its leases ran out too often, and a customer elsewhere is notified", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"], { holder: "another replica" });
  for (const barista of ["Grace", "Linus", "Ada"]) expect(await shop.startAndLoseLease(barista)).toBe("A");
  const changes = await shop.changes(async () => expect(await shop.start("Grace", { claimId: "c1" })).toBe("B"));
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    claims: "nothing → hash: c1 for B",
    "events.6": "nothing → order.cancelled A",
    "events.7": "nothing → order.started B",
    dead: "nothing → zset: A time",
    "leases:default": "zset: A time → zset: B time",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → barista_timeout",
    "order:A.status": "brewing → cancelled",
    "order:B.status": "queued → brewing",
    "order:B.attempts": "0 → 1",
    "order:B.barista": 'nothing → "Grace"',
    "order:B.claim": "nothing → c1",
    "order:B.started_at": "nothing → time",
    "queue:default": "stream: A, B → stream: B",
    // Each of these leases was of a server of its own.
    "queue:default.consumers": "a replica → a replica, a replica",
    "waiting:default": "zset: B number 2 → nothing",
  });
});

test("a release is no lease that ran out", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  for (let round = 1; round <= 5; round++) {
    expect(await shop.start("Grace")).toBe("A");
    await shop.orders.release({ orderId: "A" });
  }
  expect(await shop.state()).toMatchObject({ "order:A.status": "queued", "order:A.attempts": "5" });
});

test("cancelled orders are passed over", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C", "D"]);
  await shop.start("Grace");
  await shop.orders.release({ orderId: "A" });
  for (const orderId of ["A", "C"]) await shop.orders.cancel({ orderId, canceller: "customer", reason: "customer" });
  expect([await shop.start("Grace"), await shop.start("Grace"), await shop.start("Grace")]).toEqual(["B", "D", null]);
});

/** As if orders had been placed in this queue tomorrow, and all were made: its stream has its last entry there. */
async function placeTomorrow(shop: TestOrders, queue: string): Promise<number> {
  const [seconds] = await shop.client.time();
  const queueNumber = (Math.floor(Number(seconds) / 86_400) + 1) * 1e9 + 7;
  await shop.client.xadd(shop.key(`queue:${queue}`), `${queueNumber}-0`, "order_id", "tomorrow's");
  await shop.client.xdel(shop.key(`queue:${queue}`), `${queueNumber}-0`);
  return queueNumber;
}

test("where a clock was set back over midnight, orders stand behind the earlier ones, and each is started once", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const last = await placeTomorrow(shop, "default");
  await Promise.all([shop.place(["C"]), shop.place(["D"])]);
  await shop.place(["E"]);
  expect(await Promise.all(["C", "D", "E"].map(async (id) => (await shop.record(id)).queue_number))).toEqual(
    [1, 2, 3].map((more) => String(last + more)),
  );
  expect(await shop.state()).toMatchObject({
    "queue:default": "stream: A, B, C, D, E",
    "waiting:default": "zset: A number 1, B number 2, C number 8, D number 9, E number 10",
    "order:C.number": "3",
    "order:C.entry": "in the queue",
    "order:E.entry": "in the queue",
  });
  const alone = [await shop.start("Grace"), await shop.start("Linus")];
  const together = await Promise.all(["Ada", "Grace", "Linus", "Ada"].map((barista) => shop.start(barista)));
  expect([...alone, ...together]).toEqual(["A", "B", "C", "D", "E", null]);
  expect(await shop.state()).toMatchObject({
    "leases:default": "zset: A time, B time, C time, D time, E time",
  });
  expect(await shop.state()).not.toHaveProperty(["waiting:default"]);
});

test("an order that is placed and started in one run stands where the stream has room too", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  const last = await placeTomorrow(shop, "default");
  const [, first, second] = await Promise.all([shop.place(["B"]), shop.start("Grace"), shop.start("Linus")]);
  expect([first, second]).toEqual(["A", "B"]);
  expect((await shop.record("B")).queue_number).toBe(String(last + 1));
  expect(await shop.state()).toMatchObject({
    "order:B.entry": "in the queue",
    "queue:default": "stream: A, B",
    "leases:default": "zset: A time, B time",
  });
});

test("where it was in one queue, no order of another is started twice", async () => {
  await using shop = await TestOrders.open();
  const queues = ["patio", "default", "patio", "default", "patio"];
  await placeTomorrow(shop, "default");
  await shop.place(["A", "B", "C"]);
  await shop.place(["P", "Q", "R"], { queue: "patio" });
  expect(await Promise.all(queues.map((queue) => shop.start("Grace", { queue })))).toEqual(["P", "A", "Q", "B", "R"]);
  expect(await shop.state()).toMatchObject({ "waiting:default": "zset: C number 10" });
  expect(await shop.state()).not.toHaveProperty(["waiting:patio"]);
  expect([await shop.start("Linus", { queue: "patio" }), await shop.start("Linus")]).toEqual([null, "C"]);
});

test("a start that fails, fails alone", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["B"], { queue: "patio" });
  await shop.client.rename(shop.key("queue:patio"), shop.key("kept"));
  await shop.client.set(shop.key("queue:patio"), "no stream");
  const [first, second] = await endings([shop.start("Grace", { queue: "patio" }), shop.start("Grace")]);
  expect(first).toStartWith("ShopDamagedError: start: WRONGTYPE");
  await shop.client.rename(shop.key("kept"), shop.key("queue:patio"));
  expect(await shop.start("Grace", { queue: "patio" })).toBe("B");
  expect(second).toBe("fulfilled");
  expect(await shop.client.zrange(shop.key("leases:default"), 0, "-1")).toEqual(["A"]);
});
