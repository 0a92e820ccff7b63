/** What is read often and changes seldom: made once, sent with a tag, and never older than it may be. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { countScripts } from "../support/script-count.ts";
import { startServer, type Server } from "../support/server.ts";
import { deleteCoffee, putCoffee, readMenu } from "../support/shop.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const shop = `test-${crypto.randomUUID()}`;
const CHAI = { name: "Chai", description: "", price: 350, available: true, modifiers: [], icon: "☕" };

let server: Server;
let other: Server;
beforeAll(async () => {
  [server, other] = await Promise.all([startServer({ SHOP: shop }), startServer({ SHOP: shop })]);
});

test.each([
  ["customers", "/coffees"],
  ["customers", "/swagger/json"],
  ["customers", "/swagger"],
  ["customers", "/swagger/swagger-ui-bundle.js"],
  ["baristas", "/swagger/json"],
  ["baristas", "/swagger/swagger-ui.css"],
] as const)("of the %s' port, %s has a tag: who has it already gets 304", async (port, path) => {
  const url = server[port] + path;
  const first = await ask(url);
  expect(first.status).toBe(200);
  const { etag = "" } = first.headers;
  expect(etag).toMatch(/^W\/"\w+"$/);
  expect(first.headers["cache-control"]).toBe("no-cache");
  const again = await ask(url, { headers: { "If-None-Match": `"other", ${etag}` } });
  expect({ ...again, headers: again.headers.etag }).toMatchObject({ status: 304, text: "", headers: etag });
  const changed = await ask(url, { headers: { "If-None-Match": '"other"' } });
  expect(changed.text === first.text).toBe(true);
  // Squeezed, it is the same.
  const squeezed = await fetch(url, { headers: { "Accept-Encoding": "gzip" } });
  expect(squeezed.headers.get("content-encoding")).toBe("gzip");
  expect((await squeezed.text()) === first.text).toBe(true);
});

test("a menu that is changed here is seen here at once, with another tag", async () => {
  const { etag = "" } = (await ask(`${server.customers}/coffees`)).headers;
  for (let price = 1; price <= 20; price++) {
    await putCoffee(server, "chai", { ...CHAI, price });
    expect((await readMenu(server)).find(({ id }) => id === "chai")?.price).toBe(price);
  }
  const changed = await ask(`${server.customers}/coffees`, { headers: { "If-None-Match": etag } });
  expect(changed.status).toBe(200);
  expect(changed.headers.etag).not.toBe(etag);
  await deleteCoffee(server, "chai");
  const back = await ask(`${server.customers}/coffees`, { headers: { "If-None-Match": etag } });
  expect(back.status).toBe(304);
});

test("a menu that is changed elsewhere is seen soon, however often it is asked for", async () => {
  await readMenu(other);
  await putCoffee(server, "chai", CHAI);
  await until(async () => (await readMenu(other)).some(({ id }) => id === "chai"), "the other replica has it");
  await deleteCoffee(server, "chai");
  await until(async () => !(await readMenu(other)).some(({ id }) => id === "chai"), "the other replica has it no more");
});

test("many who ask for the menu or the shop at once cost Redis a few reads", async () => {
  using count = await countScripts(await sharedRedis(), shop);
  const begunAt = performance.now();
  for (const path of ["/coffees", "/shop"]) {
    const requests = Array.from({ length: 300 }, () => ask(other.customers + path));
    const bodies = (await Promise.all(requests)).map(({ text }) => text);
    expect(new Set(bodies).size).toBe(1);
  }
  const elapsedSeconds = (performance.now() - begunAt) / 1000;
  expect(count.scripts).toBeGreaterThan(0);
  // Without sharing, 600. Both servers' own upkeep, a few scripts a second each, is seen as well.
  expect(count.scripts).toBeLessThan(200 + 20 * elapsedSeconds);
});
