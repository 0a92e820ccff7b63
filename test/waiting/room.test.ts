/** The waiting room on a real Redis: every customer gets one answer, whatever happens to them, to Redis or to the room. */
import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { join } from "node:path";
import { READY_EXAMPLE } from "../../src/orders/order.ts";
import { TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { parsed } from "../support/wire.ts";
import { Cafe, endOf, endsOf, nextTurn, phone, randomFrom, ROOMY, soon, type Replica } from "./cafe.ts";
import { wholeLife } from "./whole-life.ts";

setDefaultTimeout(60_000);

describe("a customer", () => {
  test("gets their order once it is ready", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    await cafe.blockedLanes(1);
    expect(replica.room.held).toBe(1);
    await replica.finish(orderId);
    const outcome = await soon(visit.outcome, "the customer is answered");
    expect(outcome).toMatchObject({ kind: "final", order: { order_id: orderId, status: "ready", barista: "Grace" } });
    expect(replica.room.held).toBe(0);
  });

  test("is told by their own server, without a bell; whoever waits at another one by the bell", async () => {
    await using cafe = await Cafe.open();
    const [here, there] = [await cafe.replica(), await cafe.replica()];
    const orderId = await here.brewOne();
    const visits = [here.visit(orderId), here.visit(orderId)];
    const elsewhere = there.visit(orderId);
    await cafe.blockedLanes(2);
    here.room.tell(Bun.randomUUIDv7(), "{}");
    here.room.tell(orderId, JSON.stringify({ ...READY_EXAMPLE, order_id: orderId }));
    expect(await Promise.all(visits.map((visit) => endOf(visit)))).toEqual(["ready", "ready"]);
    expect([here.room.held, there.room.held]).toEqual([0, 1]);
    // The bell of somebody who has gone wakes nobody else, and the next customer is served.
    const next = await here.brewOne();
    const later = here.visit(next);
    await here.finish(orderId);
    expect(await endOf(elsewhere)).toBe("ready");
    await here.finish(next);
    expect(await endOf(later)).toBe("ready");
  });

  test("gets their order when it is cancelled", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const [orderId = ""] = await replica.place(1);
    const visit = replica.visit(orderId);
    await cafe.blockedLanes(1);
    await replica.orders.cancel({ orderId, canceller: "customer", reason: "customer" });
    const outcome = await soon(visit.outcome, "the customer is answered");
    expect(outcome).toMatchObject({
      kind: "final",
      order: { order_id: orderId, status: "cancelled", reason: "customer" },
    });
  });

  test("whose order is final already is answered without a bell", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    await replica.finish(orderId);
    await cafe.outside.del(replica.redis.keys.bell(orderId));
    expect(await endOf(replica.visit(orderId))).toBe("ready");
  });

  test("whose order nobody knows is told so", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    expect(await endOf(replica.visit(Bun.randomUUIDv7()))).toBe("forgotten");
  });

  test("is told that the time is over, and may come back", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    expect(await endOf(replica.visit(orderId, 0.05))).toBe("time_over");
    expect(replica.room.held).toBe(0);
    const again = replica.visit(orderId, 3600);
    await replica.finish(orderId);
    expect(await endOf(again)).toBe("ready");
  });

  test("is answered once, with what came first", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId, 0.05);
    expect(await endOf(visit)).toBe("time_over");
    visit.hangUp();
    await replica.finish(orderId);
    replica.room.close();
    expect(await endOf(visit)).toBe("time_over");
  });
});

