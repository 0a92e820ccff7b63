/** A machine's own events of a brewing order. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";

let shop: TestOrders;
let orderId: string;

beforeEach(async () => {
  shop = await TestOrders.open();
  orderId = Bun.randomUUIDv7();
  await shop.place([orderId]);
});
afterEach(() => shop[Symbol.asyncDispose]());

const START = { event: "compute/start", data: { add_up_to: 10 } };

/** Types and members of the events so far. */
async function events(): Promise<(readonly [string | undefined, string | undefined])[]> {
  const entries = await shop.client.xrange(`${shop.prefix}events`, "-", "+");
  return entries.flatMap(([, fields]) =>
    fields.flatMap((type, at) => (at % 2 === 0 ? [[type, fields[at + 1]?.split("\t")[1]] as const] : [])),
  );
}

test("one stands among the order's events, with the order as it is; the order stays so", async () => {
  await shop.start("Grace");
  const before = await shop.orders.find(orderId);
  expect(await shop.orders.note({ orderId, barista: "Grace", ...START })).toEqual({ kind: "noted" });
  expect(await shop.orders.find(orderId)).toEqual(before);
  const [type, members = ""] = (await events()).at(-1) ?? [];
  expect(type).toBe("compute/start");
  expect(JSON.parse(`{${members}}`)).toMatchObject({ status: "brewing", barista: "Grace", data: { add_up_to: 10 } });
});

test("of an order that the barista does not hold it is refused, and nothing is added", async () => {
  expect(await shop.orders.note({ orderId, barista: "Grace", ...START })).toMatchObject({ kind: "conflict" });
  await shop.start("Grace");
  const before = await events();
  expect(await shop.orders.note({ orderId, barista: "Ada", ...START })).toMatchObject({ barista: "Grace" });
  expect(await shop.orders.note({ orderId: Bun.randomUUIDv7(), ...START })).toEqual({ kind: "unknown" });
  expect(await events()).toEqual(before);
});

test.each([
  ["order.finished", {}],
  ["compute", {}],
  ["a/b/c", {}],
  ["A/b", {}],
  ["a/b\tc", {}],
  [`${"a".repeat(33)}/b`, {}],
  ["a/b", { text: "a".repeat(1000) }],
])("of the type %j, with %j, it is none", (event, data) => {
  // (One that can't be sent is rejected, not thrown.)
  expect(shop.orders.note({ orderId, event, data })).rejects.toBeInstanceOf(RangeError);
});
