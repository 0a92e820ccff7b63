/**
 * The lanes on a real Redis: few connections for many customers, and no ring that is lost with one of them, or for
 * good.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createOrders } from "../../src/orders/orders.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { until } from "../support/until.ts";
import {
  ReplicaFixture,
  endOf,
  endsOf,
  nextTurn,
  randomFrom,
  ROOMY,
  shuffled,
  type Replica,
  type Visit,
} from "./replicas.ts";
import { RedisRelay } from "../support/relay.ts";

setDefaultTimeout(60_000);

/**
 * Finishes an order, and in the same go of Redis runs `next`. `isAtomic`: before anybody who blocks on the bell is
 * served.
 */
async function finishAnd(
  fixture: ReplicaFixture,
  orderId: string,
  { isAtomic, next }: { isAtomic: boolean; next: readonly string[] },
) {
  const [command = "", ...args] = next;
  const run: RunScript = async (script, scriptArgs) => {
    const batch = isAtomic ? fixture.outside.multi() : fixture.outside.pipeline();
    const replies = await batch
      .call(script.command, script.id, 1, `{${fixture.shop}}:`, ...scriptArgs)
      .call(command, ...args)
      .exec();
    return replies?.[0]?.[1];
  };
  const orders = createOrders({ run, runWhenReconnected: () => {} }, ORDER_SETTINGS);
  expect(await orders.finish({ orderId })).toMatchObject({ kind: "changed" });
  orders.close();
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

describe("customers share connections", () => {
  test("those of one tick one lane", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 8 });
    const replica = await fixture.replica();
    const visits = (await replica.brew(100)).map((orderId) => replica.visit(orderId));
    await fixture.blockedLanes(1);
    expect(await fixture.connections("lane")).toHaveLength(1);
    await Promise.all(visits.map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 100 });
  });

  test("all of them no more lanes than there may be", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 3 });
    const replica = await fixture.replica();
    const visits: Visit[] = [];
    for (let lanes = 1; lanes <= 4; lanes += 1) {
      visits.push(...(await replica.fillLane()));
      await until(() => sum(replica.laneSizes()) === lanes * ROOMY, "all are listened for");
    }
    await fixture.blockedLanes(3);
    expect(await fixture.connections("lane")).toHaveLength(3);
    await Promise.all(visits.map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 4 * ROOMY });
  });

  test.each([
    ["looked at first", false],
    ["new", true],
  ])("a lane is filled before there is another one, by those who are %s", async (_how, isNew) => {
    await using fixture = await ReplicaFixture.open({ lanes: 8 });
    const replica = await fixture.replica();
    const [last = "", ...orderIds] = await replica.brew(ROOMY + 1);
    const visits: Visit[] = [];
    // Some at a time, each armed before the next come.
    while (orderIds.length > 0) {
      visits.push(...orderIds.splice(0, ROOMY / 5).map((orderId) => replica.visit(orderId, undefined, isNew)));
      await until(() => sum(replica.laneSizes()) === visits.length, "all are listened for");
    }
    await fixture.blockedLanes(1);
    expect(await fixture.connections("lane")).toHaveLength(1);
    visits.push(replica.visit(last, undefined, isNew));
    await fixture.blockedLanes(2);
    expect(replica.laneSizes()).toEqual([ROOMY, 1]);
    // Two who wait for one order take the room of one.
    visits.push(replica.visit(last, undefined, isNew));
    for (const { orderId } of visits.slice(0, 5)) await fixture.finish(orderId);
    expect(await endsOf(visits.slice(0, 5))).toEqual({ ready: 5 });
    await Promise.all(visits.slice(5, -1).map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: ROOMY + 2 });
    expect(await fixture.connections("lane")).toHaveLength(2);
  });

  test.each([
    ["where most room was left", [2, 4, 2], [0, -1, 0]],
    ["though it has room for one only", [1, 1, 1], [2, 0, 0]],
  ])("those who come together wake one lane, %s", async (_which, leaving, more) => {
    await using fixture = await ReplicaFixture.open({ lanes: 3 });
    const replica = await fixture.replica();
    const lanes: Visit[][] = [];
    for (let count = 1; count <= 3; count += 1) {
      lanes.push(await replica.fillLane());
      await until(() => sum(replica.laneSizes()) === count * ROOMY, "all are listened for");
    }
    await fixture.blockedLanes(3);
    const orderIds = await replica.brew(3);
    // A lane that is left alone goes on listening for those who hung up.
    const left = lanes.flatMap((visits, lane) => visits.slice(0, leaving[lane]));
    for (const { hangUp } of left) hangUp();
    const visits = orderIds.map((orderId) => replica.visitNew(orderId));
    for (const orderId of orderIds) await replica.listensFor(orderId);
    expect(replica.laneSizes()).toEqual(more.map((count) => ROOMY + count));
    await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 3 });
  });

  test("room that was left in a lane is used before there is another lane, once theirs has blocked anew", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 8 });
    const replica = await fixture.replica();
    const [left, served] = await replica.fillLane();
    await until(() => replica.laneSizes()[0] === ROOMY, "the lane is full");
    left?.hangUp();
    await fixture.finish(served?.orderId ?? "");
    await until(() => replica.laneSizes()[0] === ROOMY - 2, "the lane listens to neither bell");
    const orderId = await replica.brewOne();
    const visit = replica.visitNew(orderId);
    await replica.listensFor(orderId);
    expect(replica.laneSizes()).toEqual([ROOMY - 1]);
    await fixture.finish(orderId);
    expect(await endOf(visit)).toBe("ready");
    expect(await fixture.connections("lane")).toHaveLength(1);
  });

  test("who comes when a lane is free again takes that one", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 8 });
    const replica = await fixture.replica();
    for (const orderId of await replica.brew(10)) {
      const visit = replica.visit(orderId);
      await fixture.blockedLanes(1);
      await fixture.finish(orderId);
      expect(await endOf(visit)).toBe("ready");
    }
    expect(await fixture.connections("lane")).toHaveLength(1);
  });
});

