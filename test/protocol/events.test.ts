/**
 * Live events of both ports, from real servers: what is sent, to whom, and what outages, restarts and slow listeners
 * change of it.
 */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readEntry } from "../../src/events/event.ts";
import {
  ask,
  brew,
  cancelByCustomer,
  expectProblem,
  expectStatus,
  lookAtQueue,
  order,
  place,
  readWireOrder,
  start,
  applyVerb,
  type Ports,
} from "../support/http.ts";
import { sharedRedis, TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { EventClient, ReturningClient } from "../events/client.ts";

setDefaultTimeout(120_000);

const newShop = () => ({ SHOP: `events-${crypto.randomUUID()}` });
const UNKNOWN = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

let server: Server;
const shop = newShop();

beforeAll(async () => {
  server = await startServer({ ...shop, MAX_HELD_PER_ADDRESS: "3" });
});

const ofOrder = (ports: Ports, orderId: string) => `${ports.customers}/order/${orderId}/events`;

/** What Redis has in a shop's stream; by entry too. */
async function readStream(name: string, redis?: TestRedis): Promise<{ ids: string[]; entries: string[][] }> {
  const client = (redis ?? (await sharedRedis())).connect();
  const stored = await client.xrange(`{${name}}:events`, "-", "+");
  client.disconnect();
  const entries = stored.map((entry) => readEntry(entry, "0-0").map(({ id }) => id));
  return { ids: entries.flat(), entries };
}

/** How many connections of a shop read events. */
async function countReaders(name: string): Promise<number> {
  const client = (await sharedRedis()).connect();
  const list = String(await client.client("LIST"));
  client.disconnect();
  return list.split(` name=longpour:${name}:events `).length - 1;
}

describe("a customer who listens to their order", () => {
  test("hears all that happens to it, as it happens, and is done with its last event", async () => {
    const { order_id } = await place(server, { item: "latte", customer_name: "Ada" });
    const listener = await EventClient.open(ofOrder(server, order_id));
    expect(listener.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    const { order_id: other } = await place(server);
    await start(server, "barista=Grace");
    expectStatus(await applyVerb(server, "extend", order_id), 200);
    expectStatus(await applyVerb(server, "finish", order_id), 200);
    expect(await listener.untilOver()).toBe("ended");
    expect(listener.types).toEqual(["order.started", "order.extended", "order.finished"]);
    const orders = listener.events.map(({ data }) => readWireOrder(data));
    expect(orders.map(({ status }) => status)).toEqual(["brewing", "brewing", "ready"]);
    for (const each of orders)
      expect(each).toMatchObject({ order_id, item: "latte", customer_name: "Ada", barista: "Grace" });
    expectStatus(await cancelByCustomer(server, other), 200);
  });

  test("comes too late: the last event at once; comes back with it: 204, and never again", async () => {
    const { order_id } = await place(server);
    await brew(server);
    const late = await EventClient.open(ofOrder(server, order_id.toUpperCase()));
    expect(await late.untilOver()).toBe("ended");
    expect(late.types).toEqual(["order.finished"]);
    const again = await ask(ofOrder(server, order_id), { headers: { "Last-Event-ID": late.ids[0] ?? "" } });
    expect({ status: again.status, text: again.text }).toEqual({ status: 204, text: "" });
  });

  test("lost the connection: hears what came meanwhile, once", async () => {
    const { order_id } = await place(server);
    const first = await EventClient.open(ofOrder(server, order_id));
    await start(server);
    await first.untilHeard(1);
    first.hangUp();
    await applyVerb(server, "release", order_id);
    const second = await EventClient.open(ofOrder(server, order_id), first.ids[0]);
    await second.untilHeard(1);
    second.hangUp();
    await start(server);
    await applyVerb(server, "finish", order_id);
    const third = await EventClient.open(ofOrder(server, order_id), second.ids[0]);
    expect(await third.untilOver()).toBe("ended");
    expect([first.types, second.types, third.types]).toEqual([
      ["order.started"],
      ["order.released"],
      ["order.started", "order.finished"],
    ]);
  });

  test("hears of a cancellation, whichever side cancelled", async () => {
    const { order_id } = await place(server);
    const listener = await EventClient.open(ofOrder(server, order_id));
    await cancelByCustomer(server, order_id);
    expect(await listener.untilOver()).toBe("ended");
    expect(listener.events[0]).toMatchObject({ type: "order.cancelled", data: { order_id, reason: "customer" } });
  });

  test("of no order is answered 404; after no id 422; HEAD listens to nothing", async () => {
    expectProblem(await ask(ofOrder(server, UNKNOWN)), 404);
    expectProblem(await ask(ofOrder(server, "latte")), 422, "id");
    const headers = { "Last-Event-ID": "yesterday" };
    expectProblem(await ask(ofOrder(server, UNKNOWN), { headers }), 422, "Last-Event-ID");
    const head = await ask(ofOrder(server, UNKNOWN), { method: "HEAD" });
    expect({ status: head.status, type: head.headers["content-type"] }).toEqual({
      status: 200,
      type: "text/event-stream",
    });
    expect(await countReaders(shop.SHOP)).toBe(0);
  });

  test("shares an address with as many as may, and takes nothing from those who wait", async () => {
    const { order_id } = await place(server);
    const listeners = await Promise.all([1, 2, 3].map(() => EventClient.open(ofOrder(server, order_id))));
    const refused = expectProblem(await ask(ofOrder(server, order_id)), 429);
    expect(refused.type).toEndWith("too_many_held");
    expect((await lookAtQueue(server)).held).toBe(0);
    const waiting = ask(`${server.customers}/order/${order_id}?wait`);
    await until(async () => (await lookAtQueue(server)).held === 1, "one waits");
    listeners[0]?.hangUp();
    let next: EventClient | undefined;
    await until(async () => {
      next = await EventClient.open(ofOrder(server, order_id));
      return next.status === 200;
    }, "there is a place again");
    await cancelByCustomer(server, order_id);
    expectStatus(await waiting, 200);
    expect(await next?.untilOver()).toBe("ended");
    await until(async () => (await countReaders(shop.SHOP)) === 0, "no server reads any more");
  });
});

describe("staff", () => {
  test("hear of the whole shop, or of what they ask for", async () => {
    const own = await startServer(newShop());
    const open = (query = "") => EventClient.open(`${own.baristas}/events${query}`);
    const { order_id } = await place(own);
    const listeners = [
      await open(),
      await open("?type=order.finished"),
      await open("?type=order.cancelled,shop.changed"),
      await open(`?order_id=${order_id.toUpperCase()}`),
      await open(`?order_id=${order_id}&type=order.placed,order.finished`),
    ];
    const other = await place(own);
    await brew(own);
    await cancelByCustomer(own, other.order_id);
    expectStatus(await ask(`${own.baristas}/shop`, { method: "PATCH", json: { open: false } }), 200);
    await listeners[0]?.untilHeard(5);
    await listeners[2]?.untilHeard(2);
    expect(listeners.map(({ types }) => types.join(" "))).toEqual([
      "order.placed order.started order.finished order.cancelled shop.changed",
      "order.finished",
      "order.cancelled shop.changed",
      "order.started order.finished",
      "order.finished",
    ]);
    expect(listeners[0]?.events[4]).toMatchObject({ data: { open: false } });
    expect(listeners[0]?.events[4]).not.toHaveProperty("subject");
    expect(await own.stop()).toBe(0);
  });

  test.each([
    ["type=order.made", "type"],
    ["type=order.placed,", "type"],
    ["type=", "type"],
    ["type=order.placed&type=order.started", "type"],
    ["order_id=17", "order_id"],
  ])("who ask for %s are answered 422", async (query, field) => {
    expectProblem(await ask(`${server.baristas}/events?${query}`), 422, field);
  });

  test("after no id are answered 422, and without the token 401", async () => {
    expectProblem(
      await ask(`${server.baristas}/events`, { headers: { "Last-Event-ID": "1-x" } }),
      422,
      "Last-Event-ID",
    );
    const guarded = await startServer({ ...newShop(), STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
    expectProblem(await ask(`${guarded.baristas}/events`), 401);
    const headers = { Authorization: "Bearer hush-hush-42" };
    const listener = await EventClient.open(`${guarded.baristas}/events`, undefined, headers);
    await place(guarded);
    await listener.untilHeard(1);
    await guarded.stop();
  });
});

test("1,000 listeners on one replica: one Redis connection, each hears everything once; then none", async () => {
  const own = newShop();
  const { baristas, customers } = await startServer(own);
  const open = () => EventClient.open(`${baristas}/events`);
  const listeners = [await open(), ...(await Promise.all(Array.from({ length: 999 }, open)))];
  for (let n = 0; n < 20; n += 1) await place({ customers });
  for (const listener of listeners) await listener.untilHeard(20);
  expect(await countReaders(own.SHOP)).toBe(1);
  const { ids } = await readStream(own.SHOP);
  expect(ids).toHaveLength(20);
  for (const listener of listeners) expect(listener.ids).toEqual(ids);
  for (const listener of listeners) listener.hangUp();
  await until(async () => (await countReaders(own.SHOP)) === 0, "the connection is closed");
});

test("a listener that reads nothing is cut off; the others hear everything meanwhile", async () => {
  const own = newShop();
  const { baristas, customers } = await startServer(own);
  const idle = await EventClient.open(`${baristas}/events`);
  const busy = await EventClient.open(`${baristas}/events`);
  const { order_id } = await place({ customers });
  await idle.untilHeard(1);
  idle.pause();
  // What the kernel takes for a client that does not read is some MB: events this large fill it soon.
  const redis = (await sharedRedis()).connect();
  const event = ["order.placed", `${order_id}\t"status":"queued","note":"${"x".repeat(16_000)}"`];
  // Entries of four events each, as runs of scripts append them.
  const entry = Array.from({ length: 4 }, () => event).flat();
  const append = (last: number) => redis.xadd(`{${own.SHOP}}:events`, `${Date.now()}-${last}`, ...entry);
  let sent = 1;
  for (; sent < 3000; sent += 20) {
    await Promise.all([4, 8, 12, 16, 20].map((number) => append(sent + number)));
    await busy.untilHeard(sent + 20);
  }
  redis.disconnect();
  idle.resume();
  expect(await idle.untilOver()).toBe("lost");
  const { ids } = await readStream(own.SHOP);
  expect(busy.ids).toEqual(ids);
  expect(idle.events.length).toBeLessThan(ids.length);
  // It may come back for the rest.
  const back = await EventClient.open(`${baristas}/events`, idle.ids.at(-1));
  await back.untilHeard(ids.length - idle.ids.length, 30_000);
  expect([...idle.ids, ...back.ids]).toEqual(ids);
  back.hangUp();
});

test("whatever their last event was, also in the middle of what was written at once, they hear all after it, once", async () => {
  const own = newShop();
  const ports = await startServer(own);
  const headers = { Prefer: "respond-async" };
  const atOnce = () => Promise.all(Array.from({ length: 12 }, () => order(ports, {}, { headers })));
  const placed = [...(await atOnce()), ...(await atOnce())];
  const { order_id } = readWireOrder(placed[7]?.body);
  await start(ports, `order_id=${order_id}`);
  expectStatus(await applyVerb(ports, "finish", order_id), 200);
  const { ids, entries } = await readStream(own.SHOP);
  expect(ids).toHaveLength(26);
  expect(Math.max(...entries.map(({ length }) => length))).toBeGreaterThan(1);

  const all = await EventClient.open(`${ports.baristas}/events`, "0-0");
  await all.untilHeard(26);
  expect(all.ids).toEqual(ids);
  const theirs = all.events.filter(({ subject }) => subject === order_id).map(({ id }) => id);
  expect(theirs).toHaveLength(3);
  for (const [at, id] of ids.slice(0, -1).entries()) {
    const back = await EventClient.open(`${ports.baristas}/events`, id);
    await back.untilHeard(25 - at);
    expect(back.ids).toEqual(ids.slice(at + 1));
    back.hangUp();
    const rest = theirs.filter((their) => ids.indexOf(their) > at);
    const customer = await EventClient.open(ofOrder(ports, order_id), id);
    expect(await customer.untilOver()).toBe("ended");
    expect(customer.ids).toEqual(rest);
  }
  all.hangUp();
  await ports.stop();
});

test("who come back with their last event miss and repeat nothing, on two replicas, through restarts of both and of Redis", async () => {
  const redis = await TestRedis.start();
  try {
    const environment = { ...newShop(), REDIS_URL: redis.url, LIMIT_CAPACITY: "100000" };
    const first = await startServer(environment);
    const ports = { CUSTOMER_PORT: new URL(first.customers).port, BARISTA_PORT: new URL(first.baristas).port };
    const second = await startServer(environment);
    const urls = [`${first.baristas}/events`, `${second.baristas}/events`];
    const regulars = Array.from(
      { length: 20 },
      (_, at) => new ReturningClient(at % 2 === 0 ? urls : urls.toReversed()),
    );
    await Promise.all(regulars.map((regular) => regular.untilHere()));
    // A listener who never goes: they hear through the restart of Redis, on a connection that stays.
    const faithful = await EventClient.open(urls[1] ?? "");

    let isWriting = true;
    const writing = (async () => {
      while (isWriting) await place(second).catch(() => Bun.sleep(20));
    })();
    const some = async (): Promise<void> => {
      const before = faithful.events.length;
      await faithful.untilHeard(before + 10, 30_000);
    };
    await some();
    for (const regular of regulars.slice(0, 10)) regular.drop();
    await some();
    expect(await first.stop()).toBe(0);
    await some();
    const again = await startServer({ ...environment, ...ports });
    await some();
    await redis.kill();
    for (const regular of regulars.slice(5)) regular.drop();
    await redis.resume();
    await some();
    await again.stop("SIGKILL");
    await some();
    isWriting = false;
    await writing;

    const { ids } = await readStream(environment.SHOP, redis);
    await faithful.untilHeard(ids.length);
    expect(faithful.ids).toEqual(ids);
    for (const regular of regulars) {
      await regular.untilHeard(ids.at(-1));
      await regular.leave();
      expect(regular.comebacks).toBeGreaterThan(0);
      expect(regular.ids).toEqual(ids);
    }
    faithful.hangUp();
    expect(await second.stop()).toBe(0);
  } finally {
    await redis.stop();
  }
});

test("SIGTERM ends all streams cleanly and at once, and no listener comes anew", async () => {
  // Longer than the test may take: it would wait for a stream that does not end.
  const leaving = await startServer({ ...newShop(), DRAIN_SECONDS: "3600" });
  const { order_id } = await place(leaving);
  const listeners = [
    await EventClient.open(`${leaving.baristas}/events`),
    await EventClient.open(ofOrder(leaving, order_id)),
    await EventClient.open(`${leaving.baristas}/events`, "0-0"),
  ];
  expect(await leaving.stop()).toBe(0);
  expect(await Promise.all(listeners.map((listener) => listener.untilOver()))).toEqual(["ended", "ended", "ended"]);
});

test("while Redis is unavailable who listens stays, and who comes is answered 503 in the end", async () => {
  const redis = await TestRedis.start();
  try {
    const own = await startServer({ ...newShop(), REDIS_URL: redis.url, OUTAGE_SECONDS: "1" });
    const stays = await EventClient.open(`${own.baristas}/events`);
    const { order_id } = await place(own);
    await stays.untilHeard(1);
    await redis.kill();
    expectProblem(await ask(ofOrder(own, order_id)), 503);
    await redis.resume();
    await place(own);
    await stays.untilHeard(2);
    expect(stays.end).toBeUndefined();
    await own.stop();
  } finally {
    await redis.stop();
  }
});