describe("a customer whose order was placed just now", () => {
  test("is told by its bell alone: nobody looks at it", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visitNew(orderId);
    await cafe.blockedLanes(1);
    await replica.finish(orderId);
    expect(await soon(visit.outcome, "the customer is answered")).toMatchObject({
      kind: "final",
      order: { order_id: orderId, status: "ready", barista: "Grace" },
    });
    expect([replica.calls("answer-bells"), replica.calls("take-bells")]).toEqual([0, 0]);
  });

  const ends: readonly (readonly [string, (replica: Replica, orderId: string) => Promise<unknown>])[] = [
    ["ready", (replica, orderId) => replica.finish(orderId)],
    ["cancelled", ({ orders }, orderId) => orders.cancel({ orderId, canceller: "barista", reason: "machine_error" })],
  ];
  test.each(ends)("hears a bell that rang before they sat down: it is %s already", async (status, end) => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [alone = "", joined = "", waiting = ""] = await replica.brew(3);
    for (const orderId of [alone, joined]) await end(replica, orderId);
    // In a lane of its own, and in one that listens to another bell.
    expect(await endOf(replica.visitNew(alone))).toBe(status);
    const first = replica.visitNew(waiting);
    await cafe.blockedLanes(1);
    expect(await endOf(replica.visitNew(joined))).toBe(status);
    expect(replica.calls("answer-bells")).toBe(0);
    await replica.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });

  test("hears a bell that somebody else popped before", async () => {
    await using cafe = await Cafe.open();
    const [here, there] = [await cafe.replica(), await cafe.replica()];
    const orderId = await here.brewOne();
    await here.finish(orderId);
    for (const replica of [there, here, there, here]) expect(await endOf(replica.visitNew(orderId))).toBe("ready");
  });

  test("is answered in whatever turn the bell rings, and so is who joins them", async () => {
    await using cafe = await Cafe.open({ lanes: 2 });
    const [here, there] = [await cafe.replica(), await cafe.replica()];
    const random = randomFrom(48);
    for (const orderId of await here.brew(150)) {
      const finishing = (async () => {
        for (let turns = random(8); turns > 0; turns -= 1) await nextTurn();
        await there.finish(orderId);
      })();
      for (let turns = random(8); turns > 0; turns -= 1) await nextTurn();
      const visits = [here.visitNew(orderId)];
      for (let turns = random(8); turns > 0; turns -= 1) await nextTurn();
      visits.push((random(2) === 0 ? here : there).visit(orderId));
      await finishing;
      expect(await endsOf(visits)).toEqual({ ready: 2 });
    }
    expect([here.room.held, there.room.held]).toEqual([0, 0]);
  });

  test("waits for it, though who joined it is looked at first", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visits = [replica.visitNew(orderId)];
    await cafe.blockedLanes(1);
    expect(replica.calls("answer-bells")).toBe(0);
    visits.push(replica.visit(orderId));
    await until(() => replica.calls("answer-bells") === 1, "the order is looked at");
    expect(replica.room.held).toBe(2);
    await replica.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("may be told that the time is over, or hang up, and come back as who is looked at", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [slow = "", left = ""] = await replica.brew(2);
    expect(await endOf(replica.visit(slow, 0.05, true))).toBe("time_over");
    const leaving = replica.visitNew(left);
    await nextTurn();
    leaving.hangUp();
    expect(await endOf(leaving)).toBe("left");
    for (const orderId of [slow, left]) {
      await replica.finish(orderId);
      // Their lane may still have listened, and popped it for nobody; the rest is taken away.
      await cafe.outside.del(replica.redis.keys.bell(orderId));
      expect(await endOf(replica.visit(orderId))).toBe("ready");
    }
    expect(replica.room.held).toBe(0);
  });
});

describe("a customer who hangs up", () => {
  test("before they sit down is not held at all", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const outcome = await replica.room.wait({ orderId, signal: AbortSignal.abort() });
    expect(outcome).toEqual({ kind: "left" });
    expect(replica.room.held).toBe(0);
    await nextTurn();
    expect(await cafe.connections("lane")).toEqual([]);
  });

  const stages: readonly (readonly [string, (cafe: Cafe) => Promise<unknown>])[] = [
    ["in the tick in which they came", async () => {}],
    ["while their lane looks at their order", nextTurn],
    ["while their lane is blocked", (cafe) => cafe.blockedLanes(1)],
  ];
  test.each(stages)("%s frees the seat at once", async (_stage, reach) => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const [theirs = "", another = ""] = await replica.brew(2);
    const visit = replica.visit(theirs);
    await reach(cafe);
    visit.hangUp();
    expect(replica.room.held).toBe(0);
    expect(await endOf(visit)).toBe("left");
    const next = replica.visit(another);
    await replica.finish(theirs);
    await replica.finish(another);
    expect(await endOf(next)).toBe("ready");
    expect(await endOf(visit)).toBe("left");
  });

  test("while the order is being finished is answered once, and nobody else misses theirs", async () => {
    await using cafe = await Cafe.open({ lanes: 2 });
    const replica = await cafe.replica();
    const random = randomFrom(7);
    const others = await replica.fillLane();
    for (const other of others) {
      const orderId = await replica.brewOne();
      // The lane of the others is blocked, and the other one free.
      await cafe.blockedLanes(1);
      const visit = replica.visit(orderId);
      await cafe.blockedLanes(2);
      const finished = Promise.all([replica.finish(orderId), replica.finish(other.orderId)]);
      for (let turns = random(6); turns > 0; turns -= 1) await nextTurn();
      visit.hangUp();
      await finished;
      expect(["left", "ready"]).toContain(await endOf(visit));
      expect(await endOf(other)).toBe("ready");
    }
    expect(await endsOf(others)).toEqual({ ready: others.length });
    expect(replica.room.held).toBe(0);
  });

  test("can come back for the coffee, here or on another replica", async () => {
    await using cafe = await Cafe.open();
    const here = await cafe.replica();
    const there = await cafe.replica();
    for (const replica of [here, there]) {
      const orderId = await here.brewOne();
      const first = here.visit(orderId);
      await cafe.blockedLanes(1);
      first.hangUp();
      const looks = replica.calls("answer-bells");
      const second = replica.visit(orderId);
      await until(() => replica.calls("answer-bells") > looks, "the order is looked at again");
      // Here it is the same lane.
      await cafe.blockedLanes(replica === here ? 1 : 2);
      await here.finish(orderId);
      expect(await endOf(second)).toBe("ready");
      await cafe.blockedLanes(0);
    }
  });

  test("leaves the bell of their last block to whoever else waits on it", async () => {
    await using cafe = await Cafe.open();
    const here = await cafe.replica();
    const there = await cafe.replica();
    const orderId = await here.brewOne();
    const first = here.visit(orderId);
    await cafe.blockedLanes(1);
    const second = there.visit(orderId);
    await cafe.blockedLanes(2);
    // The first lane stands first in Redis's line for the bell.
    first.hangUp();
    await here.finish(orderId);
    expect(await endOf(second)).toBe("ready");
  });
});