describe("while all lanes are blocked", () => {
  test("who comes for a final order is answered", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [waiting = "", final = ""] = await replica.brew(2);
    await fixture.finish(final);
    const first = replica.visit(waiting);
    await fixture.blockedLanes(1);
    expect(await endOf(replica.visit(final))).toBe("ready");
    expect(replica.room.held).toBe(1);
    await fixture.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });

  test.each([
    ["comes back", false],
    ["is new", true],
  ])("who %s is listened for", async (_who, isNew) => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [patient = "", ...orderIds] = await replica.brew(101);
    const first = replica.visit(patient);
    for (const orderId of orderIds) {
      await fixture.blockedLanes(1);
      const visit = replica.visit(orderId, undefined, isNew);
      await nextTurn();
      await fixture.finish(orderId);
      expect(await endOf(visit)).toBe("ready");
    }
    await fixture.finish(patient);
    expect(await endOf(first)).toBe("ready");
  });

  test("who comes right after another is not overlooked", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const random = randomFrom(11);
    const orderIds = await replica.brew(400);
    const visits: Visit[] = [];
    for (const orderId of orderIds) {
      visits.push(replica.visit(orderId, undefined, random(2) === 0));
      for (let turns = random(8); turns > 0; turns -= 1) await nextTurn();
    }
    await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 400 });
  });
});

