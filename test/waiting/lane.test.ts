/** The lanes on a real Redis: few connections for many customers, and no ring that is lost with one of them, or for good. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createOrders } from "../../src/orders/verbs.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { until } from "../support/until.ts";
import { Cafe, endOf, endsOf, nextTurn, randomFrom, shuffled, type Replica, type Visit } from "./cafe.ts";
import { Line } from "./line.ts";

setDefaultTimeout(60_000);

/** Finishes an order, and in the same go of Redis runs `next`. `isAtomic`: before anybody who blocks on the bell is served. */
async function finishAnd(
  cafe: Cafe,
  orderId: string,
  { isAtomic, next }: { isAtomic: boolean; next: readonly string[] },
) {
  const [command = "", ...args] = next;
  const run: RunScript = async (script, scriptArgs) => {
    const batch = isAtomic ? cafe.outside.multi() : cafe.outside.pipeline();
    const replies = await batch
      .eval(script.source, 1, `{${cafe.shop}}:`, ...scriptArgs)
      .call(command, ...args)
      .exec();
    return replies?.[0]?.[1];
  };
  const orders = createOrders({ run, later: () => {} }, { leaseSeconds: 900, maxAttempts: 3, retentionHours: 1 });
  expect(await orders.finish({ orderId })).toMatchObject({ kind: "changed" });
}

describe("customers share connections", () => {
  test("those of one tick one lane", async () => {
    await using cafe = await Cafe.open({ lanes: 8 });
    const replica = await cafe.replica();
    const visits = (await replica.brew(100)).map((orderId) => replica.visit(orderId));
    await cafe.blockedLanes(1);
    expect(await cafe.connections("lane")).toHaveLength(1);
    await Promise.all(visits.map(({ orderId }) => replica.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 100 });
  });

  test("all of them no more lanes than there may be", async () => {
    await using cafe = await Cafe.open({ lanes: 3 });
    const replica = await cafe.replica();
    const visits: Visit[] = [];
    for (const orderId of await replica.brew(50)) {
      visits.push(replica.visit(orderId));
      await nextTurn();
    }
    await cafe.blockedLanes(3);
    expect(await cafe.connections("lane")).toHaveLength(3);
    await Promise.all(visits.map(({ orderId }) => replica.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 50 });
  });

  test("who comes when a lane is free again takes that one", async () => {
    await using cafe = await Cafe.open({ lanes: 8 });
    const replica = await cafe.replica();
    for (const orderId of await replica.brew(10)) {
      const visit = replica.visit(orderId);
      await cafe.blockedLanes(1);
      await replica.finish(orderId);
      expect(await endOf(visit)).toBe("ready");
    }
    expect(await cafe.connections("lane")).toHaveLength(1);
  });
});

describe("while all lanes are blocked", () => {
  test("who comes for a final order is answered", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [waiting = "", final = ""] = await replica.brew(2);
    await replica.finish(final);
    const first = replica.visit(waiting);
    await cafe.blockedLanes(1);
    expect(await endOf(replica.visit(final))).toBe("ready");
    expect(replica.room.held).toBe(1);
    await replica.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });

  test("who comes is listened for", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [patient = "", ...orderIds] = await replica.brew(101);
    const first = replica.visit(patient);
    for (const orderId of orderIds) {
      await cafe.blockedLanes(1);
      const visit = replica.visit(orderId);
      await nextTurn();
      await replica.finish(orderId);
      expect(await endOf(visit)).toBe("ready");
    }
    await replica.finish(patient);
    expect(await endOf(first)).toBe("ready");
  });

  test("who comes right after another is not overlooked", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const random = randomFrom(11);
    const orderIds = await replica.brew(400);
    const visits: Visit[] = [];
    for (const orderId of orderIds) {
      visits.push(replica.visit(orderId));
      for (let turns = random(8); turns > 0; turns -= 1) await nextTurn();
    }
    await Promise.all(orderIds.map((orderId) => replica.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ ready: 400 });
  });
});

test("who comes while the line for commands is lost is not overlooked in a blocked lane", async () => {
  await using cafe = await Cafe.open({ lanes: 1 });
  using line = new Line(cafe.server.port);
  const replica = await cafe.replica(line.url);
  const [waiting = "", final = ""] = await replica.brew(2);
  await replica.finish(final);
  const first = replica.visit(waiting);
  await cafe.blockedLanes(1);
  // What is to wake the lane is lost on its way.
  line.delayMs = (text) => (/unblock/i.test(text) ? 300 : 0);
  const second = replica.visit(final);
  await nextTurn();
  await nextTurn();
  await cafe.kill("commands");
  line.delayMs = () => 0;
  expect(await endOf(second)).toBe("ready");
  await replica.finish(waiting);
  expect(await endOf(first)).toBe("ready");
});

