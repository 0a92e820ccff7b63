/**
 * The waiting room on a real Redis: every customer gets one answer, whatever happens to them, to Redis or to the room.
 */
import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { join } from "node:path";
import type { WaitOutcome } from "../../src/longpoll/room.ts";
import type { OrderJson } from "../../src/orders/order.ts";
import { TestRedis } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import {
  ReplicaFixture,
  endOf,
  endsOf,
  nextTurn,
  parsedEnd,
  phone,
  randomFrom,
  ROOMY,
  type Replica,
} from "./replicas.ts";
import { wholeLife } from "./whole-life.ts";

setDefaultTimeout(60_000);

describe("a customer", () => {
  test("gets their order once it is ready", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    await fixture.blockedLanes(1);
    expect(replica.room.held).toBe(1);
    await fixture.finish(orderId);
    const outcome = await soon(visit.outcome, "the customer is answered");
    expect(outcome).toMatchObject({ kind: "final", order: { order_id: orderId, status: "ready", barista: "Grace" } });
    expect(replica.room.held).toBe(0);
  });

  test("is answered by the server that makes their order final, without a bell", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const [soonFinished = "", orderId = ""] = await replica.brew(2);
    const visits = [replica.visit(orderId), replica.visit(orderId)];
    await fixture.blockedLanes(1);
    await replica.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
    // Before their seat is armed.
    const quick = replica.visitNew(soonFinished);
    await replica.finish(soonFinished);
    expect(await endOf(quick)).toBe("ready");
    expect(replica.notified).toEqual([orderId, soonFinished]);
    for (const id of replica.notified) expect(await fixture.outside.exists(replica.redis.keys.bell(id))).toBe(0);
    expect([replica.calls("read-finals"), replica.calls("find-bells")]).toEqual([0, 0]);
    expect(replica.room.held).toBe(0);
  });

  test("whose order ends at their own server is answered also when another waits at another one, by the bell", async () => {
    await using fixture = await ReplicaFixture.open();
    const [here, there] = [await fixture.replica(), await fixture.replica()];
    const orderId = await here.brewOne();
    const visits = [here.visit(orderId), here.visit(orderId)];
    const elsewhere = there.visit(orderId);
    await fixture.blockedLanes(2);
    here.room.notify(Bun.randomUUIDv7(), "{}");
    expect([here.room.held, there.room.held]).toEqual([2, 1]);
    await here.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
    expect(await endOf(elsewhere)).toBe("ready");
    expect([here.notified, there.notified]).toEqual([[orderId], []]);
    // The bell of a customer who has gone wakes no other one, and the next customer is served.
    const next = await here.brewOne();
    const later = here.visit(next);
    await fixture.finish(next);
    expect(await endOf(later)).toBe("ready");
    expect([here.room.held, there.room.held]).toEqual([0, 0]);
  });

  test("is answered on each of many replicas, though a bell rings twice", async () => {
    await using fixture = await ReplicaFixture.open();
    const replicas = await Promise.all(Array.from({ length: 5 }, () => fixture.replica()));
    const orderId = await (replicas[0] as Replica).brewOne();
    const visits = replicas.map((replica) => replica.visit(orderId));
    await fixture.blockedLanes(5);
    await fixture.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 5 });
  });

  test("gets their order when it is cancelled", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const [orderId = ""] = await replica.place(1);
    const visit = replica.visit(orderId);
    await fixture.blockedLanes(1);
    await (await fixture.kitchen()).orders.cancel({ orderId, canceller: "customer", reason: "customer" });
    const outcome = await soon(visit.outcome, "the customer is answered");
    expect(outcome).toMatchObject({
      kind: "final",
      order: { order_id: orderId, status: "cancelled", reason: "customer" },
    });
  });

  test("whose order is final already is answered without a bell", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    await fixture.finish(orderId);
    await fixture.outside.del(replica.redis.keys.bell(orderId));
    expect(await endOf(replica.visit(orderId))).toBe("ready");
  });

  test("whose order is unknown learns so", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    expect(await endOf(replica.visit(Bun.randomUUIDv7()))).toBe("forgotten");
  });

  test("learns that the time is over, and may come back", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    expect(await endOf(replica.visit(orderId, 0.05))).toBe("time_over");
    expect(replica.room.held).toBe(0);
    const again = replica.visit(orderId, 3600);
    await fixture.finish(orderId);
    expect(await endOf(again)).toBe("ready");
  });

  test("is answered once, with what came first", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId, 0.05);
    expect(await endOf(visit)).toBe("time_over");
    visit.hangUp();
    await fixture.finish(orderId);
    replica.room.close();
    expect(await endOf(visit)).toBe("time_over");
  });
});

