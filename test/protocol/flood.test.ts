/** The delusional customer: thousands of orders at once from one address, and no other notices. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectOrder, expectProblem, lookAtQueue, order, applyVerb, type Answer } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(120_000);

const FLOOD = 3000;
const REGULARS = 50;

/** Takes and finishes orders until it is stopped and the queue is empty. */
async function work(server: Server, isOver: () => boolean): Promise<void> {
  for (;;) {
    const answer = await ask(`${server.baristas}/start/?wait=1`);
    if (answer.status === 404 && isOver()) return;
    if (answer.status === 404) continue;
    const { order_id } = expectOrder(answer, { status: "brewing" });
    expectOrder(await applyVerb(server, "finish", order_id), { status: "ready" });
  }
}

function expectRefusal(answer: Answer): void {
  const { type } = expectProblem(answer, 429);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  // Who asks too fast, or has too many requests held, learns that; all others, what the rate of orders is.
  if (/:too_many_(requests|held)$/.test(type)) return;
  expect(answer.headers["ratelimit-policy"]).toBe('"order";q=250;w=250');
  expect(answer.headers["ratelimit"]).toMatch(/^"order";r=0;t=\d+$/);
}

test("3,000 orders at once from one address: few get in, the others learn when, and 50 regulars are all served", async () => {
  const server = await startServer();
  let isOver = false;
  const shifts = Array.from({ length: 10 }, () => work(server, () => isOver));
  const begunAt = performance.now();
  const flood = Array.from({ length: FLOOD }, () => order(server, {}, { localAddress: "127.0.0.1" }));
  const regulars = Array.from({ length: REGULARS }, (_, index) =>
    order(server, { item: "latte" }, { localAddress: `127.0.0.${index + 2}` }),
  );
  for (const answer of await Promise.all(regulars)) expectOrder(answer, { status: "ready", item: "latte" });

  const answers = await Promise.all(flood);
  const elapsedSeconds = (performance.now() - begunAt) / 1000;
  isOver = true;
  await Promise.all(shifts);
  const served = answers.filter(({ status }) => status === 200);
  for (const answer of served) expectOrder(answer, { status: "ready", item: "americano" });
  for (const answer of answers.filter(({ status }) => status !== 200)) expectRefusal(answer);
  expect(served.length).toBeGreaterThan(0);
  // The bucket of 250, what came in meanwhile at one a second, and one for the part of a second at each end.
  expect(served.length).toBeLessThanOrEqual(250 + Math.ceil(elapsedSeconds) + 1);
  expect(new Set(served.map(({ text }) => text)).size).toBe(served.length);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
  await server.stop();
});

test("an address that is out of orders is refused them, may still look, and orders again once there is one", async () => {
  const server = await startServer({ LIMIT_CAPACITY: "2", LIMIT_REFILL_PER_SECOND: "1" });
  const headers = { Prefer: "respond-async" };
  const answers: Answer[] = [];
  while (answers.every(({ status }) => status === 202)) {
    answers.push(...(await Promise.all(Array.from({ length: 6 }, () => order(server, {}, { headers })))));
  }
  const accepted = answers.filter(({ status }) => status === 202).map((answer) => expectOrder(answer, {}, 202));
  expect(accepted.length).toBeGreaterThanOrEqual(2);
  for (const answer of answers.filter(({ status }) => status !== 202)) expectProblem(answer, 429);
  const refused = answers.find(({ status }) => status === 429);
  expectOrder(await ask(`${server.customers}/order/${accepted[0]?.order_id}`), { status: "queued" });
  await Bun.sleep(Number(refused?.headers["retry-after"]) * 1000);
  expectOrder(await order(server, {}, { headers }), { status: "queued" }, 202);
  expect((await lookAtQueue(server)).depth).toBe(accepted.length + 1);
  await server.stop();
});

test("what is malformed costs nothing, nor does what the shop refuses; an order that gets in does", async () => {
  const server = await startServer({ LIMIT_CAPACITY: "2", LIMIT_REFILL_PER_SECOND: "0.001" });
  for (let tries = 0; tries < 3; tries += 1) expectProblem(await order(server, { item: 7 }), 422, "item");
  for (let tries = 0; tries < 3; tries += 1) {
    expectProblem(await order(server, { item: "tea" }), 422, "item");
  }
  for (let tries = 0; tries < 2; tries += 1) {
    expectOrder(await order(server, {}, { headers: { Prefer: "respond-async" } }), {}, 202);
  }
  expectProblem(await order(server, { item: "tea" }), 429);
  expectProblem(await order(server, {}, { headers: { Prefer: "respond-async" } }), 429);
  await server.stop();
});

test("with trusted proxies the address is the customer's; without, none can pretend another", async () => {
  const one = { LIMIT_CAPACITY: "1", LIMIT_REFILL_PER_SECOND: "0.001" };
  const from = (address: string) => ({ headers: { Prefer: "respond-async", "X-Forwarded-For": address } });
  const behind = await startServer({ ...one, TRUSTED_PROXIES: "127.0.0.0/8" });
  expectOrder(await order(behind, {}, from("192.0.2.1")), {}, 202);
  expectOrder(await order(behind, {}, from("192.0.2.2")), {}, 202);
  expectProblem(await order(behind, {}, from("203.0.113.7, 192.0.2.2")), 429);
  await behind.stop();

  const open = await startServer(one);
  expectOrder(await order(open, {}, from("192.0.2.1")), {}, 202);
  expectProblem(await order(open, {}, from("192.0.2.2")), 429);
  await open.stop();
});

test("the header that PROXY_HEADER does not name is the client's own: it makes no other address of it", async () => {
  const settings = { LIMIT_CAPACITY: "1", LIMIT_REFILL_PER_SECOND: "0.001", TRUSTED_PROXIES: "127.0.0.0/8" };
  const send = (server: Server, proxy: string, client: string, names: readonly [string, string]) => {
    const [trusted, other] = names.map((name) => (text: string) => ({
      [name]: name === "Forwarded" ? `for=${text}` : text,
    }));
    const headers = { Prefer: "respond-async", ...trusted?.(proxy), ...other?.(client) };
    return order(server, {}, { headers });
  };
  for (const names of [
    ["X-Forwarded-For", "Forwarded"],
    ["Forwarded", "X-Forwarded-For"],
  ] as const) {
    const server = await startServer({ ...settings, PROXY_HEADER: names[0] });
    expectOrder(await send(server, "192.0.2.1", "203.0.113.1", names), {}, 202);
    expectProblem(await send(server, "192.0.2.1", "203.0.113.2", names), 429);
    expectOrder(await send(server, "192.0.2.2", "203.0.113.1", names), {}, 202);
    await server.stop();
  }
});
