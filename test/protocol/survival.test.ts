/** What outlives a server: orders, and the way back to them. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ask,
  brew,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
  type Answer,
  type Ports,
  type WireOrder,
} from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

async function startReplica(environment: Record<string, string>) {
  const server = await startServer(environment);
  cleanups.push(() => server.stop());
  return server;
}

const newShop = () => ({ SHOP: `survival-${crypto.randomUUID()}` });

/** Resolves to "lost" when the connection is cut before the answer. */
const orLost = (answer: Promise<Answer>) => answer.catch(() => "lost" as const);

/**
 * Waits again for an order that was lost with its server: half of the customers by their key, half by the order's id.
 */
const comeBack = (ports: Ports, index: number, { order_id }: WireOrder): Promise<Answer> =>
  index % 2 === 0
    ? order(ports, { customer_name: `guest ${index}` }, { headers: { "Idempotency-Key": `key ${index}` } })
    : ask(`${ports.customers}/order/${order_id}?wait`);

describe("kill -9 while 100 orders wait, then a start", () => {
  const GUESTS = 100;

  test.each([
    ["on a Redis of its own", (): Record<string, string> => newShop()],
    [
      "on the embedded Redis",
      (): Record<string, string> => {
        const folder = mkdtempSync(join(tmpdir(), "longpour-survival-"));
        cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
        return { ...newShop(), DATA_DIR: folder };
      },
    ],
  ])("%s: all are there in order, and who comes back gets their coffee", async (_where, makeEnvironment) => {
    const environment = makeEnvironment();
    const first = await startReplica(environment);
    const placed: WireOrder[] = [];
    for (let index = 0; index < GUESTS; index += 1) {
      const headers = { "Idempotency-Key": `key ${index}` };
      placed.push(await place(first, { customer_name: `guest ${index}` }, { headers }));
    }
    const cut = placed.map((one, index) => orLost(comeBack(first, index, one)));
    await untilHeld(first, GUESTS);
    const brewing = await start(first, "barista=Grace");
    await first.stop("SIGKILL");
    expect(await Promise.all(cut)).toEqual(placed.map(() => "lost"));

    const second = await startReplica(environment);
    expect(await lookAtQueue(second)).toMatchObject({ depth: GUESTS - 1, brewing: 1, held: 0 });
    const back = placed.map((one, index) => comeBack(second, index, one));
    await untilHeld(second, GUESTS);
    expectOrder(await applyVerb(second, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
    const made = [brewing.order_id];
    while (made.length < GUESTS) made.push((await brew(second)).order_id);
    expect(made).toEqual(placed.map(({ order_id }) => order_id));
    for (const [index, answer] of (await Promise.all(back)).entries()) {
      expectOrder(answer, {
        order_id: placed[index]?.order_id ?? "",
        status: "ready",
        customer_name: `guest ${index}`,
      });
    }
    expect(await lookAtQueue(second)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
  });
});

describe("two replicas of one shop", () => {
  async function startTwo() {
    const shop = newShop();
    return { one: await startReplica(shop), other: await startReplica(shop) };
  }

  test("ordered at one, started at the other, finished at the first", async () => {
    const { one, other } = await startTwo();
    const waiting = order(one, { item: "latte" });
    await untilHeld(one, 1);
    expect(await lookAtQueue(other)).toMatchObject({ depth: 1, held: 0 });
    const { order_id } = await start(other, "barista=Grace");
    expectOrder(await applyVerb(one, "finish", order_id, "barista=Grace"), { status: "ready" });
    expectOrder(await waiting, { order_id, status: "ready", barista: "Grace" });
  });

  test("finished at one, for customers who wait for the same order at both", async () => {
    const { one, other } = await startTwo();
    const headers = { "Idempotency-Key": "both" };
    const waiting = [order(one, {}, { headers }), order(other, {}, { headers })];
    await Promise.all([untilHeld(one, 1), untilHeld(other, 1)]);
    const { order_id } = await brew(one);
    for (const answer of await Promise.all(waiting)) expectOrder(answer, { order_id, status: "ready" });
  });

  test("a barista who waits at one is woken by an order placed at the other", async () => {
    const { one, other } = await startTwo();
    const waiting = start(one, "wait=60&barista=Grace");
    // Known to wait: an answer on the same server came after the question.
    await lookAtQueue(one);
    const { order_id } = await place(other);
    expect((await waiting).order_id).toBe(order_id);
  });

  test("they count numbers and limits together", async () => {
    const shop = { ...newShop(), LIMIT_CAPACITY: "2", LIMIT_REFILL_PER_SECOND: "0.001" };
    const [one, other] = [await startReplica(shop), await startReplica(shop)];
    expect([(await place(one)).number, (await place(other)).number]).toEqual([1, 2]);
    expectProblem(await order(one), 429);
    expectProblem(await order(other), 429);
  });

  test("shops on one Redis know nothing of each other", async () => {
    const [one, other] = [await startReplica(newShop()), await startReplica(newShop())];
    const { order_id } = await place(one);
    expectProblem(await ask(`${other.customers}/order/${order_id}`), 404);
    expectProblem(await ask(`${other.baristas}/start/`), 404);
  });
});

describe("SIGTERM", () => {
  test("held customers are sent to where another replica holds them on, and the server ends with 0", async () => {
    const shop = newShop();
    const [leaving, staying] = [await startReplica(shop), await startReplica(shop)];
    const { order_id } = await place(leaving);
    const waiting = [order(leaving), ask(`${leaving.customers}/order/${order_id}?wait`), order(leaving)];
    await untilHeld(leaving, 3);
    expect(await leaving.stop()).toBe(0);
    const locations = (await Promise.all(waiting)).map(({ status, headers }) => {
      expect(status).toBe(303);
      return String(headers.location);
    });
    expect(locations[1]).toBe(`/order/${order_id}?wait`);
    const goingOn = locations.map((location) => ask(staying.customers + location));
    await untilHeld(staying, 3);
    for (let made = 0; made < 3; made += 1) await brew(staying);
    for (const answer of await Promise.all(goingOn)) expectOrder(answer, { status: "ready" });
  });

  test("a customer whose answer has begun is waited for, and baristas may finish meanwhile", async () => {
    const leaving = await startReplica({ ...newShop(), HEARTBEAT_SECONDS: "1" });
    const { order_id } = await place(leaving);
    const response = await fetch(`${leaving.customers}/order/${order_id}?wait`);
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    await start(leaving, "barista=Grace");
    const stopped = leaving.stop();
    await until(
      async () => (await ask(`${leaving.baristas}/readyz`)).status === 503,
      "the server is not ready any more",
    );
    expectProblem(await ask(`${leaving.baristas}/start/`), 503);
    expectOrder(await applyVerb(leaving, "finish", order_id, "barista=Grace"), { status: "ready" });
    const text = await response.text();
    expect(text).toStartWith(" ");
    expect(JSON.parse(text)).toMatchObject({ order_id, status: "ready" });
    expect(await stopped).toBe(0);
  });

  test("a barista who waits is sent away without an order, and SIGINT ends the same way", async () => {
    const leaving = await startReplica(newShop());
    const waiting = ask(`${leaving.baristas}/start/?wait=60`);
    await lookAtQueue(leaving);
    expect(await leaving.stop("SIGINT")).toBe(0);
    expect([404, 503]).toContain((await waiting).status);
  });
});
