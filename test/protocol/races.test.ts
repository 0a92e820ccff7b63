/** Many at once who want to be admitted: no more get in than may, and none who is refused has paid. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, type Answer } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { changeShop, expectRefusal, readCode } from "../support/shop.ts";

setDefaultTimeout(120_000);

const RELAXED = { LIMIT_CAPACITY: "10000", MAX_HELD_PER_ADDRESS: "10000" };

const orderIds = (answers: readonly Answer[]): Set<unknown> =>
  new Set(answers.map(({ body }) => (body as { order_id: string }).order_id));

/** `count` requests, in turn at each server. */
async function askMany(servers: readonly Server[], count: number, path: string, json: object): Promise<Answer[]> {
  const headers = { Prefer: "respond-async" };
  const urls = Array.from({ length: count }, (_, index) => servers[index % servers.length]?.customers ?? "");
  return await Promise.all(urls.map((url) => ask(url + path, { method: "POST", json, headers })));
}

test("of 100 reservations at once on one code, 10 get in", async () => {
  const server = await startServer(RELAXED);
  await changeShop(server, { code_period_seconds: 86_400 });
  const { code, remaining } = await readCode(server);
  expect(remaining).toBe(10);

  const answers = await askMany([server], 100, "/reservation", { code });
  const reserved = answers.filter(({ status }) => status === 201);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(orderIds(reserved).size).toBe(10);
  expect(refused.length).toBe(90);
  for (const answer of refused) expectRefusal(answer, 409, "code_used_up");
  expect(await readCode(server)).toMatchObject({ code, remaining: 0 });
  await server.stop();
});

test("of 100 orders at once on two replicas of a shop for 20, 20 get in, and no code is spent on the refused", async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  const servers = await Promise.all([startServer({ SHOP, ...RELAXED }), startServer({ SHOP, ...RELAXED })]);
  const [one, other] = servers;
  await changeShop(one, { capacity: 20, require_code: true, drinks_per_code: 50, code_period_seconds: 86_400 });
  const { code } = await readCode(other);

  const answers = await askMany(servers, 100, "/order/", { code });
  const placed = answers.filter(({ status }) => status === 202);
  const refused = answers.filter(({ status }) => status !== 202);
  expect(orderIds(placed).size).toBe(20);
  expect(refused.length).toBe(80);
  for (const answer of refused) {
    expectRefusal(answer, 503, "shop_full");
    expect(answer.headers["retry-after"]).toMatch(/^\d+$/);
  }
  for (const server of servers) expect(await readCode(server)).toMatchObject({ code, remaining: 30 });
  await Promise.all(servers.map((server) => server.stop()));
});
