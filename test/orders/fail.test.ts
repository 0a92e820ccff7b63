/** Owns the tests of operations/fail.lua and operations/requeue.lua: orders that can't be made, now or ever. */
import { expect, test } from "bun:test";
import { TestOrders } from "../support/orders.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const NOW = { error: "no milk", retry: true, retryAfterMs: 0 } as const;

/** A shop in which Grace has A. */
async function openBrewing(): Promise<TestOrders> {
  const shop = await TestOrders.open();
  await shop.place(["A", "B"], { holder: "another replica" });
  await shop.start("Grace", { claimId: "c1" });
  return shop;
}

test("an order that failed and may be tried again stands at its old position, with its error", async () => {
  await using shop = await openBrewing();
  const changes = await shop.changes(async () => {
    const outcome = await shop.orders.fail({ orderId: "A", barista: "Grace", ...NOW });
    expect(outcome).toMatchObject({ kind: "changed", order: { status: "queued", attempts: 1, error: "no milk" } });
    expect(outcome).not.toHaveProperty("order.barista");
  });
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    "events.4": "nothing → order.failed A",
    "leases:default": "zset: A time → nothing",
    "order:A.barista": '"Grace" → nothing',
    "order:A.claim": "c1 → nothing",
    "order:A.failure": 'nothing → "no milk"',
    "order:A.started_at": "time → nothing",
    "order:A.status": "brewing → queued",
    "waiting:default": "zset: B number 2 → zset: A number 1, B number 2",
  });
  expect(await shop.start("Linus")).toBe("A");
  expect(await shop.orders.find("A")).toMatchObject({ order: { status: "brewing", attempts: 2, error: "no milk" } });
  expect(await shop.orders.finish({ orderId: "A" })).toMatchObject({ order: { status: "ready" } });
  expect(await shop.orders.find("A")).not.toHaveProperty("order.error");
});

test("with a delay it is queued, and not started before: by none who takes the next one", async () => {
  await using shop = await openBrewing();
  const changes = await shop.changes(() =>
    shop.orders.fail({ orderId: "A", barista: "Grace", ...NOW, retryAfterMs: HOUR_MS }),
  );
  expect(changes).toEqual({
    claims: "hash: c1 for A → nothing",
    "delayed:default": "nothing → zset: A time",
    "events.4": "nothing → order.failed A",
    "leases:default": "zset: A time → nothing",
    "order:A.barista": '"Grace" → nothing',
    "order:A.claim": "c1 → nothing",
    "order:A.due": "nothing → time",
    "order:A.failure": 'nothing → "no milk"',
    "order:A.started_at": "time → nothing",
    "order:A.status": "brewing → queued",
  });
  const dueMs = Number((await shop.record("A")).due);
  expect(dueMs - Date.now()).toBeWithin(HOUR_MS - 60_000, HOUR_MS + 1000);
  expect([await shop.start("Linus"), await shop.start("Linus")]).toEqual(["B", null]);
  const { nextMs } = await shop.orders.expire();
  expect(nextMs).toBeGreaterThan(0);
  expect((await shop.record("A")).due).toBe(String(dueMs));
});

test("once its time has come it is offered again, at its position, and waiting baristas are woken", async () => {
  await using shop = await TestOrders.open();
  expect(await shop.startOrWait("Ada")).toBeNull();
  await shop.place(["A", "B"]);
  await shop.start("Grace");
  await shop.orders.fail({ orderId: "A", ...NOW, retryAfterMs: HOUR_MS });
  await shop.comeDue("A");
  const wakes = await shop.wakes();
  const changes = await shop.changes(() => shop.orders.expire());
  expect(changes).toEqual({
    "delayed:default": "zset: A 1 → nothing",
    "order:A.due": "1 → nothing",
    "waiting:default": "zset: B number 2 → zset: A number 1, B number 2",
  });
  await until(() => wakes.length > 0, "a barista is woken");
  expect(wakes).toEqual(["1 default"]);
  // Another server that sweeps at the same time changes nothing more.
  expect(await shop.changes(() => shop.orders.expire())).toEqual({});
  expect([await shop.start("Linus"), await shop.start("Linus")]).toEqual(["A", "B"]);
});

