/** Owns the tests of limiter.ts, and of the buckets that operations take tokens of (redis/lib/admission.lua). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { Limiter, type LimiterSettings, type Verdict } from "../../src/limits/limiter.ts";
import type { Draft } from "../../src/orders/order.ts";
import type { PlaceOutcome } from "../../src/orders/operations/place.ts";
import { createOrders, type Orders } from "../../src/orders/orders.ts";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop } from "../../src/shop/settings.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { openTestShop, sharedRedis } from "../support/redis.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import { changesBy } from "../support/state.ts";
import { until } from "../support/until.ts";

let redis: ShopRedis;
let client: Redis;
let runs = 0;
let refused = 0;

const run: RunScript = (script, args) => {
  runs += 1;
  return redis.run(script, args);
};

/** An address that no other test of this file uses. */
const someone = () => crypto.randomUUID();
const keyOf = (address: string) => `${redis.keys.prefix}bucket:orders:${address}`;

/** A limiter, and what a server does with it for an order. */
class TestLimiter extends Limiter {
  readonly orders: Orders;

  constructor(own: Partial<LimiterSettings> = {}) {
    const settings = { policy: "orders", capacity: 3, refillPerSecond: 0.001, ...own };
    super(settings, { count: () => (refused += 1) });
    this.orders = createOrders(
      { run, runWhenReconnected: () => {} },
      {
        ...ORDER_SETTINGS,
        limitCapacity: settings.capacity,
        limitRefillPerSecond: settings.refillPerSecond,
      },
    );
  }

  async place(address: string, idempotencyKey?: string, draft: Draft = {}): Promise<PlaceOutcome> {
    const orderId = crypto.randomUUID();
    const bucket = this.bucketOf(address);
    return await this.orders.place({ orderId, queue: "default", draft, idempotencyKey, bucket });
  }

  /** Places an order: what the limiter says of it. */
  async take(address: string, idempotencyKey?: string): Promise<Verdict> {
    const outcome = await this.place(address, idempotencyKey);
    if (outcome.kind === "damaged") throw new Error(outcome.kind);
    return this.note(address, outcome.kind !== "denied", outcome.tokens);
  }

  /** Takes tokens one after the other. */
  async takeMany(address: string, count: number): Promise<Verdict[]> {
    return await Promise.all(Array.from({ length: count }, () => this.take(address)));
  }
}

/** Lets the time of a bucket pass: it was last looked at so many seconds earlier. */
async function pass(address: string, seconds: number): Promise<void> {
  const at = Number(await client.hget(keyOf(address), "at"));
  await client.hset(keyOf(address), "at", (at - seconds).toFixed(6));
}

beforeAll(async () => {
  ({ redis } = await openTestShop());
  client = (await sharedRedis()).connect();
});
afterAll(() => {
  client.disconnect();
  redis.close();
});

test("an address has as many tokens as the bucket holds, then is refused with the time of the next one", async () => {
  const limiter = new TestLimiter();
  const verdicts = await limiter.takeMany(someone(), 4);
  expect(verdicts.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
    [true, 2],
    [true, 1],
    [true, 0],
    [false, 0],
  ]);
  const [first, , third, fourth] = verdicts;
  // A token takes 1000 s.
  expect(first?.retryAfterMs).toBe(0);
  expect(first?.resetAfterMs).toBe(1_000_000);
  expect(third?.retryAfterMs).toBe(1_000_000);
  expect(fourth?.retryAfterMs).toBe(1_000_000);
  expect(fourth?.resetAfterMs).toBe(3_000_000);
});

test("addresses and policies have buckets of their own", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const other = new TestLimiter({ capacity: 1, policy: "others" });
  const [one, two] = [someone(), someone()];
  expect((await limiter.take(one)).allowed).toBe(true);
  expect((await limiter.take(two)).allowed).toBe(true);
  expect((await other.take(one)).allowed).toBe(true);
  expect((await limiter.take(one)).allowed).toBe(false);
});