test("who comes while the line for commands is lost is not overlooked in a blocked lane", async () => {
  await using fixture = await ReplicaFixture.open({ lanes: 1 });
  using relay = new RedisRelay(fixture.server.port);
  const replica = await fixture.replica(relay.url);
  const [waiting = "", later = "", final = ""] = await replica.brew(3);
  await fixture.finish(final);
  const first = replica.visit(waiting);
  await fixture.blockedLanes(1);
  // What is to wake the lane is lost on its way.
  let isWaking = false;
  relay.delayMs = (text) => {
    isWaking ||= /unblock/i.test(text);
    return /unblock/i.test(text) ? 300 : 0;
  };
  const second = replica.visitNew(later);
  await until(() => isWaking, "the lane is to be woken");
  const third = replica.visit(final);
  await fixture.kill("commands");
  relay.delayMs = () => 0;
  expect(await endOf(third)).toBe("ready");
  await fixture.finish(later);
  expect(await endOf(second)).toBe("ready");
  await fixture.finish(waiting);
  expect(await endOf(first)).toBe("ready");
});

test.each([
  ["who come back for their orders", () => false],
  ["whose orders were placed just now", () => true],
  ["of both kinds", (random: (below: number) => number) => random(2) === 0],
])("2,000 customers %s on 4 lanes all get their own order once, while others come and leave", async (_who, isNew) => {
  await using fixture = await ReplicaFixture.open({ lanes: 4 });
  const replica = await fixture.replica();
  const random = randomFrom(2000);
  const orderIds = await replica.brew(2000);
  const [seated, finished] = [shuffled(orderIds, random), shuffled(orderIds, random)];
  const leaving: Visit[] = [];
  const staying: Visit[] = [];

  const arrive = async (): Promise<void> => {
    while (seated.length > 0) {
      for (const orderId of seated.splice(0, 1 + random(40))) {
        if (random(3) === 0) leaving.push(replica.visit(orderId, undefined, isNew(random)));
        staying.push(replica.visit(orderId, undefined, isNew(random)));
      }
      for (let turns = random(4); turns > 0; turns -= 1) await nextTurn();
      leaving[random(leaving.length)]?.hangUp();
    }
  };
  const finish = async (): Promise<void> => {
    while (finished.length > 0) {
      await Promise.all(finished.splice(0, 1 + random(30)).map((orderId) => fixture.finish(orderId)));
      for (let turns = random(4); turns > 0; turns -= 1) await nextTurn();
      leaving[random(leaving.length)]?.hangUp();
    }
  };
  await Promise.all([arrive(), finish()]);

  expect(await endsOf(staying, 20_000)).toEqual({ ready: 2000 });
  const { left = 0, ready = 0, ...others } = await endsOf(leaving);
  expect(others).toEqual({});
  expect(left + ready).toBe(leaving.length);
  expect(replica.room.held).toBe(0);
  const lanes = await fixture.connections("lane");
  expect(lanes.length).toBeGreaterThan(1);
  expect(lanes.length).toBeLessThanOrEqual(4);
});

test("a stranger's CLIENT UNBLOCK ends no wait, and prolongs none", async () => {
  await using fixture = await ReplicaFixture.open({ lanes: 1 });
  const replica = await fixture.replica();
  const visits = (await replica.brew(4)).map((orderId) => replica.visit(orderId));
  const [last] = visits;
  for (const visit of visits.slice(1)) {
    for (const how of [[], ["TIMEOUT"], ["ERROR"]]) {
      const [lane = ""] = await fixture.blockedLanes(1);
      expect(await fixture.outside.call("CLIENT", "UNBLOCK", lane, ...how)).toBe(1);
    }
    await fixture.blockedLanes(1);
    await fixture.finish(visit.orderId);
    expect(await endOf(visit)).toBe("ready");
  }
  expect(replica.room.held).toBe(1);
  await fixture.finish(last?.orderId ?? "");
  expect(await endsOf(visits)).toEqual({ ready: 4 });
});

