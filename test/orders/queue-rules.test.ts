/** Owns the tests of the rules of queues of machines: declared, listed, and in force for what is in them. */
import { expect, test } from "bun:test";
import { pino } from "pino";
import { declareQueues } from "../../src/orders/queues.ts";
import { QUEUE_RULES, TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const { name: queue } = QUEUE_RULES;

async function openShop(own: Partial<typeof QUEUE_RULES> = {}): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.declare(own);
  return shop;
}

async function leaseMs(shop: TestOrders, id: string): Promise<number> {
  const [seconds] = await shop.client.time();
  return Number(await shop.client.zscore(shop.key(`leases:${queue}`), id)) - Number(seconds) * 1000;
}

test("a queue is declared with its rules; others of before are said, the same ones are not", async () => {
  await using shop = await TestOrders.open();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const declare = (own: object) => declareQueues(shop.redis.run, [{ ...QUEUE_RULES, ...own }], log);
  expect(await shop.changes(() => declare({}))).toEqual({
    "queue-rules": "nothing → hash",
    "queue-rules.thumbs": "nothing → 60000 2 3600000 100 3 0.5",
    queues: "nothing → set: thumbs",
  });
  expect(await shop.changes(() => declare({}))).toEqual({});
  expect(lines).toEqual([]);
  await declare({ leaseSeconds: 2.5 });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('"queue":"thumbs"');
  expect(await shop.client.hget(shop.key("queue-rules"), queue)).toBe("2500 2 3600000 100 3 0.5");
});

test("its lease is the queue's: at a start, and at each extend", async () => {
  await using shop = await openShop();
  await shop.call(["A"]);
  await shop.start("Grace", { queue });
  expect(await leaseMs(shop, "A")).toBeWithin(58_000, 61_001);
  await shop.declare({ leaseSeconds: 600 });
  await shop.orders.extend({ orderId: "A" });
  expect(await leaseMs(shop, "A")).toBeWithin(598_000, 601_001);
});

test("an order may fail as often as its queue's rules say", async () => {
  await using shop = await openShop({ maxAttempts: 2 });
  await shop.call(["A"]);
  for (const status of ["queued", "cancelled"]) {
    expect(await shop.start("Grace", { queue })).toBe("A");
    expect(await shop.orders.fail({ orderId: "A", error: "no", retry: true, retryAfterMs: 0 })).toMatchObject({
      order: { status },
    });
  }
  await shop.declare({ maxAttempts: 5 });
  await shop.call(["B"]);
  for (let attempt = 1; attempt < 5; attempt += 1) {
    await shop.start("Grace", { queue });
    expect(await shop.orders.fail({ orderId: "B", error: "no", retry: true, retryAfterMs: 0 })).toMatchObject({
      order: { status: "queued", attempts: attempt },
    });
  }
});

test("as many of its leases may run out as its queue's rules say, whatever the counter's are", async () => {
  await using shop = await openShop({ maxAttempts: 2, leaseSeconds: 0.05 });
  await shop.place(["counter"]);
  await shop.start("Grace", { orders: shop.ordersWith({ leaseSeconds: 0.05 }) });
  await shop.call(["A"]);
  for (let lease = 1; lease <= 2; lease += 1)
    await until(async () => (await shop.start("Grace", { queue })) === "A", "its lease runs out");
  await until(async () => (await shop.orders.expire()).cancelled === 1, "its last lease runs out");
  expect(await shop.orders.find("A")).toMatchObject({ order: { reason: "barista_timeout", attempts: 2 } });
  expect(await shop.orders.find("counter")).toMatchObject({ order: { status: "brewing" } });
});

test("a final order is kept as long as its queue's rules say, and its key", async () => {
  await using shop = await openShop();
  await shop.place(["counter"], { idempotencyKey: "c" });
  await shop.call(["A", "B"], { idempotencyKey: "k" });
  await shop.call(["C"], { idempotencyKey: "l" });
  for (const orderId of ["counter", "A", "C"]) {
    await shop.orders.start({ barista: "Grace", queue, orderId });
    await shop.orders.finish({ orderId, result: "1" });
  }
  for (const name of ["order:A", "order:C", "once:k", "once:l"])
    expect(await shop.ttlMs(name)).toBeWithin(3_590_000, 3_600_001);
  for (const name of ["order:counter", "once:c"]) expect(await shop.ttlMs(name)).toBeWithin(600_000_000, 604_800_001);
});

test("queues are listed: how long they are, and who works there", async () => {
  await using shop = await openShop();
  await shop.declare({ name: "mail" });
  await shop.start('Grace "G"', { queue });
  await shop.call(["A", "B", "C"]);
  await shop.start("Linus", { queue });
  await shop.start("Ada");
  const [thumbs, mail] = await shop.orders.listQueues([queue, "mail"]);
  expect(thumbs).toMatchObject({ queue, depth: 2, scheduled: 0, brewing: 1 });
  expect(thumbs?.oldestWaitingSeconds).toBeWithin(0, 60);
  expect(thumbs?.workers.map(({ name }) => name).toSorted()).toEqual(['Grace "G"', "Linus"]);
  for (const { seenAt } of thumbs?.workers ?? []) expect(Date.now() - Date.parse(seenAt)).toBeWithin(-1000, 60_000);
  expect(mail).toEqual({
    queue: "mail",
    depth: 0,
    scheduled: 0,
    brewing: 0,
    oldestWaitingSeconds: null,
    workers: [],
  });
  // Who has not asked for an hour is not shown.
  await shop.client.zadd(shop.key("workers:thumbs"), Date.now() - 3_700_000, '"Linus"');
  const [later] = await shop.orders.listQueues([queue]);
  expect(later?.workers.map(({ name }) => name)).toEqual(['Grace "G"']);
});

test("a server declares its queues also where a key for that is damaged: it starts, and the key is named", async () => {
  await using shop = await TestOrders.open();
  for (const name of ["queue-rules", "queues"]) await shop.client.set(shop.key(name), "of another type");
  expect(await shop.changes(() => shop.declare())).toEqual({});
  const { keys } = await shop.orders.inspect(10);
  expect(keys.map(({ key }) => key).toSorted()).toEqual([shop.key("queue-rules"), shop.key("queues")]);
});

test("a damaged index of one queue hides no other from the list", async () => {
  await using shop = await openShop();
  await shop.declare({ name: "mail" });
  await shop.call(["A"], { queue: "mail" });
  for (const name of ["waiting:thumbs", "leases:thumbs", "scheduled:thumbs", "delayed:thumbs", "workers:thumbs"])
    await shop.client.set(shop.key(name), "of another type");
  const [thumbs, mail] = await shop.orders.listQueues([queue, "mail"]);
  expect(thumbs).toMatchObject({ depth: 0, scheduled: 0, brewing: 0, oldestWaitingSeconds: null, workers: [] });
  expect(mail).toMatchObject({ depth: 1 });
});

test("a damaged list of workers keeps none from work", async () => {
  await using shop = await openShop();
  await shop.client.set(shop.key("workers:thumbs"), "of another type");
  await shop.call(["A"]);
  expect(await shop.start("Grace", { queue })).toBe("A");
});