test("replicas share a bucket", async () => {
  const here = new TestLimiter({ capacity: 2 });
  const there = new TestLimiter({ capacity: 2 });
  const address = someone();
  const verdicts = [await here.take(address), await there.take(address), await here.take(address)];
  expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, false]);
});

test("a bucket is forgotten when it would be full again", async () => {
  const limiter = new TestLimiter();
  const address = someone();
  const { resetAfterMs } = await limiter.take(address);
  const ttlMs = await client.pttl(keyOf(address));
  expect(ttlMs).toBeLessThanOrEqual(resetAfterMs);
  expect(ttlMs).toBeGreaterThan(resetAfterMs - 60_000);
});

test("a clock that was set back empties no bucket", async () => {
  const limiter = new TestLimiter();
  const address = someone();
  await limiter.take(address);
  await pass(address, -3600);
  expect(await limiter.take(address)).toMatchObject({ allowed: true, remaining: 1 });
});

test("whatever time passes, no more is allowed than was there at first and came since, and no less", async () => {
  const pauses = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.double({ min: 0, max: 30, noNaN: true })), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(
      pauses,
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom(0.1, 0.5, 1, 3),
      async (rounds, capacity, refillPerSecond) => {
        const limiter = new TestLimiter({ capacity, refillPerSecond });
        const address = someone();
        const begun = performance.now();
        let passed = 0;
        let allowed = 0;
        // What is there at least: as if no real time went by.
        let tokens = capacity;
        for (const [count, pause] of rounds) {
          for (const verdict of await limiter.takeMany(address, count)) {
            if (verdict.allowed) {
              allowed += 1;
              tokens = Math.max(0, tokens - 1);
            } else expect(tokens).toBeLessThan(1.001);
            const elapsed = passed + (performance.now() - begun) / 1000;
            expect(allowed).toBeLessThanOrEqual(capacity + refillPerSecond * elapsed + 0.001);
          }
          if ((await client.exists(keyOf(address))) === 0) continue;
          await pass(address, pause);
          passed += pause;
          tokens = Math.min(capacity, tokens + pause * refillPerSecond);
        }
      },
    ),
    { numRuns: 60 },
  );
}, 30_000);

test("a bucket refills steadily, and never over its rim", async () => {
  const limiter = new TestLimiter({ capacity: 5 });
  const address = someone();
  await limiter.takeMany(address, 5);
  await pass(address, 2500);
  expect(await limiter.take(address)).toMatchObject({ allowed: true, remaining: 1 });
  await pass(address, 1_000_000);
  expect(await limiter.take(address)).toMatchObject({ allowed: true, remaining: 4 });
});

test("who was refused is refused again without asking Redis, until a token is there", async () => {
  const limiter = new TestLimiter({ capacity: 1, refillPerSecond: 0.5 });
  const address = someone();
  expect(limiter.recall(address)).toBeUndefined();
  const [granted, denied] = await limiter.takeMany(address, 2);
  expect([granted?.allowed, denied?.allowed]).toEqual([true, false]);
  runs = 0;
  let recalled = 0;
  await until(() => {
    const verdict = limiter.recall(address);
    if (!verdict) return true;
    recalled += 1;
    expect(verdict).toMatchObject({ allowed: false, remaining: 0 });
    expect(verdict.retryAfterMs).toBeGreaterThan(0);
    expect(verdict.retryAfterMs).toBeLessThanOrEqual(denied?.retryAfterMs ?? 0);
    expect(verdict.resetAfterMs).toBeGreaterThanOrEqual(verdict.retryAfterMs);
    return false;
  }, "it may ask again");
  expect(recalled).toBeGreaterThan(0);
  expect(runs).toBe(0);
  expect((await limiter.take(address)).allowed).toBe(true);
});

/** What placing changes of the address's bucket: its tokens, or nothing. */
async function spent(address: string, act: () => Promise<unknown>): Promise<number> {
  const tokens = async () => Number((await client.hget(keyOf(address), "tokens")) ?? 10);
  const before = await tokens();
  await act();
  return Math.round(before - (await tokens()));
}