describe("bells that ring in company", () => {
  /** Customers of so many new orders, all in one blocked lane. */
  const openParty = async (fixture: ReplicaFixture, count: number): Promise<{ replica: Replica; visits: Visit[] }> => {
    const replica = await fixture.replica();
    const visits = (await replica.brew(count)).map((orderId) => replica.visitNew(orderId));
    await fixture.blockedLanes(1);
    return { replica, visits };
  };

  test("are taken in few goes, and their orders are read in few", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const { replica, visits } = await openParty(fixture, 100);
    await Promise.all(visits.map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 100 });
    expect(replica.watches).toBe(0);
    for (const script of ["find-bells", "read-finals"]) {
      expect(replica.calls(script)).toBeGreaterThanOrEqual(1);
      expect(replica.calls(script)).toBeLessThan(10);
    }
  });

  test("keep none who wait for another, and none who come after them", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const { replica, visits } = await openParty(fixture, 100);
    const [together, alone] = [visits.slice(0, 50), visits.slice(50)];
    await Promise.all(together.map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(together)).toEqual({ ready: 50 });
    expect(replica.room.held).toBe(50);
    const late = await replica.brew(10);
    alone.push(...late.map((orderId) => replica.visitNew(orderId)));
    for (const visit of alone) {
      await fixture.blockedLanes(1);
      await fixture.finish(visit.orderId);
      expect(await endOf(visit)).toBe("ready");
    }
  });

  test("are heard by all who wait for them, here and on another replica, and by those who come after", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const { replica: here, visits } = await openParty(fixture, 40);
    const there = await fixture.replica();
    const orderIds = visits.map(({ orderId }) => orderId);
    visits.push(...orderIds.map((orderId) => there.visit(orderId)), ...orderIds.map((id) => there.visit(id)));
    await fixture.blockedLanes(2);
    await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 120 });
    for (const replica of [here, there, here]) {
      expect(await endsOf(orderIds.map((orderId) => replica.visit(orderId)))).toEqual({ ready: 40 });
    }
  });

  test("are not lost with the reply that names them", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const { replica, visits } = await openParty(fixture, 100);
    replica.losesNext.add("find-bells");
    await Promise.all(visits.map(({ orderId }) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 100 });
    expect([...replica.losesNext]).toEqual([]);
    expect(replica.calls("read-finals")).toBeGreaterThanOrEqual(1);
  });
});

describe("a lane whose connection is lost", () => {
  test.each([
    ["come back", false],
    ["are new", true],
  ])("looks at orders of those who %s as soon as it is back: a bell it popped may be lost", async (_who, isNew) => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [orderId = "", another = ""] = await replica.brew(2);
    const visits = [replica.visit(orderId, undefined, isNew), replica.visit(another, undefined, isNew)];
    const [lane = ""] = await fixture.blockedLanes(1);
    // Redis serves the lane after the script and writes to it after the pipeline: the popped bell dies with the
    // connection.
    await finishAnd(fixture, orderId, { isAtomic: false, next: ["CLIENT", "KILL", "ID", lane] });
    expect(await fixture.outside.llen(replica.redis.keys.bell(orderId))).toBe(1);
    expect(await endOf(visits[0] as Visit)).toBe("ready");
    await fixture.finish(another);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("listens for its customers again", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    const [before] = await fixture.blockedLanes(1);
    await fixture.kill("lane");
    await until(async () => {
      const [now] = await fixture.connections("lane");
      return now !== undefined && now.id !== before && now.isBlocked;
    }, "the lane is blocked again");
    await fixture.finish(orderId);
    expect(await endOf(visit)).toBe("ready");
  });

  test("takes newcomers", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [waiting = "", final = "", later = ""] = await replica.brew(3);
    await fixture.finish(final);
    const first = replica.visit(waiting);
    await fixture.blockedLanes(1);
    await fixture.kill("lane");
    const visits = [replica.visit(final), replica.visitNew(later)];
    expect(await endOf(visits[0] as Visit)).toBe("ready");
    await fixture.finish(later);
    expect(await endOf(visits[1] as Visit)).toBe("ready");
    await fixture.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });
});

