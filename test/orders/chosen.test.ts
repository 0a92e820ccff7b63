/** Owns the tests of starting an order by its id, out of its turn. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

const claim = (orderId: string, barista: string) => ({
  claimId: crypto.randomUUID(),
  barista,
  queue: "default",
  orderId,
});

test("the order that was chosen is started, and the others keep their order", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C", "D"]);
  const changes = await shop.changes(async () => {
    expect(await shop.orders.start(claim("C", "Grace"))).toMatchObject({
      kind: "started",
      order: { order_id: "C", status: "brewing", barista: "Grace", attempts: 1 },
    });
  });
  expect(changes).toEqual({
    claims: "nothing → hash: uuid for C",
    "events.5": "nothing → order.started C",
    "order:C.attempts": "0 → 1",
    "order:C.barista": 'nothing → "Grace"',
    "order:C.claim": "nothing → uuid",
    "order:C.started_at": "nothing → time",
    "order:C.status": "queued → brewing",
    "queue:default.consumers": "nothing → a replica",
    "leases:default": "nothing → zset: C time",
    "waiting:default":
      "zset: A number 1, B number 2, C number 3, D number 4 → zset: A number 1, B number 2, D number 4",
  });
  expect([await shop.start("Linus"), await shop.start("Linus"), await shop.start("Linus")]).toEqual(["A", "B", "D"]);
  expect(await shop.start("Linus")).toBeNull();
  // What the stream gave out again on the way to D stays with whom it was.
  expect(await shop.state()).toMatchObject({});
});

test("one that was chosen, finished before its turn came, is not seen again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.orders.start(claim("B", "Grace"));
  await shop.orders.finish({ orderId: "B" });
  expect([await shop.start("Linus"), await shop.start("Linus"), await shop.start("Linus")]).toEqual(["A", "C", null]);
});

test("one that was chosen and put back has its old position", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.orders.start(claim("B", "Grace"));
  await shop.orders.release({ orderId: "B" });
  const order = [
    await shop.start("Linus"),
    await shop.start("Linus"),
    await shop.start("Linus"),
    await shop.start("L"),
  ];
  expect(order).toEqual(["A", "B", "C", null]);
});

test("what is not queued any more can't be chosen, and says who has it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  await shop.start("Grace");
  const changes = await shop.changes(async () => {
    expect(await shop.orders.start(claim("A", "Linus"))).toEqual({
      kind: "conflict",
      status: "brewing",
      barista: "Grace",
    });
    expect(await shop.orders.start(claim("X", "Linus"))).toEqual({ kind: "unknown" });
  });
  expect(changes).toEqual({});
  await shop.orders.finish({ orderId: "A" });
  expect(await shop.orders.start(claim("A", "Linus"))).toMatchObject({ kind: "conflict", status: "ready" });
});

test("the same claim gets the chosen order again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"]);
  const start = claim("B", "Grace");
  const first = await shop.orders.start(start);
  expect(await shop.orders.start(start)).toEqual(first);
});

test("of many who choose one order at once, one has it", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) => shop.orders.start(claim("B", `barista-${index}`))),
  );
  expect(outcomes.filter(({ kind }) => kind === "started")).toHaveLength(1);
  expect(outcomes.filter(({ kind }) => kind === "conflict")).toHaveLength(19);
});

test("chosen and next ones of one tick go to one each", async () => {
  await using shop = await TestOrders.open();
  const ids = ["A", "B", "C", "D", "E", "F"];
  await shop.place(ids);
  const next = (barista: string) => shop.start(barista);
  const chosen = async (id: string) => {
    const outcome = await shop.orders.start(claim(id, "Grace"));
    return outcome.kind === "started" ? outcome.orderId : null;
  };
  const started = await Promise.all([
    next("a"),
    chosen("C"),
    next("b"),
    chosen("A"),
    chosen("E"),
    next("c"),
    next("d"),
  ]);
  expect(started).toEqual(["A", "C", "B", null, "E", "D", "F"]);
  expect(await shop.state()).not.toHaveProperty("waiting:default");
});

test("one whose lease ran out can be chosen by another", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.startAndLoseLease("Grace");
  expect(await shop.orders.start(claim("A", "Linus"))).toMatchObject({ kind: "started", order: { barista: "Linus" } });
  expect(await shop.orders.finish({ orderId: "A", barista: "Grace" })).toMatchObject({ kind: "conflict" });
});

test("one whose last lease ran out is cancelled when it is chosen, and a customer elsewhere is notified", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"], { holder: "another replica" });
  for (const barista of ["Grace", "Linus", "Ada"]) expect(await shop.startAndLoseLease(barista)).toBe("A");
  const changes = await shop.changes(async () => {
    expect(await shop.orders.start(claim("A", "Grace"))).toEqual({
      kind: "conflict",
      status: "cancelled",
      barista: "Ada",
    });
  });
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    dead: "nothing → zset: A time",
    "events.6": "nothing → order.cancelled A",
    "leases:default": "zset: A time → nothing",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → barista_timeout",
    "order:A.status": "brewing → cancelled",
    "queue:default": "stream: A, B → stream: B",
  });
  expect([await shop.start("Grace"), await shop.start("Grace")]).toEqual(["B", null]);
});

test("chosen and asked for in one tick, it is cancelled once, and the next one is given", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B"], { holder: "another replica" });
  for (const barista of ["Grace", "Linus", "Ada"]) expect(await shop.startAndLoseLease(barista)).toBe("A");
  const changes = await shop.changes(async () => {
    const [chosen, next, again] = await Promise.all([
      shop.orders.start(claim("A", "Grace")),
      shop.start("Linus"),
      shop.orders.start(claim("A", "Ada")),
    ]);
    expect([chosen, again]).toMatchObject([{ status: "cancelled" }, { status: "cancelled" }]);
    expect(next).toBe("B");
  });
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    dead: "nothing → zset: A time",
    "events.6": "nothing → order.cancelled A",
    "events.7": "nothing → order.started B",
    "leases:default": "zset: A time → zset: B time",
    "order:A": "order → order with TTL",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → barista_timeout",
    "order:A.status": "brewing → cancelled",
    "order:B.attempts": "0 → 1",
    "order:B.barista": 'nothing → "Linus"',
    "order:B.started_at": "nothing → time",
    "order:B.status": "queued → brewing",
    "queue:default": "stream: A, B → stream: B",
    "queue:default.consumers": "a replica → a replica, a replica",
    "waiting:default": "zset: B number 2 → nothing",
  });
});

test("one whose lease ran out is given once, to whom chose it or to the next one who asks, in one tick", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C", "D"]);
  await shop.startAndLoseLease("Grace");
  const outcomes = await Promise.all([
    shop.orders.start(claim("A", "Linus")),
    shop.orders.start(claim("A", "Ada")),
    shop.start("Ada"),
  ]);
  expect(outcomes).toMatchObject([
    { kind: "started", order: { order_id: "A", barista: "Linus", attempts: 2 } },
    { kind: "conflict", status: "brewing", barista: "Linus" },
    "B",
  ]);
  await shop.client.zadd(shop.key("leases:default"), 1, "A");
  expect(await Promise.all([shop.start("Ada"), shop.orders.start(claim("A", "Grace"))])).toMatchObject([
    "A",
    { kind: "conflict", status: "brewing", barista: "Ada" },
  ]);
});

test("one that was put back can be chosen, time and again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  for (const [round, barista] of ["Grace", "Linus", "Grace"].entries()) {
    const outcome = await shop.orders.start(claim("B", barista));
    expect(outcome).toMatchObject({ kind: "started", order: { barista, attempts: round + 1 } });
    await shop.orders.release({ orderId: "B", barista });
  }
  expect(await shop.state()).toMatchObject({ "waiting:default": "zset: A number 1, B number 2, C number 3" });
  expect([await shop.start("Ada"), await shop.orders.start(claim("B", "Ada")), await shop.start("Ada")]).toMatchObject([
    "A",
    { kind: "started", order: { order_id: "B" } },
    "C",
  ]);
  expect(await shop.start("Ada")).toBeNull();
});

test("one of another queue is started there, and its customer's position and the others' stay", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A"]);
  await shop.place(["P", "Q"], { queue: "patio" });
  expect(await shop.orders.start(claim("Q", "Grace"))).toMatchObject({ kind: "started", orderId: "Q" });
  expect(await shop.state()).toMatchObject({
    "leases:patio": "zset: Q time",
    "waiting:default": "zset: A number 1",
    "waiting:patio": "zset: P number 2",
  });
  expect([await shop.start("Linus", { queue: "patio" }), await shop.start("Linus", { queue: "patio" })]).toEqual([
    "P",
    null,
  ]);
});

test("a cancelled one can't be chosen; a chosen one that is cancelled is gone", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
  expect(await shop.orders.start(claim("A", "Grace"))).toEqual({ kind: "conflict", status: "cancelled", barista: "" });
  await shop.orders.start(claim("B", "Grace"));
  await shop.orders.cancel({ orderId: "B", canceller: "barista", reason: "machine_error" });
  expect([await shop.start("Linus"), await shop.start("Linus")]).toEqual(["C", null]);
});

test("of many who choose and many who take the next one in one tick, each order has one", async () => {
  await using shop = await TestOrders.open();
  const ids = Array.from({ length: 40 }, (_, index) => `order-${index}`);
  await shop.place(ids);
  const chosen = ids.filter((_, index) => index % 3 === 0);
  const outcomes = await Promise.all([
    ...chosen.toReversed().map((id) => shop.orders.start(claim(id, "Grace"))),
    ...ids.map(() => shop.start("Linus")),
  ]);
  const started = outcomes.flatMap((outcome) =>
    typeof outcome === "string" ? outcome : outcome?.kind === "started" ? outcome.orderId : [],
  );
  expect(started.toSorted()).toEqual(ids.toSorted());
  expect(await shop.client.zcard(shop.key("waiting:default"))).toBe(0);
  expect(await shop.client.zcard(shop.key("leases:default"))).toBe(40);
});