test("an order that was paid for is free to ask for again, also for an address that is out of tokens", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const [address, key] = [someone(), someone()];
  expect(await limiter.take(address, key)).toMatchObject({ allowed: true, remaining: 0 });
  expect((await limiter.take(address, someone())).allowed).toBe(false);
  expect((await limiter.take(address, key)).allowed).toBe(true);
  expect(await limiter.place(address, key)).toMatchObject({ kind: "joined" });
  expect(await limiter.place(address, key, { note: "another" })).toMatchObject({ kind: "mismatch" });
});

test("a token is spent by an order that got in, and by no other: joined, mismatched, placed before, denied", async () => {
  const limiter = new TestLimiter({ capacity: 10 });
  const [address, key, orderId] = [someone(), someone(), crypto.randomUUID()];
  const placement = { orderId, queue: "default", draft: {}, bucket: limiter.bucketOf(address) };
  expect(await spent(address, () => limiter.place(address, key))).toBe(1);
  expect(await spent(address, () => limiter.place(address, key))).toBe(0);
  expect(await spent(address, () => limiter.place(address, key, { note: "another" }))).toBe(0);
  expect(await spent(address, () => limiter.orders.place(placement))).toBe(1);
  expect(await spent(address, () => limiter.orders.place(placement))).toBe(0);
  await client.hset(keyOf(address), "tokens", "0.5");
  expect(await spent(address, () => limiter.place(address))).toBe(0);
  // Another address that brings the key spends none of its own.
  const other = someone();
  expect(await spent(other, () => limiter.place(other, key))).toBe(0);
  expect(await client.exists(keyOf(other))).toBe(0);
});

test("an order that the shop refuses spends no token, whyever, and a tried code of a reservation does", async () => {
  const { redis: own, prefix } = await openTestShop();
  const orders = createOrders(own, { ...ORDER_SETTINGS, limitCapacity: 10, limitRefillPerSecond: 0.001 });
  const { change } = createShop(own, "default");
  const { code } = await createCodes(own)();
  const place = (draft: Draft) =>
    orders.place({ orderId: crypto.randomUUID(), queue: "default", draft, bucket: "orders:a" });
  const rejections = async (why: string, draft: Draft = {}) =>
    await changesBy(client, prefix, async () => {
      expect(await place(draft)).toMatchObject({ kind: "refused", why, tokens: { remaining: 10, resetAfterMs: 0 } });
    });
  const counted = { "events.N": "one more" };
  const changesOf = async (why: string, draft?: Draft) =>
    Object.fromEntries(
      Object.entries(await rejections(why, draft)).map(([line, what]) =>
        line.startsWith("events.") && what.includes("shop.refused") ? ["events.N", "one more"] : [line, what],
      ),
    );
  expect(await changesOf("unknown_item", { item: "tea" })).toEqual({});
  expect(await changesOf("unknown_modifier", { modifiers: { size: "big" } })).toEqual({});
  await change({ require_code: true });
  expect(await changesOf("code_required")).toEqual({});
  expect(await changesOf("code_wrong", { code: "AAAAAAAAAAAA" })).toEqual({});
  await change({ require_code: false, capacity: 0 });
  expect(await changesOf("full")).toEqual(counted);
  await change({ capacity: null, open: false });
  expect(await changesOf("closed")).toEqual(counted);
  await change({ open: true });

  const reserve = (tried: string) =>
    orders.reserve({ orderId: crypto.randomUUID(), draft: { code: tried }, bucket: "orders:a" });
  expect(await reserve("AAAAAAAAAAAA")).toMatchObject({ kind: "refused", why: "code_wrong", tokens: { remaining: 9 } });
  expect(await reserve(code)).toMatchObject({ kind: "reserved", tokens: { remaining: 8 } });
  await client.hset(`${prefix}bucket:orders:a`, "tokens", "0");
  const denied = await changesBy(client, prefix, async () =>
    expect(await reserve(code)).toMatchObject({ kind: "denied", tokens: { remaining: 0 } }),
  );
  expect(denied).toEqual({});
  orders.close();
  own.close();
});