test("connections that are killed again and again lose no customer", async () => {
  await using fixture = await ReplicaFixture.open({ lanes: 3 });
  const replicas = [await fixture.replica(), await fixture.replica()];
  const random = randomFrom(300);
  const orderIds = await (replicas[0] as Replica).brew(300);
  const visits: Visit[] = [];
  let isOver = false;
  const killing = (async () => {
    while (!isOver) {
      await fixture.kill(["lane", "commands", "wakes"][random(3)] ?? "lane");
      await Bun.sleep(5 + random(60));
    }
  })();
  try {
    for (const orderId of orderIds) {
      // Only the first replica's customers are those for whom they were placed.
      for (const [at, replica] of replicas.entries()) {
        visits.push(replica.visit(orderId, undefined, at === 0 && random(2) === 0));
      }
      for (let turns = random(4); turns > 0; turns -= 1) await nextTurn();
    }
    for (const orderId of shuffled(orderIds, random)) await (replicas[random(2)] as Replica).finish(orderId);
  } finally {
    isOver = true;
    await killing;
  }
  expect(await endsOf(visits)).toEqual({ ready: 600 });
  for (const { room } of replicas) expect(room.held).toBe(0);
});

describe("what a lane never hears", () => {
  test.concurrent("it sees after its bound: bells that were taken away, or popped by strangers", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const bellOf = (orderId: string) => replica.redis.keys.bell(orderId);
    const [removed = "", removedNew = "", stolen = "", busy = ""] = await replica.brew(4);
    const strangers = [fixture.server.connect(), fixture.server.connect()];
    try {
      // As many as a bell rings for.
      for (const stranger of strangers) await stranger.client("SETNAME", `longpour:${fixture.shop}:stranger`);
      const stealing = strangers.map((stranger) => stranger.blpop(bellOf(stolen), 0));
      await until(
        async () => (await fixture.connections("stranger")).every(({ isBlocked }) => isBlocked),
        "they listen",
      );
      const visits = [replica.visit(removed), replica.visitNew(removedNew), replica.visit(stolen)];
      await fixture.blockedLanes(1);
      for (const orderId of [removed, removedNew]) {
        await finishAnd(fixture, orderId, { isAtomic: true, next: ["DEL", bellOf(orderId)] });
      }
      await fixture.finish(stolen);
      expect((await Promise.all(stealing)).map((rung) => rung?.[1])).toEqual(["", ""]);
      expect(replica.room.held).toBe(3);
      // Newcomers make the lane block anew; its bound must not begin anew with that.
      const noise = setInterval(() => replica.visit(busy, 0.5, true), 1000);
      try {
        expect(await endsOf(visits, 75_000)).toEqual({ ready: 3 });
      } finally {
        clearInterval(noise);
      }
    } finally {
      for (const stranger of strangers) stranger.disconnect();
    }
  }, 90_000);

  test.concurrent("does not come from a block that it gave up too early", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    using relay = new RedisRelay(fixture.server.port);
    // A block takes a second to Redis, and is over there a second after the lane counted its bound.
    relay.delayMs = (text) => (/blpop/i.test(text) ? 1000 : 0);
    const replica = await fixture.replica(relay.url);
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    // The first block of a lane may begin before it is connected, and is bounded in another way then.
    const [lane = ""] = await fixture.blockedLanes(1);
    const looks = () => replica.calls("read-finals");
    const first = looks();
    await fixture.outside.call("CLIENT", "UNBLOCK", lane);
    await until(() => looks() > first, "the lane looks again");
    await fixture.blockedLanes(0);
    await fixture.blockedLanes(1);
    // The lane looks again when it thinks that the bound is over.
    const before = looks();
    await until(() => looks() > before, "the lane looks once more", 45_000);
    await replica.redis.isReady();
    await fixture.finish(orderId);
    expect(await endOf(visit)).toBe("ready");
  }, 90_000);
});