test("2,000 customers on 4 lanes all get their own order once, while others come and leave", async () => {
  await using cafe = await Cafe.open({ lanes: 4 });
  const replica = await cafe.replica();
  const random = randomFrom(2000);
  const orderIds = await replica.brew(2000);
  const [seated, finished] = [shuffled(orderIds, random), shuffled(orderIds, random)];
  const leaving: Visit[] = [];
  const staying: Visit[] = [];

  const arrive = async (): Promise<void> => {
    while (seated.length > 0) {
      for (const orderId of seated.splice(0, 1 + random(40))) {
        if (random(3) === 0) leaving.push(replica.visit(orderId));
        staying.push(replica.visit(orderId));
      }
      for (let turns = random(4); turns > 0; turns -= 1) await nextTurn();
      leaving[random(leaving.length)]?.hangUp();
    }
  };
  const finish = async (): Promise<void> => {
    while (finished.length > 0) {
      await Promise.all(finished.splice(0, 1 + random(30)).map((orderId) => replica.finish(orderId)));
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
  expect(await cafe.connections("lane")).toHaveLength(4);
});

test("a stranger's CLIENT UNBLOCK sends nobody home, and keeps nobody", async () => {
  await using cafe = await Cafe.open({ lanes: 1 });
  const replica = await cafe.replica();
  const visits = (await replica.brew(4)).map((orderId) => replica.visit(orderId));
  const [last] = visits;
  for (const visit of visits.slice(1)) {
    for (const how of [[], ["TIMEOUT"], ["ERROR"]]) {
      const [lane = ""] = await cafe.blockedLanes(1);
      expect(await cafe.outside.call("CLIENT", "UNBLOCK", lane, ...how)).toBe(1);
    }
    await cafe.blockedLanes(1);
    await replica.finish(visit.orderId);
    expect(await endOf(visit)).toBe("ready");
  }
  expect(replica.room.held).toBe(1);
  await replica.finish(last?.orderId ?? "");
  expect(await endsOf(visits)).toEqual({ ready: 4 });
});

describe("a lane whose connection is lost", () => {
  test("looks at its orders again as soon as it is back: a bell it popped may be lost", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [orderId = "", another = ""] = await replica.brew(2);
    const visits = [replica.visit(orderId), replica.visit(another)];
    const [lane = ""] = await cafe.blockedLanes(1);
    // Redis serves the lane after the script and writes to it after the pipeline: the popped bell dies with the connection.
    await finishAnd(cafe, orderId, { isAtomic: false, next: ["CLIENT", "KILL", "ID", lane] });
    expect(await cafe.outside.llen(replica.redis.keys.bell(orderId))).toBe(1);
    expect(await endOf(visits[0] as Visit)).toBe("ready");
    await replica.finish(another);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("listens for its customers again", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    const [before] = await cafe.blockedLanes(1);
    await cafe.kill("lane");
    await until(async () => {
      const [now] = await cafe.connections("lane");
      return now !== undefined && now.id !== before && now.isBlocked;
    }, "the lane is blocked again");
    await replica.finish(orderId);
    expect(await endOf(visit)).toBe("ready");
  });

  test("takes newcomers", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [waiting = "", final = "", later = ""] = await replica.brew(3);
    await replica.finish(final);
    const first = replica.visit(waiting);
    await cafe.blockedLanes(1);
    await cafe.kill("lane");
    const visits = [replica.visit(final), replica.visit(later)];
    expect(await endOf(visits[0] as Visit)).toBe("ready");
    await replica.finish(later);
    expect(await endOf(visits[1] as Visit)).toBe("ready");
    await replica.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });
});

test("connections that are killed again and again lose nobody", async () => {
  await using cafe = await Cafe.open({ lanes: 3 });
  const replicas = [await cafe.replica(), await cafe.replica()];
  const random = randomFrom(300);
  const orderIds = await (replicas[0] as Replica).brew(300);
  const visits: Visit[] = [];
  let isOver = false;
  const killing = (async () => {
    while (!isOver) {
      await cafe.kill(["lane", "commands", "wakes"][random(3)] ?? "lane");
      await Bun.sleep(5 + random(60));
    }
  })();
  try {
    for (const orderId of orderIds) {
      for (const replica of replicas) visits.push(replica.visit(orderId));
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
  test.concurrent("it sees after its bound: a bell that was taken away, or popped by a stranger", async () => {
    await using cafe = await Cafe.open({ lanes: 2 });
    const replica = await cafe.replica();
    const bellOf = (orderId: string) => replica.redis.keys.bell(orderId);
    const [removed = "", stolen = "", busy = ""] = await replica.brew(3);
    const stranger = cafe.server.connect();
    try {
      const stealing = stranger.blpop(bellOf(stolen), 0);
      const visits = [replica.visit(removed)];
      await cafe.blockedLanes(1);
      visits.push(replica.visit(stolen));
      await cafe.blockedLanes(2);
      await finishAnd(cafe, removed, { isAtomic: true, next: ["DEL", bellOf(removed)] });
      await replica.finish(stolen);
      expect(await stealing).toEqual([bellOf(stolen), "1"]);
      // Newcomers make the lanes block anew; their bound must not begin anew with that.
      const noise = setInterval(() => replica.visit(busy, 0.5), 1000);
      try {
        expect(await endsOf(visits, 75_000)).toEqual({ ready: 2 });
      } finally {
        clearInterval(noise);
      }
    } finally {
      stranger.disconnect();
    }
  }, 90_000);

  test.concurrent("does not come from a block that it gave up too early", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    using line = new Line(cafe.server.port);
    // A block takes a second to Redis, and is over there a second after the lane counted its bound.
    line.delayMs = (text) => (/blpop/i.test(text) ? 1000 : 0);
    const replica = await cafe.replica(line.url);
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    // The first block of a lane may begin before it is connected, and is bounded in another way then.
    const [lane = ""] = await cafe.blockedLanes(1);
    const looks = () => replica.calls("answer-bells");
    const first = looks();
    await cafe.outside.call("CLIENT", "UNBLOCK", lane);
    await until(() => looks() > first, "the lane looks again");
    await cafe.blockedLanes(0);
    await cafe.blockedLanes(1);
    // The lane looks again when it thinks that the bound is over.
    const before = looks();
    await until(() => looks() > before, "the lane looks once more", 45_000);
    await replica.redis.isReady();
    await replica.finish(orderId);
    expect(await endOf(visit)).toBe("ready");
  }, 90_000);
});
