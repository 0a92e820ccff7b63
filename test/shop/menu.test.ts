/** Owns the tests of the menu, and of the current code. */
import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { createCodes, drawQr } from "../../src/shop/codes.ts";
import { Coffee, createMenu, type CoffeeDraft } from "../../src/shop/menu.ts";
import { createShop } from "../../src/shop/settings.ts";
import { TestOrders } from "../support/orders.ts";

const CHAI: CoffeeDraft = {
  name: "Chai",
  description: "No coffee at all",
  price: 350,
  available: true,
  modifiers: [{ name: "milk", options: ["whole", "oat"] }],
  icon: "🍵",
};

const place = (shop: TestOrders, orderId: string, draft: object) =>
  shop.orders.place({ orderId, queue: "default", draft });

test("a new shop offers coffees, cheapest first, and an emptied menu stays empty", async () => {
  await using shop = await TestOrders.open();
  const menu = createMenu(shop.redis);
  const coffees = await menu.list();
  expect(coffees.map(({ id, price }) => [id, price])).toEqual([
    ["espresso", 250],
    ["americano", 300],
    ["double_espresso", 320],
    ["cappuccino", 370],
    ["flat_white", 380],
    ["latte", 400],
    ["mocha", 450],
  ]);
  for (const coffee of coffees) expect(Value.Check(Coffee, coffee)).toBe(true);
  for (const { id } of coffees) expect(await menu.remove(id)).toBe(true);
  expect(await menu.remove("latte")).toBe(false);
  expect(await menu.list()).toEqual([]);
  expect(await place(shop, "A", {})).toEqual({ kind: "refused", why: "unknown_item", subject: "americano" });
});

test("a shop whose Redis was emptied under it offers its first menu again", async () => {
  await using shop = await TestOrders.open();
  const menu = createMenu(shop.redis);
  const first = await menu.list();
  await menu.remove("americano");
  expect(await place(shop, "A", {})).toMatchObject({ why: "unknown_item" });
  await shop.client.del(...(await shop.client.keys(shop.key("*"))));
  expect(await place(shop, "B", {})).toEqual({ kind: "placed", orderId: "B" });
  expect(await menu.list()).toEqual(first);
});

test("what is put on the menu can be ordered at once, at its price", async () => {
  await using shop = await TestOrders.open();
  const menu = createMenu(shop.redis);
  expect(await menu.put("chai", CHAI)).toBe("created");
  await place(shop, "A", { item: "chai", modifiers: { milk: "oat" } });
  expect(await menu.put("chai", { ...CHAI, price: 900, available: false })).toBe("changed");
  expect(await shop.orders.find("A")).toMatchObject({
    order: { item: "chai", price: 350, modifiers: { milk: "oat" } },
  });
  expect(await place(shop, "B", { item: "chai" })).toEqual({
    kind: "refused",
    why: "unavailable_item",
    subject: "chai",
  });
  const events = Object.values(await shop.state()).filter((line) => line.startsWith("menu.changed"));
  expect(events).toEqual(['menu.changed {"id":"chai"}', 'menu.changed {"id":"chai"}']);
});

test("a faulty choice is named, and nothing is queued", async () => {
  await using shop = await TestOrders.open();
  const changes = await shop.changes(async () => {
    expect(await place(shop, "A", { item: "tea" })).toMatchObject({ why: "unknown_item", subject: "tea" });
    const size = { item: "latte", modifiers: { size: "big" } };
    expect(await place(shop, "A", size)).toMatchObject({ why: "unknown_modifier", subject: "size" });
    const goat = { item: "latte", modifiers: { milk: "goat" } };
    expect(await place(shop, "A", goat)).toMatchObject({ why: "unknown_option", subject: "milk" });
  });
  expect(changes).toEqual({});
});

test("the current code is the same for all who ask, until its period is over", async () => {
  await using shop = await TestOrders.open();
  const settings = createShop(shop.redis, "default");
  await settings.change({ code_period_seconds: 86_400, drinks_per_code: 3 });
  const [one, other] = [createCodes(shop.redis), createCodes(shop.redis)];
  const first = await one();
  expect(first).toMatchObject({ remaining: 3 });
  expect(first.code).toMatch(/^[0-9A-HJKMNP-TV-Z]{12}$/);
  expect(first.changesAtMs % 86_400_000).toBe(0);
  await settings.change({ drinks_per_code: 5 });
  expect(await other()).toEqual(first);

  await shop.client.hset(shop.key("code"), "ends_at", 1);
  const second = await other();
  expect(second).toMatchObject({ remaining: 5 });
  expect(second.code).not.toBe(first.code);
  expect(await one()).toEqual(second);
});

test("a shorter period ends the code that was made for a longer one", async () => {
  await using shop = await TestOrders.open();
  const settings = createShop(shop.redis, "default");
  await settings.change({ code_period_seconds: 86_400 });
  const read = createCodes(shop.redis);
  const before = await read();
  await settings.change({ code_period_seconds: 5 });
  const after = await read();
  expect(after.code).not.toBe(before.code);
  expect(after.changesAtMs).toBeLessThan(before.changesAtMs);
});

test("the picture is SVG, and no two codes look the same", () => {
  const picture = drawQr("http://localhost:8000/?code=7QK2M9XWTR3B");
  expect(picture).toStartWith("<svg");
  expect(picture).not.toContain("<script");
  expect(picture).not.toBe(drawQr("http://localhost:8000/?code=7QK2M9XWTR3C"));
});