describe("a customer whose order was placed just now", () => {
  test("is woken by its bell alone: its stored state is read once, then", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visitNew(orderId);
    await fixture.blockedLanes(1);
    await fixture.finish(orderId);
    expect(await soon(visit.outcome, "the customer is answered")).toMatchObject({
      kind: "final",
      order: { order_id: orderId, status: "ready", barista: "Grace" },
    });
    expect([replica.watches, replica.calls("read-finals"), replica.calls("find-bells")]).toEqual([0, 1, 0]);
    expect(replica.notified).toEqual([]);
  });

  const ends: readonly (readonly [string, (replica: Replica, orderId: string) => Promise<unknown>])[] = [
    ["ready", (replica, orderId) => replica.finish(orderId)],
    ["cancelled", ({ orders }, orderId) => orders.cancel({ orderId, canceller: "barista", reason: "machine_error" })],
  ];
  test.each(ends)("hears a bell that rang before they sat down: it is %s already", async (status, end) => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [alone = "", joined = "", waiting = ""] = await replica.brew(3);
    for (const orderId of [alone, joined]) await end(await fixture.kitchen(), orderId);
    // In a lane of its own, and in one that listens to another bell.
    expect(await endOf(replica.visitNew(alone))).toBe(status);
    const first = replica.visitNew(waiting);
    await fixture.blockedLanes(1);
    expect(await endOf(replica.visitNew(joined))).toBe(status);
    expect(replica.watches).toBe(0);
    await fixture.finish(waiting);
    expect(await endOf(first)).toBe("ready");
  });

  test("is answered after the bell was popped for all others", async () => {
    await using fixture = await ReplicaFixture.open();
    const [here, there] = [await fixture.replica(), await fixture.replica()];
    const orderId = await here.brewOne();
    await fixture.finish(orderId);
    expect(await endOf(here.visitNew(orderId))).toBe("ready");
    for (const replica of [there, here, there, here]) expect(await endOf(replica.visit(orderId))).toBe("ready");
  });

  test("is answered in whatever turn the bell rings, and so is who joins them", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 2 });
    const [here, there] = [await fixture.replica(), await fixture.replica()];
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
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visits = [replica.visitNew(orderId)];
    await fixture.blockedLanes(1);
    expect(replica.watches).toBe(0);
    visits.push(replica.visit(orderId));
    await until(() => replica.watches === 1, "the order is looked at");
    expect(replica.room.held).toBe(2);
    await fixture.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("may learn that the time is over, or hang up, and come back as who is looked at", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [slow = "", left = ""] = await replica.brew(2);
    expect(await endOf(replica.visit(slow, 0.05, true))).toBe("time_over");
    const leaving = replica.visitNew(left);
    await nextTurn();
    leaving.hangUp();
    expect(await endOf(leaving)).toBe("left");
    for (const orderId of [slow, left]) {
      await fixture.finish(orderId);
      // Their lane may still have listened, and popped it in vain; the rest is taken away.
      await fixture.outside.del(replica.redis.keys.bell(orderId));
      expect(await endOf(replica.visit(orderId))).toBe("ready");
    }
    expect(replica.room.held).toBe(0);
  });
});

