/** Rules at work on a real Redis: each event is delivered, in order per order, whatever dies. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ShopEvent } from "../../src/events/event.ts";
import type { DeliveryOutcome } from "../../src/rules/rule.ts";
import { loadScript } from "../../src/redis/script.ts";
import { spoil } from "../support/damage.ts";
import { soon, until } from "../support/until.ts";
import { delivered, firstsOf, idsOf, RuleFixture } from "./rules.ts";

setDefaultTimeout(60_000);

const failed: DeliveryOutcome = { kind: "failed", why: "status 500" };

describe("in quiet times", () => {
  test("each event is delivered once, in order, and settled; the next server goes on behind it", async () => {
    await using fixture = await RuleFixture.open();
    await fixture.append();
    const first = await fixture.runFromNow();
    const ids = [await fixture.append(), ...(await fixture.appendTogether([{}, { orderId: "b" }, {}]))];
    ids.push(...(await fixture.appendMany(100)));
    await until(() => first.got.length === ids.length, "all are delivered");
    expect(idsOf(first.got.filter(({ orderId }) => orderId === "a"))).toEqual(ids.filter((id) => id !== ids[2]));
    await until(() => fixture.isSettled(), "all is settled");
    await soon(first.runner.close(), "it is closed");
    const between = await fixture.append();
    const second = await fixture.run();
    await until(() => second.got.length === 1, "the next server delivers");
    expect(firstsOf(second.got)).toEqual([between]);
    expect(fixture.said).toEqual([]);
  });

  test("only events of the wanted types leave Redis, and what never changes of an order comes with them", async () => {
    await using fixture = await RuleFixture.open();
    const seen: string[] = [];
    const matches = ({ type }: ShopEvent): boolean => seen.push(type) > 0 && type !== "payment.taken";
    const rule = { types: ["order.started", "payment.*"], matches };
    const { got } = await fixture.runFromNow({ rule });
    for (const type of ["order.placed", "order.started", "payment.taken", "payment.refunded", "menu.changed"]) {
      await fixture.append({ type });
    }
    await until(() => got.length === 2, "two are delivered");
    expect(got.map(({ type }) => type)).toEqual(["order.started", "payment.refunded"]);
    expect(seen).toEqual(["order.started", "payment.taken", "payment.refunded"]);
    await until(() => fixture.isSettled(), "all is settled");
  });

  test("close hands the lease to the one that waits", async () => {
    await using fixture = await RuleFixture.open();
    const first = await fixture.runFromNow();
    const second = await fixture.run();
    const before = await fixture.append();
    await until(() => first.got.length === 1, "the first delivers");
    const lease = await fixture.lease();
    await soon(first.runner.close(), "it is closed");
    await until(async () => ![lease, null].includes(await fixture.lease()), "the other one has it");
    const after = await fixture.append();
    await until(() => second.got.length === 1, "the second delivers");
    expect([idsOf(first.got), idsOf(second.got)]).toEqual([[before], [after]]);
    expect((await fixture.outside.xinfo("CONSUMERS", fixture.key, fixture.group)) as unknown[]).toHaveLength(1);
  });
});

describe("an order whose delivery fails", () => {
  test("is tried again until it is delivered, before its later events, and holds up no other order", async () => {
    await using fixture = await RuleFixture.open();
    let isDown = true;
    const deliver = ({ orderId }: ShopEvent): DeliveryOutcome => (isDown && orderId === "bad" ? failed : delivered);
    const { got, tried, runner } = await fixture.runFromNow({ deliver });
    const bad: string[] = [];
    // More than are in hand at once.
    for (let n = 0; n < 400; n += 1) {
      const [id = ""] = await fixture.appendTogether([{ orderId: n % 2 ? "bad" : `good-${n}` }]);
      if (n % 2) bad.push(id);
    }
    await until(() => got.length === 200, "all others are delivered");
    expect(got.every(({ orderId }) => orderId !== "bad")).toBe(true);
    expect(firstsOf(tried.filter(({ orderId }) => orderId === "bad"))).toEqual(bad.slice(0, 1));
    await until(async () => (await fixture.outside.zcard(fixture.retriedKey)) === 200, "all of the order are put by");
    isDown = false;
    await until(() => got.length === 400, "all are delivered");
    expect(idsOf(got.filter(({ orderId }) => orderId === "bad"))).toEqual(bad);
    await until(() => fixture.isSettled(), "all is settled");
    expect(await fixture.outside.exists(`${fixture.prefix}deliveries:test`)).toBe(0);
    expect(runner.tally.results.delivered).toBe(400);
    expect(runner.tally.results.failed).toBeGreaterThan(0);
    expect(fixture.said[0]).toBe("a rule can't deliver: trying again");
  });

  test("outlives the stream, the order and the replica: its record is taken over", async () => {
    await using fixture = await RuleFixture.open();
    const first = await fixture.runFromNow({ deliver: () => failed });
    const ids = await fixture.appendTogether([{ members: '"n":1' }, { members: '"n":2' }]);
    await until(async () => (await fixture.outside.zcard(fixture.retriedKey)) === 2, "they are put by");
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 0);
    await first.runner.close();
    const second = await fixture.run();
    await until(() => second.got.length === 2, "they are delivered");
    expect(second.got).toEqual(
      ids.map((id, at) => ({ id, type: "order.placed", orderId: "a", data: `{"n":${at + 1}}` })),
    );
    await until(() => fixture.isSettled(), "all is settled");
  });

  test("is a dead letter once its time is over; replayed, it is delivered with the same id", async () => {
    await using fixture = await RuleFixture.open();
    let isDown = true;
    const started = await fixture.runFromNow({
      deliver: () => (isDown ? failed : delivered),
      rule: { retryForMs: 200 },
    });
    const ids = await fixture.appendMany(3);
    const deliveries = fixture.deliveries(started);
    await until(async () => (await deliveries.measure(["test"]))[0]?.dead === 3, "they are dead");
    const [measure] = await deliveries.measure(["test"]);
    expect(measure).toMatchObject({ lag: 0, retried: 0, failure: { why: "status 500" } });
    const page = await deliveries.listDead("test", { most: 2 });
    if (page.kind !== "page") throw new Error(page.kind);
    expect(page.dead.map(({ event_id: id }) => id)).toEqual(ids.slice(1).toReversed());
    expect(page.dead[0]).toMatchObject({ type: "order.placed", order_id: "a", why: "status 500", data: { n: 1 } });
    expect(page.dead[0]?.tries).toBeGreaterThan(0);
    const rest = await deliveries.listDead("test", { after: page.cursor ?? "", most: 2 });
    expect(rest).toMatchObject({ dead: [{ event_id: ids[0] }], cursor: undefined });
    isDown = false;
    expect(await deliveries.replay("test", [ids[1] ?? "", "1-1"])).toEqual({ replayed: 1, left: 2, refused: 0 });
    await until(() => started.got.length === 1, "one is delivered");
    expect(await deliveries.replay("test")).toEqual({ replayed: 2, left: 0, refused: 0 });
    await until(() => started.got.length === 3, "all are delivered");
    expect(idsOf(started.got)).toEqual([ids[1] ?? "", ids[0] ?? "", ids[2] ?? ""]);
    await until(() => fixture.isSettled(), "all is settled");
    expect(await fixture.outside.exists(`${fixture.prefix}deliveries:test`)).toBe(0);
  });

  test("is dead at once where its target says so; held, no try is counted", async () => {
    await using fixture = await RuleFixture.open();
    const outcomes: DeliveryOutcome[] = [
      { kind: "held", why: "its host fails", retryAfterMs: 1 },
      { kind: "dead", why: "a forbidden address" },
    ];
    const started = await fixture.runFromNow({ deliver: () => outcomes.shift() ?? delivered });
    await fixture.append();
    const after = await fixture.append();
    await until(() => started.got.length === 1, "the next one is delivered");
    expect(idsOf(started.got)).toEqual([after]);
    await until(() => fixture.isSettled(), "all is settled");
    const page = await fixture.deliveries(started).listDead("test", { most: 10 });
    expect(page).toMatchObject({ dead: [{ why: "a forbidden address", tries: 1 }] });
  });
});

describe("a target that wants no more", () => {
  test("ends the rule at every replica, until it has another target, or staff resume it", async () => {
    await using fixture = await RuleFixture.open();
    const deliver = (): DeliveryOutcome => ({ kind: "ended", why: "410" });
    const first = await fixture.runFromNow({ deliver });
    const deliveries = fixture.deliveries(first);
    const ids = await fixture.appendMany(3);
    await until(async () => (await deliveries.measure(["test"]))[0]?.ended !== undefined, "it has ended");
    const same = await fixture.run();
    expect(await deliveries.measure(["test"])).toMatchObject([{ ended: { why: "410" }, dead: 0 }]);
    await first.runner.close();
    await same.runner.close();
    expect(same.tried).toEqual([]);
    const other = await fixture.run({ rule: { targetKey: "there" } });
    await until(() => other.got.length === 3, "another target gets them");
    expect(idsOf(other.got)).toEqual(ids);
    expect(await deliveries.resume("test")).toBe(false);
    expect((await deliveries.measure(["test"]))[0]?.ended).toBeUndefined();
  });

  test("resumed, goes on where it was", async () => {
    await using fixture = await RuleFixture.open();
    let isGone = true;
    const started = await fixture.runFromNow({ deliver: () => (isGone ? { kind: "ended", why: "410" } : delivered) });
    const ids = await fixture.appendMany(2);
    const deliveries = fixture.deliveries(started);
    await until(async () => (await deliveries.measure(["test"]))[0]?.ended !== undefined, "it has ended");
    ids.push(await fixture.append());
    isGone = false;
    expect(await deliveries.resume("test")).toBe(true);
    await until(() => started.got.length === 3, "it goes on", 20_000);
    expect(idsOf(started.got)).toEqual(ids);
    expect(fixture.said).toContain("a rule has ended: its target wants no more");
  });
});

describe("a replica that is cut off amid its deliveries", () => {
  test("is followed by another one: nothing is lost, the order is kept, and it begins no further try", async () => {
    await using fixture = await RuleFixture.open();
    const gate = Promise.withResolvers<void>();
    const relay = fixture.relay();
    let tries = 0;
    const deliver = async (): Promise<DeliveryOutcome> => {
      tries += 1;
      if (tries === 40) relay.cut();
      if (tries >= 40) await gate.promise;
      return delivered;
    };
    const first = await fixture.runFromNow({ url: relay.url, deliver });
    const ids: string[] = [];
    for (let n = 0; n < 60; n += 1) {
      ids.push(...(await fixture.appendTogether([{ orderId: `o-${n % 7}` }, { orderId: `o-${n % 5}` }])));
    }
    await until(() => tries >= 40, "it is cut off");
    const begun = tries;
    const second = await fixture.run();
    await until(() => firstsOf(first.got, second.got).length === ids.length, "all are delivered", 30_000);
    const all = [...first.got, ...second.got];
    for (let order = 0; order < 7; order += 1) {
      const firsts = firstsOf(all.filter(({ orderId }) => orderId === `o-${order}`));
      expect(firsts).toEqual(ids.filter((id) => firsts.includes(id)));
    }
    expect(tries - begun).toBeLessThan(16);
    relay.mend();
    gate.resolve();
    await until(() => fixture.isSettled(), "all is settled");
  });
});

describe("events that are no longer kept", () => {
  test("are counted, whether the rule was behind or had them in hand", async () => {
    await using fixture = await RuleFixture.open();
    const first = await fixture.runFromNow();
    await fixture.append();
    await until(() => first.got.length === 1, "one is delivered");
    await first.runner.close();
    await fixture.appendTogether([{}, {}, {}]);
    await fixture.append();
    const kept = await fixture.append();
    await fixture.outside.xtrim(fixture.key, "MAXLEN", 1);
    const second = await fixture.run();
    await until(() => second.got.length === 1, "the kept one is delivered");
    expect(idsOf(second.got)).toEqual([kept]);
    expect(second.runner.tally.lost).toBe(4);
    expect((await fixture.deliveries(second).measure(["test"]))[0]?.lost).toBe(4);
    expect(fixture.said).toEqual(["events were no longer kept when a rule came to them"]);
  });

  test("of a shop that was emptied are not waited for: it goes on with the new ones", async () => {
    await using fixture = await RuleFixture.open();
    const started = await fixture.runFromNow();
    await fixture.appendMany(5);
    await until(() => started.got.length === 5, "they are delivered");
    await fixture.outside.del(...(await fixture.outside.keys(`${fixture.prefix}*`)));
    const ids = [1, 2, 3].map((number) => `${Date.now() - 60_000}-${number}`);
    for (const id of ids) await fixture.outside.xadd(fixture.key, id, "order.placed", 'a\t"n":1');
    await until(() => started.got.length >= 8, "the new ones are delivered", 20_000);
    expect(idsOf(started.got).slice(5)).toEqual(ids);
    expect(started.runner.tally.lost).toBe(0);
  });
});

test("a handler that never ends holds up close for a bound, and its lease lapses", async () => {
  await using fixture = await RuleFixture.open();
  const first = await fixture.runFromNow({ deliver: () => Promise.withResolvers<DeliveryOutcome>().promise });
  const id = await fixture.append();
  await until(() => first.tried.length === 1, "it is tried");
  const second = await fixture.run();
  let [leftMs, renewals] = [0, 0];
  const isRenewed = async (): Promise<boolean> => {
    const nowMs = await fixture.outside.pttl(fixture.leaseKey);
    if (nowMs > leftMs) renewals += 1;
    leftMs = nowMs;
    return renewals > 5;
  };
  await until(isRenewed, "its lease is renewed");
  expect(second.tried).toEqual([]);
  await soon(first.runner.close(), "it is closed");
  await until(() => second.got.length === 1, "the next one delivers");
  expect(idsOf(second.got)).toEqual([id]);
});

test.each(["rule:test", "reader:rule:test", "deliveries:test", "deliveries:retried:test", "rules"])(
  "%s of another type is named to staff; put right, the rule goes on",
  async (name) => {
    await using fixture = await RuleFixture.open();
    let tries = 0;
    const started = await fixture.runFromNow({ deliver: () => ((tries += 1) === 1 ? failed : delivered) });
    const key = `${fixture.prefix}${name}`;
    const putRight = await spoil(fixture.outside, key);
    await fixture.append();
    const { run } = await fixture.openRedis();
    const [wrong] = (await run(loadScript("inspect-shop"), [1000, 100])) as [string[][]];
    expect(wrong.map(([wrongKey]) => wrongKey)).toEqual([key]);
    await putRight();
    await until(() => started.got.length >= 1, "it goes on", 20_000);
    await until(() => fixture.isSettled(), "all is settled", 20_000);
    expect(fixture.said.filter((line) => line.includes("can't be taken"))).toEqual([]);
  },
);