test("an order without a bucket has no limit, and leaves none behind", async () => {
  const { orders } = new TestLimiter({ capacity: 1 });
  const before = (await client.keys(`${redis.keys.prefix}bucket:*`)).length;
  const ids = Array.from({ length: 5 }, () => crypto.randomUUID());
  const outcomes = await Promise.all(ids.map((orderId) => orders.place({ orderId, queue: "default", draft: {} })));
  expect(outcomes.map(({ kind }) => kind)).toEqual(ids.map(() => "placed"));
  expect(await client.keys(`${redis.keys.prefix}bucket:*`)).toHaveLength(before);
});

test("of a refused address a bounded number that bring a key may ask Redis, and no more while it stays refused", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const address = someone();
  await limiter.takeMany(address, 2);
  let queries = 0;
  for (let request = 0; request < 100; request += 1) {
    if (limiter.recall(address, true)) continue;
    queries += 1;
    expect((await limiter.take(address, `key-${request}`)).allowed).toBe(false);
  }
  expect(queries).toBe(10);
  expect(limiter.recall(address)).toMatchObject({ allowed: false });
});

test("every rejection is counted, whatever decides it", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const address = someone();
  const before = refused;
  await limiter.takeMany(address, 3);
  limiter.recall(address);
  limiter.recall(someone());
  expect(refused - before).toBe(3);
});

test("who has a token is not refused from memory; who took the last one is, until there is another", async () => {
  const limiter = new TestLimiter();
  const address = someone();
  await limiter.takeMany(address, 2);
  expect(limiter.recall(address)).toBeUndefined();
  expect((await limiter.take(address)).allowed).toBe(true);
  expect(limiter.recall(address)?.allowed).toBe(false);
});

test("a flood from one address asks Redis once", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const address = someone();
  runs = 0;
  await limiter.takeMany(address, 2);
  for (let request = 0; request < 10_000; request++) expect(limiter.recall(address)?.allowed).toBe(false);
  expect(runs).toBe(1);
});

test("so many refused addresses are remembered, and the one remembered longest is forgotten first", async () => {
  const limiter = new TestLimiter({ capacity: 1 });
  const flood = Array.from({ length: 10_001 }, (_, index) => `flood-${index}`);
  for (let round = 1; round <= 2; round++) await Promise.all(flood.map((address) => limiter.take(address)));
  const forgotten = flood.filter((address) => limiter.recall(address) === undefined);
  expect(forgotten).toEqual(["flood-0"]);
}, 30_000);

test("the headers say the policy, what is left, and when to come back", () => {
  const limiter = new TestLimiter({ capacity: 250, refillPerSecond: 2 });
  expect(limiter.headers({ allowed: true, remaining: 249, retryAfterMs: 0, resetAfterMs: 500 })).toEqual({
    "RateLimit-Policy": '"orders";q=250;w=125',
    RateLimit: '"orders";r=249;t=1',
  });
  expect(limiter.headers({ allowed: true, remaining: 0, retryAfterMs: 500, resetAfterMs: 125_000 })).toEqual({
    "RateLimit-Policy": '"orders";q=250;w=125',
    RateLimit: '"orders";r=0;t=1',
  });
  expect(limiter.headers({ allowed: false, remaining: 0, retryAfterMs: 61_001, resetAfterMs: 125_000 })).toEqual({
    "RateLimit-Policy": '"orders";q=250;w=125',
    RateLimit: '"orders";r=0;t=62',
    "Retry-After": "62",
  });
  // Zero would be asked again at once.
  expect(limiter.headers({ allowed: false, remaining: 0, retryAfterMs: 0, resetAfterMs: 1 })).toMatchObject({
    "Retry-After": "1",
  });
});

test("a bucket that fails, fails alone", async () => {
  const limiter = new TestLimiter();
  const [one, broken] = [someone(), someone()];
  await client.set(keyOf(broken), "no hash");
  const outcomes = await Promise.allSettled([limiter.take(broken), limiter.take(one)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  expect(limiter.recall(broken)).toBeUndefined();
});