describe("a customer who hangs up", () => {
  test("before they sit down is not held at all", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    for (const isNew of [true, false]) {
      const outcome = await replica.room.wait({ id: orderId, isNew, signal: AbortSignal.abort() });
      expect(outcome).toEqual({ kind: "left" });
    }
    expect(replica.room.held).toBe(0);
    expect(replica.watches).toBe(0);
    // No lane listens for them, when it listens for the next one.
    const next = await replica.brewOne();
    replica.visitNew(next);
    await replica.listensFor(next);
    expect(replica.laneSizes()).toEqual([1]);
  });

  const stages: readonly (readonly [string, (fixture: ReplicaFixture) => Promise<unknown>])[] = [
    ["in the tick in which they came", async () => {}],
    ["while their lane looks at their order", nextTurn],
    ["while their lane is blocked", (fixture) => fixture.blockedLanes(1)],
  ];
  test.each(stages)("%s frees the seat at once", async (_stage, reach) => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const [theirs = "", another = ""] = await replica.brew(2);
    const visit = replica.visit(theirs);
    await reach(fixture);
    visit.hangUp();
    expect(replica.room.held).toBe(0);
    expect(await endOf(visit)).toBe("left");
    const next = replica.visit(another);
    await fixture.finish(theirs);
    await fixture.finish(another);
    expect(await endOf(next)).toBe("ready");
    expect(await endOf(visit)).toBe("left");
  });

  test("while the order is being finished is answered once, and no other misses theirs", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 2 });
    const replica = await fixture.replica();
    const random = randomFrom(7);
    const others = await replica.fillLane();
    await until(() => replica.laneSizes()[0] === ROOMY, "the lane is full");
    for (const other of others.slice(0, 48)) {
      const orderId = await replica.brewOne();
      // The lane of the others is blocked, and the other one free.
      await fixture.blockedLanes(1);
      const visit = replica.visit(orderId);
      await fixture.blockedLanes(2);
      const finished = Promise.all([fixture.finish(orderId), fixture.finish(other.orderId)]);
      for (let turns = random(6); turns > 0; turns -= 1) await nextTurn();
      visit.hangUp();
      await finished;
      expect(["left", "ready"]).toContain(await endOf(visit));
      expect(await endOf(other)).toBe("ready");
    }
    await Promise.all(others.slice(48).map((other) => fixture.finish(other.orderId)));
    expect(await endsOf(others)).toEqual({ ready: others.length });
    expect(replica.room.held).toBe(0);
  });

  test("can come back for the coffee, here or on another replica", async () => {
    await using fixture = await ReplicaFixture.open();
    const here = await fixture.replica();
    const there = await fixture.replica();
    for (const replica of [here, there]) {
      const orderId = await here.brewOne();
      const first = here.visit(orderId);
      await here.listensFor(orderId);
      first.hangUp();
      const watches = replica.watches;
      const second = replica.visit(orderId);
      await until(() => replica.watches > watches, "the order is looked at again");
      await replica.listensFor(orderId);
      // Here it is the same lane.
      await fixture.blockedLanes(replica === here ? 1 : 2);
      await fixture.finish(orderId);
      expect(await endOf(second)).toBe("ready");
      await fixture.blockedLanes(0);
    }
  });

  test("leaves the bell of their last block to others who wait on it", async () => {
    await using fixture = await ReplicaFixture.open();
    const here = await fixture.replica();
    const there = await fixture.replica();
    const orderId = await here.brewOne();
    const first = here.visit(orderId);
    await fixture.blockedLanes(1);
    const second = there.visit(orderId);
    await fixture.blockedLanes(2);
    // The first lane stands first in Redis's line for the bell.
    first.hangUp();
    await fixture.finish(orderId);
    expect(await endOf(second)).toBe("ready");
  });
});

describe("two devices that wait for the same order", () => {
  test("in one lane are both answered", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visits = [replica.visit(orderId), replica.visit(orderId)];
    await fixture.blockedLanes(1);
    await fixture.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
  });

  test("in one lane do not depend on each other", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 1 });
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const [first, second] = [replica.visit(orderId), replica.visit(orderId)];
    await fixture.blockedLanes(1);
    first.hangUp();
    const third = replica.visit(orderId);
    await fixture.finish(orderId);
    expect(await endsOf([second, third])).toEqual({ ready: 2 });
    expect(await endOf(first)).toBe("left");
  });

  test("need no other lane when theirs is full, and are both answered", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const first = replica.visit(orderId);
    await fixture.blockedLanes(1);
    const others = await replica.fillLane(ROOMY - 1);
    await until(() => replica.laneSizes()[0] === ROOMY, "the lane is full");
    const second = replica.visit(orderId);
    await until(() => replica.watches === ROOMY + 1, "the order is looked at");
    // One who comes after them does need another lane.
    const last = await replica.brewOne();
    others.push(replica.visitNew(last));
    await fixture.blockedLanes(2);
    expect(replica.laneSizes()).toEqual([ROOMY, 1]);
    await fixture.finish(orderId);
    expect(await endsOf([first, second])).toEqual({ ready: 2 });
  });

  test("on two replicas are both answered, and the bell stays rung for a while", async () => {
    await using fixture = await ReplicaFixture.open();
    const [here, there] = [await fixture.replica(), await fixture.replica()];
    const orderId = await here.brewOne();
    const visits = [here.visit(orderId), there.visit(orderId)];
    await fixture.blockedLanes(2);
    await fixture.finish(orderId);
    expect(await endsOf(visits)).toEqual({ ready: 2 });
    const bell = here.redis.keys.bell(orderId);
    await until(async () => (await fixture.outside.llen(bell)) > 0, "the bell is rung again");
    expect(await fixture.outside.pttl(bell)).toBeGreaterThan(0);
  });
});

