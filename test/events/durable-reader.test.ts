/** Durable readers on a real Redis: whatever dies, each event is handled, in order; what is lost is counted. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { numberOf, type Change } from "../../src/events/event.ts";
import { loadScript } from "../../src/redis/script.ts";
import { spoil } from "../support/damage.ts";
import { TestRedis } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import { byNumber, drafts, firstsOf, LEASE_MS, ReaderFixture, untilHandled, type TestReader } from "./readers.ts";

setDefaultTimeout(60_000);

const FAILING = "events can't be handled: trying again";
const REMADE = "a reader's consumer group was gone: it is made again where it was";
const LOST = "events were no longer kept when a reader came to them";

describe("in quiet times", () => {
  test("each entry is handled once and in order, and settled; the next server goes on behind it", async () => {
    await using fixture = await ReaderFixture.open();
    await fixture.append();
    const first = await fixture.readFromNow();
    const entries = [[await fixture.append()], await fixture.appendTogether(drafts(3)), [await fixture.append()]];
    entries.push(...(await fixture.appendMany(200)).map((id) => [id]));
    await untilHandled(first, 205);
    await until(() => fixture.isSettled(), "all is settled");
    await first.reader.close();
    const between = await fixture.appendTogether(drafts(2));
    const second = await fixture.read();
    await untilHandled(second, 2);
    expect(first.entries).toEqual(entries);
    expect(second.entries).toEqual([between]);
    expect([...first.lost, ...second.lost, ...fixture.said]).toEqual([]);
  });

  test("a new group begins at the end, or at the start where that is asked for; each name reads for itself", async () => {
    await using fixture = await ReaderFixture.open();
    const before = await fixture.appendTogether(drafts(3));
    await fixture.append();
    // What was trimmed before a reader was new is not lost to it.
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 1);
    const [fromStart, fromEnd] = [
      await fixture.readFromNow({ name: "stats", from: "start" }),
      await fixture.readFromNow(),
    ];
    const id = await fixture.append();
    await Promise.all([untilHandled(fromStart, 2), untilHandled(fromEnd, 1)]);
    expect(firstsOf(fromEnd)).toEqual([id]);
    expect(firstsOf(fromStart)).toHaveLength(2);
    expect(firstsOf(fromStart)).not.toContain(before[0]);
    expect([...fromStart.lost, ...fromEnd.lost]).toEqual([]);
  });

  test("close while blocked ends at once, leaves no connection, and hands the lease to the one that waits", async () => {
    await using fixture = await ReaderFixture.open();
    const leaseMs = 60_000;
    const first = await fixture.readFromNow({ leaseMs });
    const second = await fixture.read({ leaseMs });
    await until(async () => (await fixture.connections("reader:")).some(({ isBlocked }) => isBlocked), "it blocks");
    await soon(first.reader.close(), "it is closed");
    await until(async () => (await fixture.connections("reader:")).length === 1, "its connection is gone");
    const id = await fixture.append();
    await untilHandled(second, 1);
    expect([firstsOf(first), firstsOf(second)]).toEqual([[], [id]]);
    await second.reader.close();
    expect(await fixture.lease()).toBeNull();
  });

  test("its group has one consumer, however many servers come and go", async () => {
    await using fixture = await ReaderFixture.open();
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const reading = await fixture.readFromNow();
      ids.push(await fixture.append());
      await untilHandled(reading, 1);
      expect(firstsOf(reading)).toEqual(ids.slice(-1));
      await soon(reading.reader.close(), "it is closed");
    }
    expect(await fixture.countConsumers()).toBe(1);
    expect(await fixture.isSettled()).toBe(true);
  });
});

describe("a replica that is cut off amid its events", () => {
  test("is followed by another one: nothing is lost, the order is kept, and it begins no further entry", async () => {
    await using fixture = await ReaderFixture.open();
    const gate = Promise.withResolvers<void>();
    const ids: string[] = [];
    for (let n = 0; n < 70; n += 1) ids.push(...(await fixture.appendTogether(drafts((n % 3) + 1))));
    const cuts = new Set([40, 90]);
    const handled: string[] = [];
    const readings: TestReader[] = [];
    const relays = [fixture.relay(), fixture.relay(), fixture.relay()];
    for (const relay of relays) {
      const handle = async (events: readonly Change[]): Promise<void> => {
        handled.push(...events.map(({ id }) => id));
        if (!events.some(({ id }) => cuts.delete(numberOf(id)))) return;
        relay.cut();
        await gate.promise;
      };
      readings.push(await fixture.readFromNow({ url: relay.url, handle, from: "start" }));
    }
    await until(() => new Set(handled).size === ids.length, "all are handled", 30_000);
    expect([...new Set(handled)]).toEqual(ids);
    const begun = readings.map(({ entries }) => entries.length);
    for (const relay of relays) relay.mend();
    for (const { redis } of readings) await until(() => redis.isReady(), "it reaches Redis again");
    gate.resolve();
    const last = await fixture.append();
    await until(() => handled.includes(last), "the last one is handled");
    await until(() => fixture.isSettled(), "all is settled");
    const more = readings.map(({ entries }, at) => entries.length - (begun[at] ?? 0));
    expect(more.toSorted((one, other) => one - other)).toEqual([0, 0, 1]);
    for (const { entries } of readings) expect(entries.flat()).toEqual([...new Set(entries.flat())].toSorted(byNumber));
  });

  test("settles nothing that another one has taken over", async () => {
    await using fixture = await ReaderFixture.open();
    await fixture.readFromNow();
    const [first] = await fixture.appendMany(2);
    await until(() => fixture.isSettled(), "both are settled");
    const lease = await fixture.lease();
    const { run } = await fixture.openRedis();
    expect(await run(loadScript("settle-events"), [fixture.group, "zombie", 0, first ?? ""])).toBe(0);
    expect(await fixture.lease()).toBe(lease);
    expect(await fixture.isSettled()).toBe(true);
  });

  test("whose handler never ends closes within a bound, and its lease lapses", async () => {
    await using fixture = await ReaderFixture.open();
    const never = Promise.withResolvers<void>();
    const first = await fixture.readFromNow({ handle: () => never.promise });
    const id = await fixture.append();
    await untilHandled(first, 1);
    const lease = await fixture.lease();
    const second = await fixture.read();
    // Longer than a lease: it is renewed.
    await until(async () => (await fixture.outside.pttl(fixture.leaseKey)) < LEASE_MS / 2, "it ages");
    await until(async () => (await fixture.outside.pttl(fixture.leaseKey)) > LEASE_MS / 2, "and is new");
    expect(await fixture.lease()).toBe(lease);
    await soon(first.reader.close(), "it is closed");
    await untilHandled(second, 1);
    expect(firstsOf(second)).toEqual([id]);
  });
});

test("a handler that fails gets the same entry again, before any other, and the log says so once", async () => {
  await using fixture = await ReaderFixture.open();
  let failures = 0;
  const handle = async (): Promise<void> => {
    if ((failures += 1) <= 3) throw new Error("not now");
  };
  const reading = await fixture.readFromNow({ handle });
  const [first, second] = [await fixture.appendTogether(drafts(2)), [await fixture.append()]];
  await untilHandled(reading, 3);
  expect(reading.entries).toEqual([first, first, first, first, second]);
  expect(fixture.said).toEqual([FAILING]);
});

describe("events that are trimmed before they are handled", () => {
  test("are counted when no server ran", async () => {
    await using fixture = await ReaderFixture.open();
    const first = await fixture.readFromNow();
    await fixture.append();
    await untilHandled(first, 1);
    await first.reader.close();
    for (const size of [2, 3, 4]) await fixture.appendTogether(drafts(size));
    const kept = [await fixture.appendTogether(drafts(2)), [await fixture.append()]];
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 2);
    const second = await fixture.read();
    await untilHandled(second, 3);
    expect(second.entries).toEqual(kept);
    expect(second.lost).toEqual([9]);
    expect(fixture.said).toEqual([LOST]);
  });

  test("are counted when a dead replica had them in hand", async () => {
    await using fixture = await ReaderFixture.open();
    const relay = fixture.relay();
    const gate = Promise.withResolvers<void>();
    const handle = async (events: readonly Change[]): Promise<void> => {
      if (events.length === 5) await gate.promise;
    };
    const first = await fixture.readFromNow({ url: relay.url, handle });
    await fixture.appendTogether(drafts(3));
    await until(() => fixture.isSettled(), "it is settled");
    await fixture.appendTogether(drafts(5));
    await untilHandled(first, 8);
    relay.cut();
    await fixture.appendTogether(drafts(4));
    const kept = await fixture.append();
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 1);
    const second = await fixture.read();
    await untilHandled(second, 1);
    expect(firstsOf(second)).toEqual([kept]);
    expect(second.lost).toEqual([9]);
    relay.mend();
    gate.resolve();
  });
});

describe("a group that is gone", () => {
  test("is made again where it was, whether a server runs or not", async () => {
    await using fixture = await ReaderFixture.open();
    const first = await fixture.readFromNow();
    const ids = [await fixture.append()];
    await until(() => fixture.isSettled(), "it is settled");
    await fixture.outside.xgroup("DESTROY", fixture.key, fixture.group);
    ids.push(await fixture.append());
    await untilHandled(first, 2);
    await first.reader.close();
    await fixture.outside.xgroup("DESTROY", fixture.key, fixture.group);
    ids.push(await fixture.append());
    const second = await fixture.read();
    await untilHandled(second, 1);
    expect([...first.entries, ...second.entries].flat()).toEqual(ids);
    expect([...first.lost, ...second.lost]).toEqual([]);
    expect(fixture.said).toEqual([REMADE, REMADE]);
  });

  test.each([1, 2])("with all else of the shop begins with its new events, on %i replicas", async (replicas) => {
    const server = await TestRedis.start();
    try {
      await using fixture = await ReaderFixture.open(server);
      const readings = [await fixture.readFromNow()];
      while (readings.length < replicas) readings.push(await fixture.read());
      await fixture.appendMany(5);
      await until(() => firstsOf(...readings).length === 5, "they are handled");
      await until(() => fixture.isSettled(), "they are settled");
      await fixture.outside.flushall();
      // Whatever the clock says by then.
      const ids = [1, 2, 3].map((number) => `${Date.now() - 60_000}-${number}`);
      for (const id of ids) await fixture.outside.xadd(fixture.key, id, "order.placed", 'a\t"n":1');
      await until(() => firstsOf(...readings).length === 8, "the new ones are handled");
      expect(firstsOf(...readings).filter((id) => ids.includes(id))).toEqual(ids);
      expect(readings.flatMap(({ lost }) => lost)).toEqual([]);
      expect(fixture.said).toEqual([REMADE]);
    } finally {
      await server.stop();
    }
  });
});

test("while Redis is down nothing but the outage is logged; then it goes on in order", async () => {
  const server = await TestRedis.start();
  try {
    await using fixture = await ReaderFixture.open(server);
    const reading = await fixture.readFromNow();
    const ids = await fixture.appendMany(3);
    await untilHandled(reading, 3);
    await server.kill();
    await until(() => fixture.said.length > 0, "the outage is logged");
    await server.resume();
    ids.push(...(await fixture.appendMany(3)));
    await untilHandled(reading, 6);
    expect(firstsOf(reading)).toEqual(ids);
    expect(reading.lost).toEqual([]);
    expect(fixture.said.toSorted()).toEqual(["Redis is away: customers keep waiting", "Redis is back"]);
  } finally {
    await server.stop();
  }
});

test.each(["readers", "reader:payments"])(
  "%s of another type is named to staff; put right, it goes on",
  async (name) => {
    await using fixture = await ReaderFixture.open();
    const reading = await fixture.readFromNow();
    const key = `{${fixture.shop}}:${name}`;
    const putRight = await spoil(fixture.outside, key);
    await fixture.append();
    const { run } = await fixture.openRedis();
    const [wrong] = (await run(loadScript("inspect-shop"), [1000, 100])) as [string[][]];
    expect(wrong.map(([wrongKey]) => wrongKey)).toEqual([key]);
    await putRight();
    await untilHandled(reading, 1);
    expect(fixture.said).toEqual([]);
  },
);