describe("two devices that wait for the same order", () => {
  test("in one lane are both answered", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const visits = [replica.visit(orderId), replica.visit(orderId)];
    await cafe.blockedLanes(1);
    await replica.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("in one lane do not depend on each other", async () => {
    await using cafe = await Cafe.open({ lanes: 1 });
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const [first, second] = [replica.visit(orderId), replica.visit(orderId)];
    await cafe.blockedLanes(1);
    first.hangUp();
    const third = replica.visit(orderId);
    await replica.finish(orderId);
    expect(await endsOf([second, third])).toEqual({ ready: 2 });
    expect(await endOf(first)).toBe("left");
  });

  test("in two lanes are both answered", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const first = replica.visit(orderId);
    await cafe.blockedLanes(1);
    await replica.fillLane(ROOMY - 1);
    await nextTurn();
    const second = replica.visit(orderId);
    await cafe.blockedLanes(2);
    await replica.finish(orderId);
    expect(await endsOf([first, second])).toEqual({ ready: 2 });
  });

  test("on two replicas are both answered, and the bell stays rung for a while", async () => {
    await using cafe = await Cafe.open();
    const [here, there] = [await cafe.replica(), await cafe.replica()];
    const orderId = await here.brewOne();
    const visits = [here.visit(orderId), there.visit(orderId)];
    await cafe.blockedLanes(2);
    await here.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
    const bell = here.redis.keys.bell(orderId);
    await until(async () => (await cafe.outside.llen(bell)) > 0, "the bell is rung again");
    expect(await cafe.outside.pttl(bell)).toBeGreaterThan(0);
  });
});

describe("closing the room", () => {
  const stages: readonly (readonly [string, (cafe: Cafe) => Promise<unknown>])[] = [
    ["just came", async () => {}],
    ["is being looked at", nextTurn],
    ["waits in a blocked lane", (cafe) => cafe.blockedLanes(1)],
  ];
  test.each(stages)("sends on who %s, and ends the lanes", async (_stage, reach) => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const visits = (await replica.brew(3)).map((orderId) => replica.visit(orderId));
    await reach(cafe);
    replica.room.close();
    expect(await endsOf(visits)).toEqual({ sent_on: 3 });
    expect(replica.room.held).toBe(0);
    await until(async () => (await cafe.connections("lane")).length === 0, "the lanes are gone");
    expect(await cafe.connections()).toHaveLength(2);
  });

  test("also sends on who comes after it", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    replica.room.close();
    expect(await endOf(replica.visit(orderId), 2000)).toBe("sent_on");
    expect(await cafe.connections("lane")).toEqual([]);
  });

  test("comes second: before it, who can't go is held, and who can is sent on, also who comes later", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const { signal } = phone();
    const staying = {
      orderId,
      outcome: replica.room.wait({ orderId, signal, mustStay: () => true }).then(parsed),
      hangUp: () => {},
    };
    const going = replica.visit(orderId);
    await cafe.blockedLanes(1);
    replica.room.sendOn();
    expect(await endOf(going)).toBe("sent_on");
    expect(await endOf(replica.visit(orderId))).toBe("sent_on");
    expect(replica.room.held).toBe(1);
    await replica.finish(orderId);
    expect(await endOf(staying)).toBe("ready");
  });

  test("leaves the customers of other replicas where they are", async () => {
    await using cafe = await Cafe.open();
    const [here, there] = [await cafe.replica(), await cafe.replica()];
    const orderId = await here.brewOne();
    const [first, second] = [here.visit(orderId), there.visit(orderId)];
    await cafe.blockedLanes(2);
    here.room.close();
    await cafe.blockedLanes(1);
    await there.finish(orderId);
    expect(await endOf(first)).toBe("sent_on");
    expect(await endOf(second)).toBe("ready");
  });
});