describe("closing the room", () => {
  const stages: readonly (readonly [string, (fixture: ReplicaFixture) => Promise<unknown>])[] = [
    ["just came", async () => {}],
    ["is being looked at", nextTurn],
    ["waits in a blocked lane", (fixture) => fixture.blockedLanes(1)],
  ];
  test.each(stages)("redirects who %s, and ends the lanes", async (_stage, reach) => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const visits = (await replica.brew(3)).map((orderId) => replica.visit(orderId));
    await reach(fixture);
    replica.room.close();
    expect(await endsOf(visits)).toEqual({ redirected: 3 });
    expect(replica.room.held).toBe(0);
    await until(async () => (await fixture.connections("lane")).length === 0, "the lanes are gone");
    expect(await fixture.connections()).toHaveLength(2);
  });

  test("also redirects who comes after it", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    replica.room.close();
    expect(await endOf(replica.visit(orderId), 2000)).toBe("redirected");
    expect(await fixture.connections("lane")).toEqual([]);
  });

  test("comes second: before it, who can't go is held, and who can is sent on, also who comes later", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const { promise, resolve } = Promise.withResolvers<WaitOutcome<OrderJson>>();
    replica.room.sit({ id: orderId, signal: phone().signal }, { mustStay: true, settle: resolve });
    const staying = { orderId, outcome: promise.then(parsedEnd), hangUp: () => {} };
    const going = replica.visit(orderId);
    await fixture.blockedLanes(1);
    replica.room.redirect();
    expect(await endOf(going)).toBe("redirected");
    expect(await endOf(replica.visit(orderId))).toBe("redirected");
    expect(replica.room.held).toBe(1);
    await fixture.finish(orderId);
    expect(await endOf(staying)).toBe("ready");
  });

  test("asks those who may have to stay when it redirects, and not before", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const guests = (await replica.brew(2)).map((id) => {
      const guest = {
        mustStay: true,
        settled: [] as string[],
        settle: ({ kind }: { kind: string }) => guest.settled.push(kind),
      };
      replica.room.sit({ id, isNew: true, signal: phone().signal }, guest);
      return guest;
    });
    const [going, staying] = guests;
    if (going) going.mustStay = false;
    replica.room.redirect();
    expect(going?.settled).toEqual(["redirected"]);
    expect(replica.room.held).toBe(1);
    expect(staying?.settled).toEqual([]);
    replica.room.redirectAll();
    expect(staying?.settled).toEqual(["redirected"]);
    expect(replica.room.held).toBe(0);
  });

  test("counts who waits for one id, whichever of them leaves first", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const [one, other] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    const visits = [one, other, one, one].map((id) => replica.visitNew(id));
    expect([one, other].map((id) => replica.room.countFor(id))).toEqual([3, 1]);
    for (const [index, left] of [2, 0, 3].entries()) {
      visits[left]?.hangUp();
      expect(replica.room.countFor(one)).toBe(2 - index);
    }
    expect(replica.room.countFor(other)).toBe(1);
    expect(replica.room.held).toBe(1);
  });

  test("leaves the customers of other replicas where they are", async () => {
    await using fixture = await ReplicaFixture.open();
    const [here, there] = [await fixture.replica(), await fixture.replica()];
    const orderId = await here.brewOne();
    const [first, second] = [here.visit(orderId), there.visit(orderId)];
    await fixture.blockedLanes(2);
    here.room.close();
    await fixture.blockedLanes(1);
    await there.finish(orderId);
    expect(await endOf(first)).toBe("redirected");
    expect(await endOf(second)).toBe("ready");
  });
});

