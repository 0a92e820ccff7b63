/** Owns the tests of starting an order by its id, out of its turn. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

const claim = (orderId: string, barista: string) => ({
  claim: crypto.randomUUID(),
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
  expect(changes).toMatchObject({
    "events.5": "nothing → order.started C",
    "leases:default": "nothing → zset: C time",
    "queue:default.pending": "nothing → C by Grace",
    "waiting:default": "zset: A place 1, B place 2, C place 3, D place 4 → zset: A place 1, B place 2, D place 4",
  });
  expect([await shop.start("Linus"), await shop.start("Linus"), await shop.start("Linus")]).toEqual(["A", "B", "D"]);
  expect(await shop.start("Linus")).toBeNull();
  // What the stream gave out again on the way to D stays with whom it was.
  expect(await shop.state()).toMatchObject({
    "queue:default.pending": "A by Linus, B by Linus, C by Grace, D by Linus",
  });
});

test("one that was chosen, finished before its turn came, is not seen again", async () => {
  await using shop = await TestOrders.open();
  await shop.place(["A", "B", "C"]);
  await shop.orders.start(claim("B", "Grace"));
  await shop.orders.finish({ orderId: "B" });
  expect([await shop.start("Linus"), await shop.start("Linus"), await shop.start("Linus")]).toEqual(["A", "C", null]);
});

test("one that was chosen and put back has its old place", async () => {
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
  const asked = claim("B", "Grace");
  const first = await shop.orders.start(asked);
  expect(await shop.orders.start(asked)).toEqual(first);
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