describe("while Redis is away", () => {
  test("customers keep waiting through its kill and its restart", async () => {
    const server = await TestRedis.start();
    try {
      await using cafe = await Cafe.open({ server, outageSeconds: 2 });
      const replica = await cafe.replica();
      const orderIds = await replica.brew(30);
      const [early, late] = [orderIds.slice(0, 20), orderIds.slice(20)];
      const visits = early.map((orderId) => replica.visit(orderId));
      await cafe.blockedLanes(1);
      await server.kill();
      visits.push(...late.map((orderId) => replica.visit(orderId)));
      // Longer than a command waits: looks fail meanwhile, and are tried again.
      await replica.orders.find(orderIds[0] ?? "").catch(() => {});
      await server.resume();
      await Promise.all(orderIds.map((orderId) => replica.finish(orderId)));
      expect(await endsOf(visits)).toEqual({ ready: 30 });
    } finally {
      await server.stop();
    }
  });

  test("customers keep waiting while it hangs", async () => {
    const server = await TestRedis.start();
    try {
      await using cafe = await Cafe.open({ server, outageSeconds: 2 });
      const replica = await cafe.replica();
      const orderIds = await replica.brew(30);
      const [early, late] = [orderIds.slice(0, 20), orderIds.slice(20)];
      const visits = early.map((orderId) => replica.visit(orderId));
      await cafe.blockedLanes(1);
      process.kill(server.pid, "SIGSTOP");
      visits.push(...late.map((orderId) => replica.visit(orderId)));
      const refused = replica.orders.find(orderIds[0] ?? "");
      expect(
        await refused.then(
          () => "found",
          () => "timed out",
        ),
      ).toBe("timed out");
      process.kill(server.pid, "SIGCONT");
      await Promise.all(orderIds.map((orderId) => replica.finish(orderId)));
      expect(await endsOf(visits)).toEqual({ ready: 30 });
    } finally {
      process.kill(server.pid, "SIGCONT");
      await server.stop();
    }
  });

  test("the room can be closed", async () => {
    const server = await TestRedis.start();
    try {
      await using cafe = await Cafe.open({ server, outageSeconds: 2 });
      const replica = await cafe.replica();
      const visits = (await replica.brew(3)).map((orderId) => replica.visit(orderId));
      await cafe.blockedLanes(1);
      await server.kill();
      replica.room.close();
      expect(await endsOf(visits)).toEqual({ sent_on: 3 });
    } finally {
      await server.stop();
    }
  });
});

describe("nothing is left", () => {
  test("of customers who left: no seat, no more connections than lanes", async () => {
    await using cafe = await Cafe.open({ lanes: 3 });
    const replica = await cafe.replica();
    const orderIds = await replica.brew(60);
    const visits = orderIds.map((orderId) => replica.visit(orderId));
    await cafe.blockedLanes(1);
    visits.push(...orderIds.map((orderId) => replica.visit(orderId, 3600)));
    await cafe.blockedLanes(2);
    for (const visit of visits.filter((_, index) => index % 2 === 0)) visit.hangUp();
    await Promise.all(orderIds.map((orderId) => replica.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ left: 60, ready: 60 });
    expect(replica.room.held).toBe(0);
    expect((await cafe.connections()).length).toBeLessThanOrEqual(3 + 2);
    replica.close();
    await until(async () => (await cafe.connections()).length === 0, "all connections are gone");
  });

  test("of a signal's listeners", async () => {
    await using cafe = await Cafe.open();
    const replica = await cafe.replica();
    const orderId = await replica.brewOne();
    const { signal } = phone();
    const [added, removed] = [spyOn(signal, "addEventListener"), spyOn(signal, "removeEventListener")];
    const outcome = replica.room.wait({ orderId, signal });
    expect(added).toHaveBeenCalledTimes(1);
    await replica.finish(orderId);
    await soon(outcome, "the customer is answered");
    expect(removed.mock.calls).toEqual(added.mock.calls);
  });

  test("that keeps a process alive", async () => {
    await using cafe = await Cafe.open();
    const program = join(import.meta.dir, "whole-life.ts");
    const child = Bun.spawn([process.execPath, program, cafe.server.url, cafe.shop], {
      stdout: "pipe",
      stderr: "inherit",
    });
    try {
      // Well under the 30 s of a block and of a barista's next look.
      expect(await soon(child.exited, "the process ends by itself")).toBe(0);
      expect((await new Response(child.stdout).text()).trim()).toBe("closed");
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("of a closed server's connections", async () => {
    await using cafe = await Cafe.open();
    await wholeLife(cafe.server.url, cafe.shop);
    await until(async () => (await cafe.connections()).length === 0, "all connections are gone");
  });
});