test("one that waits can be chosen at once, and cancelled; neither leaves anything behind", async () => {
  await using shop = await openBrewing();
  await shop.orders.fail({ orderId: "A", ...NOW, retryAfterMs: HOUR_MS });
  expect(await shop.orders.start({ barista: "Linus", queue: "default", orderId: "A" })).toMatchObject({
    kind: "started",
    order: { attempts: 2 },
  });
  expect(await shop.state()).toMatchObject({ "leases:default": "zset: A time" });
  expect(await shop.state()).not.toHaveProperty(["delayed:default"]);
  await shop.orders.fail({ orderId: "A", ...NOW, retryAfterMs: HOUR_MS });
  const changes = await shop.changes(() =>
    shop.orders.cancel({ orderId: "A", canceller: "customer", reason: "customer" }),
  );
  expect(changes).toEqual({
    "bell:A": 'nothing → list with TTL: "", ""',
    "delayed:default": "zset: A time → nothing",
    "events.7": "nothing → order.cancelled A",
    "order:A": "order → order with TTL",
    "order:A.due": "time → nothing",
    "order:A.entry": "in the queue → not in the queue",
    "order:A.finished_at": "nothing → time",
    "order:A.reason": "nothing → customer",
    "order:A.status": "queued → cancelled",
    "queue:default": "stream: A, B → stream: B",
  });
});

const CANCELLED = {
  "bell:A": 'nothing → list with TTL: "", ""',
  dead: "nothing → zset: A time",
  "leases:default": "zset: A time → nothing",
  "order:A": "order → order with TTL",
  "order:A.entry": "in the queue → not in the queue",
  "order:A.finished_at": "nothing → time",
  "order:A.reason": "nothing → machine_error",
  "order:A.status": "brewing → cancelled",
  "queue:default": "stream: A, B → stream: B",
};

test("one that is not to be tried again is cancelled at once, with its error", async () => {
  await using shop = await openBrewing();
  const changes = await shop.changes(async () =>
    expect(
      await shop.orders.fail({ orderId: "A", barista: "Grace", error: "never", retry: false, retryAfterMs: HOUR_MS }),
    ).toMatchObject({
      kind: "changed",
      order: { status: "cancelled", reason: "machine_error", error: "never", barista: "Grace", attempts: 1 },
    }),
  );
  expect(changes).toEqual({
    ...CANCELLED,
    claims: "hash: c1 for A → nothing",
    "events.4": "nothing → order.cancelled A",
    "order:A.claim": "c1 → nothing",
    "order:A.failure": 'nothing → "never"',
    "spent:now": "nothing → set with TTL: c1",
  });
});

test("in its last attempt it is cancelled, whatever is asked for", async () => {
  await using shop = await openBrewing();
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await shop.orders.fail({ orderId: "A", ...NOW });
    expect(await shop.start("Linus")).toBe("A");
  }
  const changes = await shop.changes(async () =>
    expect(await shop.orders.fail({ orderId: "A", error: "still none", retry: true, retryAfterMs: 0 })).toMatchObject({
      order: { status: "cancelled", reason: "machine_error", error: "still none", attempts: 3 },
    }),
  );
  expect(changes).toEqual({
    ...CANCELLED,
    "events.8": "nothing → order.cancelled A",
    "order:A.failure": '"no milk" → "still none"',
  });
});

test("only who holds a brewing order may say that it failed", async () => {
  await using shop = await openBrewing();
  const changes = await shop.changes(async () => {
    expect(await shop.orders.fail({ orderId: "nobody's", ...NOW })).toEqual({ kind: "unknown" });
    expect(await shop.orders.fail({ orderId: "B", ...NOW })).toEqual({
      kind: "conflict",
      status: "queued",
      barista: "",
    });
    expect(await shop.orders.fail({ orderId: "A", barista: "Linus", ...NOW })).toEqual({
      kind: "conflict",
      status: "brewing",
      barista: "Grace",
    });
  });
  expect(changes).toEqual({});
});

test.each(["\n\t\u0000", '"},{', "Zoë ☕ 👩🏽‍🍳", "\u2028"])("an error comes back as it was: %j", async (error) => {
  await using shop = await openBrewing();
  expect(await shop.orders.fail({ orderId: "A", ...NOW, error })).toMatchObject({ order: { error } });
  expect(await shop.orders.find("A")).toMatchObject({ order: { error } });
});
