/**
 * Listeners on a real Redis: each hears every event once and in order, whatever becomes of Redis, the reader or the
 * others.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import type { ChainableCommander } from "ioredis";
import { FINAL_TYPES } from "../../src/events/event.ts";
import type { EventFeed } from "../../src/events/feed.ts";
import { RedisUnavailableError } from "../../src/redis/unavailable.ts";
import { TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { TestListener, FeedFixture } from "./feeds.ts";
import { wholeLife } from "./whole-life.ts";

setDefaultTimeout(60_000);

async function open(maxListeners?: number): Promise<{ fixture: FeedFixture; feed: EventFeed }> {
  const fixture = await FeedFixture.open();
  return { fixture, feed: await fixture.feed(maxListeners) };
}

const untilHeard = (listener: TestListener, count: number) =>
  until(() => listener.heard.length >= count, `${count} events are heard`);

function addShopEvent(fixture: FeedFixture, multi: ChainableCommander): void {
  const { id, fields } = fixture.nextEntry([{ type: "shop.changed", members: "" }]);
  multi.xadd(fixture.key, id, ...fields);
}

describe("a listener", () => {
  test("hears what comes from now on, and nothing of before", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    await fixture.append();
    const listener = await TestListener.listen(feed);
    const ids = [await fixture.append({ orderId: "b" }), await fixture.append({ type: "shop.changed" })];
    await untilHeard(listener, 2);
    expect(listener.ids).toEqual(ids);
    expect(listener.heard[0]).toMatchObject({ type: "order.placed", subject: "b", data: { order_id: "b", n: 1 } });
  });

  test("hears what came between subscribing and following", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const other = await TestListener.listen(feed);
    const listener = await TestListener.subscribe(feed);
    const ids = await fixture.appendMany(3);
    await untilHeard(other, 3);
    listener.follow();
    await untilHeard(listener, 3);
    expect(listener.ids).toEqual(ids);
  });

  test("hears what they asked for and nothing else", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const all = await TestListener.listen(feed);
    const listeners = [
      await TestListener.listen(feed, { orderId: "a" }),
      await TestListener.listen(feed, { types: ["order.placed", "shop.changed"] }),
      await TestListener.listen(feed, { types: ["shop.changed", "order.placed"] }),
      await TestListener.listen(feed, { orderId: "a", types: ["order.started"] }),
    ];
    for (const orderId of ["a", "b"]) {
      for (const type of ["order.placed", "order.started", "order.extended"]) await fixture.append({ type, orderId });
    }
    await fixture.append({ type: "shop.changed" });
    await untilHeard(all, 7);
    const heard = listeners.map((listener) =>
      listener.heard.map(({ type, subject }) => [type.split(".")[1], subject].join(" ").trim()),
    );
    expect(heard).toEqual([
      ["placed a", "started a", "extended a"],
      ["placed a", "placed b", "changed"],
      ["placed a", "placed b", "changed"],
      ["started a"],
    ]);
  });

  test("is written to once for what came together", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listeners = await Promise.all(Array.from({ length: 3 }, () => TestListener.listen(feed)));
    const multi = fixture.outside.multi();
    for (let n = 0; n < 50; n += 1) addShopEvent(fixture, multi);
    await multi.exec();
    for (const listener of listeners) {
      await untilHeard(listener, 50);
      expect(listener.writes).toBe(1);
    }
  });

  test("hears all events of one entry in their order, each with an id of its own, and of each what they asked for", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const all = await TestListener.listen(feed);
    const [one, until1] = [
      await TestListener.listen(feed, { orderId: "b" }),
      await TestListener.listen(feed, { orderId: "a", until: FINAL_TYPES }),
    ];
    const types = ["order.placed", "order.started", "order.finished"];
    const drafts = types.flatMap((type) => ["a", "b"].map((orderId) => ({ type, orderId })));
    const ids = await fixture.appendTogether([...drafts, { type: "shop.changed", members: '"open":true' }]);
    await untilHeard(all, 7);
    expect(all.ids).toEqual(ids);
    expect(all.heard.map(({ type, subject }) => [type, subject])).toEqual([
      ...drafts.map(({ type, orderId }) => [type, orderId]),
      ["shop.changed", undefined],
    ]);
    expect(all.heard.at(-1)?.data).toEqual({ open: true });
    await untilHeard(one, 3);
    expect(one.ids).toEqual([ids[1], ids[3], ids[5]].map(String));
    await until(() => until1.ended === 1, "the stream is ended");
    expect(until1.types).toEqual(types);
  });

  test("among many keeps none waiting for long; who comes in between hears everything once", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const first = await TestListener.listen(feed);
    const listeners = [first, ...(await Promise.all(Array.from({ length: 999 }, () => TestListener.listen(feed))))];
    const between: { heard: number; comer: Promise<TestListener> }[] = [];
    first.onEvent = ({ id }) => {
      setImmediate(() => {
        const heard = listeners.filter((listener) => listener.ids.includes(id)).length;
        between.push({ heard, comer: TestListener.listen(feed, {}, id) });
      });
    };
    const ids = [await fixture.append(), await fixture.append(), await fixture.append()];
    for (const listener of listeners) await untilHeard(listener, 3);
    expect(listeners.every((listener) => listener.ids.join() === ids.join())).toBe(true);
    // Each time a part of them had heard of it.
    expect(between.map(({ heard }) => heard > 0 && heard < 1000)).toEqual([true, true, true]);
    first.onEvent = () => {};
    const last = await fixture.append();
    for (const [at, { comer }] of between.entries()) {
      const listener = await comer;
      await until(() => listener.ids.at(-1) === last, "the last one is heard");
      expect(listener.ids).toEqual([...ids.slice(at + 1), last]);
    }
  });

  test("hears nothing after leaving, and leaving again ends no other subscription", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const [leaves, stays] = [await TestListener.listen(feed), await TestListener.listen(feed)];
    leaves.subscription.unsubscribe();
    leaves.subscription.unsubscribe();
    expect(feed.listeners).toBe(1);
    await fixture.append();
    await untilHeard(stays, 1);
    expect(leaves.heard).toEqual([]);
  });

  test("to one order until its end is ended by it", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listener = await TestListener.listen(feed, { orderId: "a", until: FINAL_TYPES });
    const other = await TestListener.listen(feed, { orderId: "a" });
    for (const type of ["order.placed", "order.cancelled"]) await fixture.append({ type, orderId: "a" });
    await until(() => listener.ended === 1, "the stream is ended");
    expect(listener.types).toEqual(["order.placed", "order.cancelled"]);
    expect({ ended: other.ended, listeners: feed.listeners }).toEqual({ ended: 0, listeners: 1 });
  });
});

describe("a listener who comes back", () => {
  test("hears what came after their last event, over many pages, then what comes", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const ids = await fixture.appendMany(1200);
    const listener = await TestListener.listen(feed, {}, ids[99]);
    await untilHeard(listener, 1100);
    const more = await fixture.appendMany(5);
    await untilHeard(listener, 1105);
    expect(listener.ids).toEqual([...ids.slice(100), ...more]);
  });

  test("with an event in the middle of an entry hears the rest of it, then what comes", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const ids = await fixture.appendTogether(
      Array.from({ length: 5 }, (_one, at) => ({ orderId: at % 2 ? "b" : "a" })),
    );
    const all = await Promise.all(["0-0", ...ids].map((after) => TestListener.listen(feed, {}, after)));
    const some = await Promise.all(["0-0", ...ids].map((after) => TestListener.listen(feed, { orderId: "a" }, after)));
    const next = await fixture.appendTogether([{ orderId: "a" }, { orderId: "b" }, { orderId: "a" }]);
    for (const [at, listener] of all.entries()) {
      await untilHeard(listener, 8 - at);
      expect(listener.ids).toEqual([...ids.slice(at), ...next]);
    }
    for (const [at, listener] of some.entries()) {
      const expected = [...ids.filter((_id, index) => index >= at && index % 2 === 0), next[0], next[2]];
      await untilHeard(listener, expected.length);
      expect(listener.ids).toEqual(expected.map(String));
    }
  });

  test("with the newest event hears what comes, and only that", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const ids = await fixture.appendMany(3);
    const listener = await TestListener.listen(feed, {}, ids[2]);
    const next = await fixture.append();
    await untilHeard(listener, 1);
    expect(listener.ids).toEqual([next]);
  });

  test("with an event that is yet to come hears what comes from now on", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    await fixture.append();
    const all = await TestListener.listen(feed);
    const listener = await TestListener.listen(feed, {}, "999999999999999-0");
    await until(() => feed.listeners === 2, "both listen");
    const ids = await Promise.all([fixture.append(), fixture.append()]);
    await untilHeard(all, 2);
    await untilHeard(listener, 1);
    // The look at the stream may come after the first.
    expect([ids, ids.slice(1)]).toContainEqual(listener.ids);
  });

  test("for more than is kept learns so first, then all that is kept", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const ids = await fixture.appendMany(10);
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 3);
    const listener = await TestListener.listen(feed, { types: ["order.placed"] }, ids[1]);
    await untilHeard(listener, 4);
    expect(listener.types).toEqual(["events.missed", "order.placed", "order.placed", "order.placed"]);
    expect(listener.heard[0]?.data).toEqual({ after: ids[1] });
    expect(listener.ids.slice(1)).toEqual(ids.slice(7));
  });

  test("is ended by the order's end, where that has been", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const placed = await fixture.append({ orderId: "a" });
    await fixture.append({ type: "order.finished", orderId: "a" });
    await fixture.append({ orderId: "b" });
    const listener = await TestListener.listen(feed, { orderId: "a", until: FINAL_TYPES }, placed);
    await until(() => listener.ended === 1, "the stream is ended");
    expect(listener.types).toEqual(["order.finished"]);
    expect(feed.listeners).toBe(0);
  });

  test("and reads slowly is sent no more than they take", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const ids = await fixture.appendMany(1000);
    const quick = await TestListener.listen(feed, {}, "0-0");
    const slow = await TestListener.subscribe(feed);
    slow.fallBehind();
    slow.follow({}, "0-0");
    await untilHeard(quick, 1000);
    await until(() => slow.heard.length > 0, "the first page is delivered");
    const [first, more] = [slow.heard.length, await fixture.appendMany(3)];
    await untilHeard(quick, 1003);
    expect(slow.heard.length).toBe(first);
    slow.catchUp();
    await untilHeard(slow, 1003);
    expect(slow.ids).toEqual([...ids, ...more]);
  });

  test("wherever they join, on two replicas, while events come without a pause: nothing is missed or repeated", async () => {
    await using fixture = await FeedFixture.open();
    const feeds = [await fixture.feed(), await fixture.feed()];
    const ids = await fixture.appendMany(200);
    for (let n = 0; n < 100; n += 1) ids.push(...(await fixture.appendTogether([{}, {}, { orderId: "b" }, {}])));
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) {
        ids.push(...(await fixture.appendMany(2)));
        ids.push(...(await fixture.appendTogether([{}, { type: "shop.changed" }, { orderId: "b" }, {}])));
      }
    })();
    const visit = fc.record({ feed: fc.nat(1), back: fc.nat(700), stays: fc.nat(30), turns: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(visit, async ({ feed, back, stays, turns }) => {
        let last = ids.at(-1 - Math.min(back, ids.length - 1)) ?? "";
        const begun = last;
        const heard: string[] = [];
        // Goes and comes again, now here and now there, with the last event that was heard.
        for (let turn = 0; turn <= turns; turn += 1) {
          const listener = await TestListener.listen(feeds[(feed + turn) % 2] as EventFeed, {}, last);
          await until(() => listener.heard.length > stays, "something is heard");
          listener.subscription.unsubscribe();
          heard.push(...listener.ids);
          last = heard.at(-1) ?? last;
        }
        await until(() => ids.includes(last), "the writer knows of it");
        expect(heard).toEqual(ids.slice(ids.indexOf(begun) + 1, ids.indexOf(last) + 1));
      }),
      { numRuns: 60 },
    );
    isWriting = false;
    await writing;
  });
});

describe("an order that is over", () => {
  const ended = (orderId: string, after: string | undefined, finishedMs: number) => ({
    orderId,
    after,
    until: FINAL_TYPES,
    finishedMs,
  });
  const read = async (feed: EventFeed, order: ReturnType<typeof ended>): Promise<string> =>
    [...new TextDecoder().decode(await feed.readReplay(order)).matchAll(/^event: (.*)$/gm)]
      .map(([, type]) => type)
      .join();

  test("gives its last event, or all after the one that its customer has, or nothing", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const placed = await fixture.append({ orderId: "a" }, 100_000);
    const started = await fixture.append({ type: "order.started", orderId: "a" }, 150_000);
    for (let n = 0; n < 600; n += 1) await fixture.append({ orderId: "b" }, 150_001 + n);
    const finished = await fixture.append({ type: "order.finished", orderId: "a" }, 200_001);
    await fixture.append({ type: "order.finished", orderId: "b" }, 200_001);
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("order.finished");
    expect(await read(feed, ended("a", "0-0", 200_000))).toBe("order.placed,order.started,order.finished");
    expect(await read(feed, ended("a", placed, 200_000))).toBe("order.started,order.finished");
    expect(await read(feed, ended("a", started, 200_000))).toBe("order.finished");
    expect(await read(feed, ended("a", finished, 200_000))).toBe("");
    expect(await read(feed, ended("a", "999999999-0", 200_000))).toBe("");
    expect(await read(feed, ended("c", undefined, 200_000))).toBe("");
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 2);
    expect(await read(feed, ended("a", started, 200_000))).toBe("events.missed,order.finished");
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("order.finished");
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 1);
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("");
  });
});

describe("Redis", () => {
  test("has one connection for all who listen, and none while there is no listener", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    expect(await fixture.connections("events")).toEqual([]);
    const listeners = await Promise.all(Array.from({ length: 1000 }, () => TestListener.listen(feed)));
    await until(async () => (await fixture.connections("events")).length > 0, "the reader is connected");
    const id = await fixture.append();
    for (const listener of listeners) await untilHeard(listener, 1);
    expect(listeners.every((listener) => listener.ids.join() === id)).toBe(true);
    expect(await fixture.connections("events")).toHaveLength(1);
    for (const listener of listeners) listener.subscription.unsubscribe();
    await until(async () => (await fixture.connections("events")).length === 0, "the connection is closed");
    const again = await TestListener.listen(feed);
    await fixture.append();
    await untilHeard(again, 1);
    expect(await fixture.connections("events")).toHaveLength(1);
  });

  test("loses the connection again and again: nothing is missed, nothing comes twice", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listener = await TestListener.listen(feed);
    const ids: string[] = [];
    for (let time = 0; time < 10; time += 1) {
      await fixture.kill("events").catch(() => {});
      ids.push(...(await fixture.appendMany(20)));
      await Bun.sleep(time * 5);
    }
    await untilHeard(listener, ids.length);
    expect(listener.ids).toEqual(ids);
  });

  test("is killed and comes back: who listens goes on, who comes meanwhile waits", async () => {
    const server = await TestRedis.start();
    try {
      await using fixture = await FeedFixture.open(server);
      const [feed, other] = [await fixture.feed(), await fixture.feed()];
      const listener = await TestListener.listen(feed);
      const ids = await fixture.appendMany(10);
      await untilHeard(listener, 10);
      await server.kill();
      const waiting = TestListener.listen(other, {}, ids[4]);
      await Bun.sleep(300);
      await server.resume();
      ids.push(...(await fixture.appendMany(10)));
      await untilHeard(listener, 20);
      expect(listener.ids).toEqual(ids);
      const late = await waiting;
      await untilHeard(late, 15);
      expect(late.ids).toEqual(ids.slice(5));
    } finally {
      await server.stop();
    }
  });

  test("stays unavailable: who comes learns so, and keeps no subscription", async () => {
    const server = await TestRedis.start();
    try {
      await using fixture = await FeedFixture.open(server);
      const feed = await fixture.feed();
      await server.kill();
      const taking = await Promise.allSettled([feed.subscribe(), feed.subscribe()]);
      for (const { reason } of taking as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(RedisUnavailableError);
      expect(feed.listeners).toBe(0);
    } finally {
      await server.stop();
    }
  });

  test("has forgotten, while the reader had no connection, what no listener heard: all are ended, and learn it when they come back", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const [listener, other] = [await TestListener.listen(feed), await TestListener.listen(feed, { orderId: "a" })];
    const [last = ""] = await fixture.appendMany(1);
    await untilHeard(listener, 1);
    const [connection] = await fixture.connections("events");
    // In one step, as if the reader had had no connection for long.
    const multi = fixture.outside.multi();
    multi.call("CLIENT", "KILL", "ID", connection?.id ?? "");
    for (let n = 0; n < 20; n += 1) addShopEvent(fixture, multi);
    await multi.xtrim(fixture.key, "MAXLEN", 5).exec();
    await until(() => listener.ended + other.ended === 2, "both are ended");
    const back = await TestListener.listen(feed, {}, last);
    await untilHeard(back, 6);
    expect(back.types).toEqual(["events.missed", ...Array.from({ length: 5 }, () => "shop.changed")]);
  });

  test("has lost the stream: who had heard all of it goes on, and none is said to have missed anything", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listener = await TestListener.listen(feed);
    const [last = ""] = await fixture.appendMany(1);
    await untilHeard(listener, 1);
    await fixture.outside.del(fixture.key);
    const back = await TestListener.listen(feed, {}, last);
    const ids = [await fixture.append(), await fixture.append()];
    for (const [one, before] of [
      [listener, [last]],
      [back, []],
    ] as const) {
      await untilHeard(one, before.length + 2);
      expect(one.ids).toEqual([...before, ...ids]);
      expect(new Set(one.types)).toEqual(new Set(["order.placed"]));
    }
  });

  test("has lost the stream, and nothing came since: who had not heard all of it learns so", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const [first, last] = [await fixture.append(), await fixture.append()];
    await fixture.outside.del(fixture.key);
    // The count is kept apart from the stream.
    await fixture.outside.set(`${fixture.key}:count`, 2);
    const [behind, atTheEnd] = [await TestListener.listen(feed, {}, first), await TestListener.listen(feed, {}, last)];
    await until(() => behind.types.length === 1, "one has learnt it");
    const next = await fixture.append();
    for (const listener of [behind, atTheEnd]) await until(() => listener.ids.includes(next), "both go on");
    expect(behind.types).toEqual(["events.missed", "order.placed"]);
    expect(atTheEnd.types).toEqual(["order.placed"]);
  });

  test("has lost the stream: who had not heard all of it learns so, once, before what comes", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listener = await TestListener.listen(feed);
    const [first, second] = [await fixture.append(), await fixture.append()];
    await untilHeard(listener, 2);
    await fixture.outside.del(fixture.key);
    const next = await fixture.append();
    await untilHeard(listener, 3);
    const [behind, abreast] = [await TestListener.listen(feed, {}, first), await TestListener.listen(feed, {}, second)];
    const after = await fixture.append();
    await untilHeard(behind, 3);
    expect(behind.types).toEqual(["events.missed", "order.placed", "order.placed"]);
    expect(behind.ids).toEqual(["", next, after]);
    await untilHeard(abreast, 2);
    expect(abreast.ids).toEqual([next, after]);
    await untilHeard(listener, 4);
    expect(listener.ids).toEqual([first, second, next, after]);
  });
});

describe("a feed", () => {
  test("has so many places and no more, until one is given back", async () => {
    const { fixture, feed } = await open(2);
    await using _ = fixture;
    const [first] = [await TestListener.listen(feed), await TestListener.listen(feed)];
    expect(await feed.subscribe()).toEqual({ kind: "full" });
    first?.subscription.unsubscribe();
    await TestListener.listen(feed);
    expect(feed.listeners).toBe(2);
  });

  test("that closes ends all, once, and lets no more in", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const listeners = [
      await TestListener.listen(feed),
      await TestListener.listen(feed, {}, "0-0"),
      await TestListener.subscribe(feed),
    ];
    const taking = feed.subscribe();
    feed.close();
    listeners[2]?.follow();
    expect(listeners.map(({ ended }) => ended)).toEqual([1, 1, 1]);
    expect((await taking).kind).toBe("closing");
    expect(await feed.subscribe()).toEqual({ kind: "closing" });
    expect(feed.listeners).toBe(0);
    await until(async () => (await fixture.connections("events")).length === 0, "the connection is closed");
  });

  test("that closes while its first listener comes leaves no connection", async () => {
    const { fixture, feed } = await open();
    await using _ = fixture;
    const taking = feed.subscribe();
    feed.close();
    expect(await taking).toEqual({ kind: "closing" });
    expect(await fixture.connections("events")).toEqual([]);
  });

  test("leaves nothing behind that keeps a process alive", async () => {
    await using fixture = await FeedFixture.open();
    const program = join(import.meta.dir, "whole-life.ts");
    const child = Bun.spawn([process.execPath, program, fixture.server.url, fixture.shop], { stdout: "pipe" });
    let exitCode: number | undefined;
    void child.exited.then((code) => (exitCode = code));
    try {
      await until(() => exitCode !== undefined, "the program ends by itself");
    } finally {
      child.kill();
    }
    expect([exitCode, await child.stdout.text()]).toEqual([0, "closed\n"]);
  });

  test("leaves nothing behind in a process that lives on", async () => {
    await using fixture = await FeedFixture.open();
    await wholeLife(fixture.server.url, fixture.shop);
    await until(async () => (await fixture.connections("events")).length === 0, "the connection is gone");
  });
});