describe("while Redis is unavailable", () => {
  test("customers keep waiting through its kill and its restart", async () => {
    const server = await TestRedis.start();
    try {
      await using fixture = await ReplicaFixture.open({ server, outageSeconds: 2 });
      const replica = await fixture.replica();
      const orderIds = await replica.brew(30);
      const [early, late] = [orderIds.slice(0, 20), orderIds.slice(20)];
      const visits = early.map((orderId) => replica.visit(orderId));
      await fixture.blockedLanes(1);
      await fixture.kitchen();
      await server.kill();
      visits.push(...late.map((orderId) => replica.visit(orderId)));
      // Longer than a command waits: looks fail meanwhile, and are tried again.
      await replica.orders.find(orderIds[0] ?? "").catch(() => {});
      await server.resume();
      await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
      expect(await endsOf(visits)).toEqual({ ready: 30 });
    } finally {
      await server.stop();
    }
  });

  test("customers keep waiting while it hangs", async () => {
    const server = await TestRedis.start();
    try {
      await using fixture = await ReplicaFixture.open({ server, outageSeconds: 2 });
      const replica = await fixture.replica();
      const orderIds = await replica.brew(30);
      const [early, late] = [orderIds.slice(0, 20), orderIds.slice(20)];
      const visits = early.map((orderId) => replica.visit(orderId));
      await fixture.blockedLanes(1);
      await fixture.kitchen();
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
      await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
      expect(await endsOf(visits)).toEqual({ ready: 30 });
    } finally {
      process.kill(server.pid, "SIGCONT");
      await server.stop();
    }
  });

  test("the room can be closed", async () => {
    const server = await TestRedis.start();
    try {
      await using fixture = await ReplicaFixture.open({ server, outageSeconds: 2 });
      const replica = await fixture.replica();
      const visits = (await replica.brew(3)).map((orderId) => replica.visit(orderId));
      await fixture.blockedLanes(1);
      await server.kill();
      replica.room.close();
      expect(await endsOf(visits)).toEqual({ redirected: 3 });
    } finally {
      await server.stop();
    }
  });
});

describe("nothing is left", () => {
  test("of customers who left: no seat, no more connections than lanes", async () => {
    await using fixture = await ReplicaFixture.open({ lanes: 3 });
    const replica = await fixture.replica();
    const orderIds = await replica.brew(60);
    const visits = orderIds.map((orderId) => replica.visit(orderId));
    await fixture.blockedLanes(1);
    visits.push(...orderIds.map((orderId) => replica.visit(orderId, 3600)));
    await until(() => replica.watches === 120, "all are looked at");
    for (const visit of visits.filter((_, index) => index % 2 === 0)) visit.hangUp();
    await Promise.all(orderIds.map((orderId) => fixture.finish(orderId)));
    expect(await endsOf(visits)).toEqual({ left: 60, ready: 60 });
    expect(replica.room.held).toBe(0);
    expect((await fixture.connections()).length).toBeLessThanOrEqual(3 + 2 * 2);
    (await fixture.kitchen()).close();
    replica.close();
    await until(async () => (await fixture.connections()).length === 0, "all connections are gone");
  });

  test("of a signal's listeners", async () => {
    await using fixture = await ReplicaFixture.open();
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const { signal } = phone();
    const [added, removed] = [spyOn(signal, "addEventListener"), spyOn(signal, "removeEventListener")];
    const outcome = replica.room.wait({ id: orderId, signal });
    expect(added).toHaveBeenCalledTimes(1);
    await fixture.finish(orderId);
    await soon(outcome, "the customer is answered");
    expect(removed.mock.calls).toEqual(added.mock.calls);
  });

  test("that keeps a process alive", async () => {
    await using fixture = await ReplicaFixture.open();
    const program = join(import.meta.dir, "whole-life.ts");
    const child = Bun.spawn([process.execPath, program, fixture.server.url, fixture.shop], {
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
    await using fixture = await ReplicaFixture.open();
    await wholeLife(fixture.server.url, fixture.shop);
    await until(async () => (await fixture.connections()).length === 0, "all connections are gone");
  });
});
