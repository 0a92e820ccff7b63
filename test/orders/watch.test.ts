/** Owns the tests of operations/watch.lua, and of a start that comes after a finish (`after`). */
import { describe, expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

describe("watching", () => {
  test("notes the server at which a customer waits, and that there are several, and changes nothing else", async () => {
    await using shop = await TestOrders.open();
    await shop.place(["A"]);
    const watch = (holder: string) => async () =>
      expect(await shop.orders.watch({ orderId: "A", holder })).toEqual({ kind: "watching" });
    expect(await shop.changes(watch("one"))).toEqual({ "order:A.holder": "nothing → a replica" });
    expect((await shop.record("A")).holder).toBe("one");
    expect(await shop.changes(watch("one"))).toEqual({});
    expect(await shop.changes(watch("another"))).toEqual({ "order:A.holder": "a replica → *" });
    for (const holder of ["one", "another", "a third"]) expect(await shop.changes(watch(holder))).toEqual({});
  });

  test("is noted in every state before the end, and stays with the order", async () => {
    await using shop = await TestOrders.open();
    await shop.place(["A"]);
    await shop.start("Grace");
    expect(await shop.changes(() => shop.orders.watch({ orderId: "A", holder: "one" }))).toEqual({
      "order:A.holder": "nothing → a replica",
    });
    await shop.orders.release({ orderId: "A" });
    await shop.start("Grace");
    await shop.orders.fail({ orderId: "A", error: "no milk", retry: true, retryAfterMs: 60_000 });
    expect((await shop.record("A")).holder).toBe("one");
    expect(await shop.changes(() => shop.orders.watch({ orderId: "A", holder: "two" }))).toEqual({
      "order:A.holder": "a replica → *",
    });
    await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
    expect(await shop.state()).toMatchObject({ "bell:A": 'list with TTL: "", ""' });
  });

  test("answers a final order at once, and one that is not there as unknown; neither changes anything", async () => {
    await using shop = await TestOrders.open();
    await shop.place(["A"]);
    await shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" });
    const changes = await shop.changes(async () => {
      expect(await shop.orders.watch({ orderId: "A", holder: "one" })).toMatchObject({
        kind: "final",
        order: { order_id: "A", status: "cancelled" },
      });
      expect(await shop.orders.watch({ orderId: "B", holder: "one" })).toEqual({ kind: "unknown" });
    });
    expect(changes).toEqual({});
  });

  test("of an order that is finished in the same turn answers its end, or is rung for: no end is missed", async () => {
    await using shop = await TestOrders.open();
    await shop.place(["A"]);
    await shop.start("Grace");
    const [watched] = await Promise.all([
      shop.orders.watch({ orderId: "A", holder: "one" }),
      shop.orders.finish({ orderId: "A" }),
    ]);
    expect(watched).toMatchObject({ kind: "final", order: { status: "ready" } });
  });
});

describe("a start after a finish", () => {
  const next = (shop: TestOrders, after: string, barista = "Grace") =>
    shop.orders.start({ barista, queue: "default", after });

  async function openBrewing(): Promise<TestOrders> {
    const shop = await TestOrders.open();
    await shop.place(["A", "B", "C"]);
    await shop.start("Grace");
    return shop;
  }

  test("of the same turn gets the next order", async () => {
    await using shop = await openBrewing();
    const [started, finished] = await Promise.all([
      next(shop, "A"),
      shop.orders.finish({ orderId: "A", barista: "Grace" }),
    ]);
    expect(finished).toMatchObject({ kind: "changed", order: { status: "ready" } });
    expect(started).toMatchObject({ kind: "started", orderId: "B" });
  });

  test("of an earlier turn gets the next order too, and so does one whose finish was sent again", async () => {
    await using shop = await openBrewing();
    await shop.orders.finish({ orderId: "A", barista: "Grace" });
    expect(await next(shop, "A")).toMatchObject({ kind: "started", orderId: "B" });
    const [again] = await Promise.all([next(shop, "A"), shop.orders.finish({ orderId: "A" })]);
    expect(again).toMatchObject({ kind: "started", orderId: "C" });
  });

  test("that did not succeed gets none, and changes nothing: refused, unknown, not finished, or another's", async () => {
    await using shop = await openBrewing();
    const refused = await shop.changes(async () => {
      const [started, finished] = await Promise.all([
        next(shop, "A", "Linus"),
        shop.orders.finish({ orderId: "A", barista: "Linus" }),
      ]);
      expect([started.kind, finished.kind]).toEqual(["empty", "conflict"]);
      expect(await next(shop, "A")).toEqual({ kind: "empty" });
      expect(await next(shop, "nobody's")).toEqual({ kind: "empty" });
    });
    expect(refused).toEqual({});
    await shop.orders.finish({ orderId: "A", barista: "Grace" });
    expect(await shop.changes(async () => expect(await next(shop, "A", "Linus")).toEqual({ kind: "empty" }))).toEqual(
      {},
    );
  });
});
