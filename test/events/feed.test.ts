/**
 * Listeners on a real Redis: each hears every event once and in order, whatever becomes of Redis, the reader or the
 * others.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import type { ChainableCommander } from "ioredis";
import type { EventFeed } from "../../src/events/feed.ts";
import { RedisAwayError } from "../../src/redis/away.ts";
import { TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { Ear, Stage } from "./stage.ts";
import { wholeLife } from "./whole-life.ts";

setDefaultTimeout(60_000);

async function open(mostListeners?: number): Promise<{ stage: Stage; feed: EventFeed }> {
  const stage = await Stage.open();
  return { stage, feed: await stage.feed(mostListeners) };
}

const untilHeard = (ear: Ear, count: number) => until(() => ear.heard.length >= count, `${count} events are heard`);

function addShopEvent(stage: Stage, multi: ChainableCommander): void {
  const { id, fields } = stage.nextEntry([{ type: "shop.changed", members: "" }]);
  multi.xadd(stage.key, id, ...fields);
}

describe("whoever listens", () => {
  test("hears what comes from now on, and nothing of before", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    await stage.append();
    const ear = await Ear.listen(feed);
    const ids = [await stage.append({ orderId: "b" }), await stage.append({ type: "shop.changed" })];
    await untilHeard(ear, 2);
    expect(ear.ids).toEqual(ids);
    expect(ear.heard[0]).toMatchObject({ type: "order.placed", subject: "b", data: { order_id: "b", n: 1 } });
  });

  test("hears what came between taking the place and following", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const other = await Ear.listen(feed);
    const ear = await Ear.sit(feed);
    const ids = await stage.appendMany(3);
    await untilHeard(other, 3);
    ear.follow();
    await untilHeard(ear, 3);
    expect(ear.ids).toEqual(ids);
  });

  test("hears what they asked for and nothing else", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const all = await Ear.listen(feed);
    const ears = [
      await Ear.listen(feed, { orderId: "a" }),
      await Ear.listen(feed, { types: ["order.placed", "shop.changed"] }),
      await Ear.listen(feed, { types: ["shop.changed", "order.placed"] }),
      await Ear.listen(feed, { orderId: "a", types: ["order.started"] }),
    ];
    for (const orderId of ["a", "b"]) {
      for (const type of ["order.placed", "order.started", "order.extended"]) await stage.append({ type, orderId });
    }
    await stage.append({ type: "shop.changed" });
    await untilHeard(all, 7);
    const heard = ears.map((ear) =>
      ear.heard.map(({ type, subject }) => [type.split(".")[1], subject].join(" ").trim()),
    );
    expect(heard).toEqual([
      ["placed a", "started a", "extended a"],
      ["placed a", "placed b", "changed"],
      ["placed a", "placed b", "changed"],
      ["started a"],
    ]);
  });

  test("is written to once for what came together", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ears = await Promise.all(Array.from({ length: 3 }, () => Ear.listen(feed)));
    const multi = stage.outside.multi();
    for (let n = 0; n < 50; n += 1) addShopEvent(stage, multi);
    await multi.exec();
    for (const ear of ears) {
      await untilHeard(ear, 50);
      expect(ear.writes).toBe(1);
    }
  });

  test("hears all events of one entry in their order, each with an id of its own, and of each what they asked for", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const all = await Ear.listen(feed);
    const [one, until1] = [
      await Ear.listen(feed, { orderId: "b" }),
      await Ear.listen(feed, { orderId: "a", untilFinal: true }),
    ];
    const types = ["order.placed", "order.started", "order.finished"];
    const drafts = types.flatMap((type) => ["a", "b"].map((orderId) => ({ type, orderId })));
    const ids = await stage.appendTogether([...drafts, { type: "shop.changed", members: '"open":true' }]);
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

  test("in a crowd keeps nobody waiting for long; who comes in between hears everything once", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const first = await Ear.listen(feed);
    const ears = [first, ...(await Promise.all(Array.from({ length: 999 }, () => Ear.listen(feed))))];
    const between: { heard: number; comer: Promise<Ear> }[] = [];
    first.onEvent = ({ id }) => {
      setImmediate(() => {
        const heard = ears.filter((ear) => ear.ids.includes(id)).length;
        between.push({ heard, comer: Ear.listen(feed, {}, id) });
      });
    };
    const ids = [await stage.append(), await stage.append(), await stage.append()];
    for (const ear of ears) await untilHeard(ear, 3);
    expect(ears.every((ear) => ear.ids.join() === ids.join())).toBe(true);
    // Each time a part of the crowd had heard of it.
    expect(between.map(({ heard }) => heard > 0 && heard < 1000)).toEqual([true, true, true]);
    first.onEvent = () => {};
    const last = await stage.append();
    for (const [at, { comer }] of between.entries()) {
      const ear = await comer;
      await until(() => ear.ids.at(-1) === last, "the last one is heard");
      expect(ear.ids).toEqual([...ids.slice(at + 1), last]);
    }
  });

  test("hears nothing after leaving, and whoever leaves again gives nobody else's place back", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const [leaves, stays] = [await Ear.listen(feed), await Ear.listen(feed)];
    leaves.place.leave();
    leaves.place.leave();
    expect(feed.listeners).toBe(1);
    await stage.append();
    await untilHeard(stays, 1);
    expect(leaves.heard).toEqual([]);
  });

  test("to one order until its end is ended by it", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ear = await Ear.listen(feed, { orderId: "a", untilFinal: true });
    const other = await Ear.listen(feed, { orderId: "a" });
    for (const type of ["order.placed", "order.cancelled"]) await stage.append({ type, orderId: "a" });
    await until(() => ear.ended === 1, "the stream is ended");
    expect(ear.types).toEqual(["order.placed", "order.cancelled"]);
    expect({ ended: other.ended, listeners: feed.listeners }).toEqual({ ended: 0, listeners: 1 });
  });
});

describe("whoever comes back", () => {
  test("hears what came after their last event, over many pages, then what comes", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ids = await stage.appendMany(1200);
    const ear = await Ear.listen(feed, {}, ids[99]);
    await untilHeard(ear, 1100);
    const more = await stage.appendMany(5);
    await untilHeard(ear, 1105);
    expect(ear.ids).toEqual([...ids.slice(100), ...more]);
  });

  test("with an event in the middle of an entry hears the rest of it, then what comes", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ids = await stage.appendTogether(Array.from({ length: 5 }, (_one, at) => ({ orderId: at % 2 ? "b" : "a" })));
    const all = await Promise.all(["0-0", ...ids].map((after) => Ear.listen(feed, {}, after)));
    const some = await Promise.all(["0-0", ...ids].map((after) => Ear.listen(feed, { orderId: "a" }, after)));
    const next = await stage.appendTogether([{ orderId: "a" }, { orderId: "b" }, { orderId: "a" }]);
    for (const [at, ear] of all.entries()) {
      await untilHeard(ear, 8 - at);
      expect(ear.ids).toEqual([...ids.slice(at), ...next]);
    }
    for (const [at, ear] of some.entries()) {
      const expected = [...ids.filter((_id, index) => index >= at && index % 2 === 0), next[0], next[2]];
      await untilHeard(ear, expected.length);
      expect(ear.ids).toEqual(expected.map(String));
    }
  });

  test("with the newest event hears what comes, and only that", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ids = await stage.appendMany(3);
    const ear = await Ear.listen(feed, {}, ids[2]);
    const next = await stage.append();
    await untilHeard(ear, 1);
    expect(ear.ids).toEqual([next]);
  });

  test("with an event that is yet to come hears what comes from now on", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    await stage.append();
    const all = await Ear.listen(feed);
    const ear = await Ear.listen(feed, {}, "999999999999999-0");
    await until(() => feed.listeners === 2, "both listen");
    const ids = await Promise.all([stage.append(), stage.append()]);
    await untilHeard(all, 2);
    await untilHeard(ear, 1);
    // The look at the stream may come after the first.
    expect([ids, ids.slice(1)]).toContainEqual(ear.ids);
  });

  test("for more than is kept is told so first, then all that is kept", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ids = await stage.appendMany(10);
    await stage.outside.xtrim(stage.key, "MAXLEN", 3);
    const ear = await Ear.listen(feed, { types: ["order.placed"] }, ids[1]);
    await untilHeard(ear, 4);
    expect(ear.types).toEqual(["events.missed", "order.placed", "order.placed", "order.placed"]);
    expect(ear.heard[0]?.data).toEqual({ after: ids[1] });
    expect(ear.ids.slice(1)).toEqual(ids.slice(7));
  });

  test("is ended by the order's end, where that has been", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const placed = await stage.append({ orderId: "a" });
    await stage.append({ type: "order.finished", orderId: "a" });
    await stage.append({ orderId: "b" });
    const ear = await Ear.listen(feed, { orderId: "a", untilFinal: true }, placed);
    await until(() => ear.ended === 1, "the stream is ended");
    expect(ear.types).toEqual(["order.finished"]);
    expect(feed.listeners).toBe(0);
  });

  test("and reads slowly is told no more than they take", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ids = await stage.appendMany(1000);
    const quick = await Ear.listen(feed, {}, "0-0");
    const slow = await Ear.sit(feed);
    slow.fallBehind();
    slow.follow({}, "0-0");
    await untilHeard(quick, 1000);
    await until(() => slow.heard.length > 0, "the first page is told");
    const [first, more] = [slow.heard.length, await stage.appendMany(3)];
    await untilHeard(quick, 1003);
    expect(slow.heard.length).toBe(first);
    slow.catchUp();
    await untilHeard(slow, 1003);
    expect(slow.ids).toEqual([...ids, ...more]);
  });

  test("wherever they join, on two replicas, while events come without a pause: nothing is missed or repeated", async () => {
    await using stage = await Stage.open();
    const feeds = [await stage.feed(), await stage.feed()];
    const ids = await stage.appendMany(200);
    for (let n = 0; n < 100; n += 1) ids.push(...(await stage.appendTogether([{}, {}, { orderId: "b" }, {}])));
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) {
        ids.push(...(await stage.appendMany(2)));
        ids.push(...(await stage.appendTogether([{}, { type: "shop.changed" }, { orderId: "b" }, {}])));
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
          const ear = await Ear.listen(feeds[(feed + turn) % 2] as EventFeed, {}, last);
          await until(() => ear.heard.length > stays, "something is heard");
          ear.place.leave();
          heard.push(...ear.ids);
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
  const ended = (orderId: string, after: string | undefined, finishedMs: number) => ({ orderId, after, finishedMs });
  const read = async (feed: EventFeed, order: ReturnType<typeof ended>): Promise<string> =>
    [...new TextDecoder().decode(await feed.readEnded(order)).matchAll(/^event: (.*)$/gm)]
      .map(([, type]) => type)
      .join();

  test("tells its last event, or all after the one that its customer has, or nothing", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const placed = await stage.append({ orderId: "a" }, 100_000);
    const started = await stage.append({ type: "order.started", orderId: "a" }, 150_000);
    for (let n = 0; n < 600; n += 1) await stage.append({ orderId: "b" }, 150_001 + n);
    const finished = await stage.append({ type: "order.finished", orderId: "a" }, 200_001);
    await stage.append({ type: "order.finished", orderId: "b" }, 200_001);
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("order.finished");
    expect(await read(feed, ended("a", "0-0", 200_000))).toBe("order.placed,order.started,order.finished");
    expect(await read(feed, ended("a", placed, 200_000))).toBe("order.started,order.finished");
    expect(await read(feed, ended("a", started, 200_000))).toBe("order.finished");
    expect(await read(feed, ended("a", finished, 200_000))).toBe("");
    expect(await read(feed, ended("a", "999999999-0", 200_000))).toBe("");
    expect(await read(feed, ended("c", undefined, 200_000))).toBe("");
    await stage.outside.xtrim(stage.key, "MAXLEN", 2);
    expect(await read(feed, ended("a", started, 200_000))).toBe("events.missed,order.finished");
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("order.finished");
    await stage.outside.xtrim(stage.key, "MAXLEN", 1);
    expect(await read(feed, ended("a", undefined, 200_000))).toBe("");
  });
});

describe("Redis", () => {
  test("has one connection for all who listen, and none while nobody does", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    expect(await stage.connections()).toEqual([]);
    const ears = await Promise.all(Array.from({ length: 1000 }, () => Ear.listen(feed)));
    await until(async () => (await stage.connections()).length > 0, "the reader is connected");
    const id = await stage.append();
    for (const ear of ears) await untilHeard(ear, 1);
    expect(ears.every((ear) => ear.ids.join() === id)).toBe(true);
    expect(await stage.connections()).toHaveLength(1);
    for (const ear of ears) ear.place.leave();
    await until(async () => (await stage.connections()).length === 0, "the connection is closed");
    const again = await Ear.listen(feed);
    await stage.append();
    await untilHeard(again, 1);
    expect(await stage.connections()).toHaveLength(1);
  });

  test("loses the connection again and again: nothing is missed, nothing comes twice", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ear = await Ear.listen(feed);
    const ids: string[] = [];
    for (let time = 0; time < 10; time += 1) {
      const [id] = await stage.connections();
      if (id !== undefined) await stage.outside.call("CLIENT", "KILL", "ID", id).catch(() => {});
      ids.push(...(await stage.appendMany(20)));
      await Bun.sleep(time * 5);
    }
    await untilHeard(ear, ids.length);
    expect(ear.ids).toEqual(ids);
  });

  test("is killed and comes back: whoever listens goes on, whoever comes meanwhile waits", async () => {
    const server = await TestRedis.start();
    try {
      await using stage = await Stage.open(server);
      const [feed, other] = [await stage.feed(), await stage.feed()];
      const ear = await Ear.listen(feed);
      const ids = await stage.appendMany(10);
      await untilHeard(ear, 10);
      await server.kill();
      const waiting = Ear.listen(other, {}, ids[4]);
      await Bun.sleep(300);
      await server.resume();
      ids.push(...(await stage.appendMany(10)));
      await untilHeard(ear, 20);
      expect(ear.ids).toEqual(ids);
      const late = await waiting;
      await untilHeard(late, 15);
      expect(late.ids).toEqual(ids.slice(5));
    } finally {
      await server.stop();
    }
  });

  test("stays away: whoever comes is told so, and keeps no place", async () => {
    const server = await TestRedis.start();
    try {
      await using stage = await Stage.open(server);
      const feed = await stage.feed();
      await server.kill();
      const taking = await Promise.allSettled([feed.takePlace(), feed.takePlace()]);
      for (const { reason } of taking as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(RedisAwayError);
      expect(feed.listeners).toBe(0);
    } finally {
      await server.stop();
    }
  });

  test("has forgotten, while the reader was away, what nobody heard: all are ended, and told when they come back", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const [ear, other] = [await Ear.listen(feed), await Ear.listen(feed, { orderId: "a" })];
    const [last = ""] = await stage.appendMany(1);
    await untilHeard(ear, 1);
    const [connection = ""] = await stage.connections();
    // In one step, as if the reader had been away for long.
    const multi = stage.outside.multi();
    multi.call("CLIENT", "KILL", "ID", connection);
    for (let n = 0; n < 20; n += 1) addShopEvent(stage, multi);
    await multi.xtrim(stage.key, "MAXLEN", 5).exec();
    await until(() => ear.ended + other.ended === 2, "both are ended");
    const back = await Ear.listen(feed, {}, last);
    await untilHeard(back, 6);
    expect(back.types).toEqual(["events.missed", ...Array.from({ length: 5 }, () => "shop.changed")]);
  });

  test("has lost the stream: whoever had heard all of it goes on, and nobody says that they missed anything", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ear = await Ear.listen(feed);
    const [last = ""] = await stage.appendMany(1);
    await untilHeard(ear, 1);
    await stage.outside.del(stage.key);
    const back = await Ear.listen(feed, {}, last);
    const ids = [await stage.append(), await stage.append()];
    for (const [listener, before] of [
      [ear, [last]],
      [back, []],
    ] as const) {
      await untilHeard(listener, before.length + 2);
      expect(listener.ids).toEqual([...before, ...ids]);
      expect(new Set(listener.types)).toEqual(new Set(["order.placed"]));
    }
  });

  test("has lost the stream, and nothing came since: whoever had not heard all of it is told so", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const [first, last] = [await stage.append(), await stage.append()];
    await stage.outside.del(stage.key);
    // The count is kept apart from the stream.
    await stage.outside.set(`${stage.key}:count`, 2);
    const [behind, atTheEnd] = [await Ear.listen(feed, {}, first), await Ear.listen(feed, {}, last)];
    await until(() => behind.types.length === 1, "one is told");
    const next = await stage.append();
    for (const ear of [behind, atTheEnd]) await until(() => ear.ids.includes(next), "both go on");
    expect(behind.types).toEqual(["events.missed", "order.placed"]);
    expect(atTheEnd.types).toEqual(["order.placed"]);
  });

  test("has lost the stream: whoever had not heard all of it is told so, once, before what comes", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ear = await Ear.listen(feed);
    const [first, second] = [await stage.append(), await stage.append()];
    await untilHeard(ear, 2);
    await stage.outside.del(stage.key);
    const next = await stage.append();
    await untilHeard(ear, 3);
    const [behind, abreast] = [await Ear.listen(feed, {}, first), await Ear.listen(feed, {}, second)];
    const after = await stage.append();
    await untilHeard(behind, 3);
    expect(behind.types).toEqual(["events.missed", "order.placed", "order.placed"]);
    expect(behind.ids).toEqual(["", next, after]);
    await untilHeard(abreast, 2);
    expect(abreast.ids).toEqual([next, after]);
    await untilHeard(ear, 4);
    expect(ear.ids).toEqual([first, second, next, after]);
  });
});

describe("a feed", () => {
  test("has so many places and no more, until one is given back", async () => {
    const { stage, feed } = await open(2);
    await using _ = stage;
    const [first] = [await Ear.listen(feed), await Ear.listen(feed)];
    expect(await feed.takePlace()).toEqual({ kind: "full" });
    first?.place.leave();
    await Ear.listen(feed);
    expect(feed.listeners).toBe(2);
  });

  test("that closes ends everybody, once, and lets nobody in", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const ears = [await Ear.listen(feed), await Ear.listen(feed, {}, "0-0"), await Ear.sit(feed)];
    const taking = feed.takePlace();
    feed.close();
    ears[2]?.follow();
    expect(ears.map(({ ended }) => ended)).toEqual([1, 1, 1]);
    expect((await taking).kind).toBe("closing");
    expect(await feed.takePlace()).toEqual({ kind: "closing" });
    expect(feed.listeners).toBe(0);
    await until(async () => (await stage.connections()).length === 0, "the connection is closed");
  });

  test("that closes while its first listener comes leaves no connection", async () => {
    const { stage, feed } = await open();
    await using _ = stage;
    const taking = feed.takePlace();
    feed.close();
    expect(await taking).toEqual({ kind: "closing" });
    expect(await stage.connections()).toEqual([]);
  });

  test("leaves nothing behind that keeps a process alive", async () => {
    await using stage = await Stage.open();
    const program = join(import.meta.dir, "whole-life.ts");
    const child = Bun.spawn([process.execPath, program, stage.server.url, stage.shop], { stdout: "pipe" });
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
    await using stage = await Stage.open();
    await wholeLife(stage.server.url, stage.shop);
    await until(async () => (await stage.connections()).length === 0, "the connection is gone");
  });
});
