/** Staffing on a real Redis: a barista who waits on an empty queue is woken by an order, not by a look at the clock. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startSweeper } from "../../src/orders/sweeper.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import type { StaffingOutcome } from "../../src/service/staffing.ts";
import { silent } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import { parsed, type Parsed } from "../support/wire.ts";
import {
  ReplicaFixture,
  nextTurn,
  phone,
  randomFrom,
  type ReplicaSettings,
  type Replica,
} from "../longpoll/replicas.ts";
import { RedisRelay } from "../support/relay.ts";

setDefaultTimeout(60_000);

interface Shift {
  readonly outcome: Promise<Parsed<StaffingOutcome>>;
  readonly hangUp: () => void;
}

/** A barista asks for an order. */
function ask({ staffing }: Replica, { seconds = 3600, queue = DEFAULT_QUEUE, barista = "Grace" } = {}): Shift {
  const { signal, hangUp } = phone();
  const wait = { barista, queue, seconds, signal };
  return { outcome: staffing.start(wait, parsed), hangUp };
}

/** The order that the barista got, or `empty`. */
async function given({ outcome }: Shift, ms?: number): Promise<string> {
  const end = await soon(outcome, "the barista is answered", ms);
  return end.kind === "started" ? end.order.order_id : end.kind;
}

/** Returns once the replica has asked Redis `count` times, and all answers are there. */
async function asked(replica: Replica, count: number): Promise<void> {
  await until(() => replica.answeredStarts === count, `an order was asked for ${count} times`);
  expect(replica.starts).toBe(count);
  await nextTurn();
}

/** Two replicas: baristas wait in the first, orders come from the second. Both are heard; no barista has asked. */
async function openBoth(
  settings: ReplicaSettings = {},
): Promise<{ fixture: ReplicaFixture; here: Replica; there: Replica }> {
  const fixture = await ReplicaFixture.open(settings);
  const [here, there] = [await fixture.replica(), await fixture.replica()];
  await until(async () => (await listeners(fixture, here)) === 2, "both replicas listen");
  return { fixture, here, there };
}

async function listeners(fixture: ReplicaFixture, { redis }: Replica): Promise<number> {
  return Number((await fixture.outside.pubsub("NUMSUB", redis.keys.wake))[1]);
}

/** Runs a test on two replicas. */
function testBoth(
  name: string,
  body: (fixture: ReplicaFixture, here: Replica, there: Replica) => Promise<void>,
  settings?: ReplicaSettings,
): void {
  test(name, async () => {
    const { fixture, here, there } = await openBoth(settings);
    await using _ = fixture;
    await body(fixture, here, there);
  });
}

describe("a barista who waits", () => {
  testBoth(
    "is woken by an order placed on another replica, and has not asked meanwhile",
    async (_cafe, here, there) => {
      const shift = ask(here);
      await asked(here, 1);
      const [orderId = ""] = await there.place(1);
      expect(await given(shift)).toBe(orderId);
      expect(here.starts).toBe(2);
    },
  );

  testBoth("is woken by a release", async (_cafe, here, there) => {
    const orderId = await there.brewOne();
    const shift = ask(here);
    await asked(here, 1);
    await there.orders.release({ orderId });
    expect(await given(shift)).toBe(orderId);
    expect(here.starts).toBe(2);
  });

  testBoth(
    "is woken by a lease that ran out",
    async (_cafe, here, there) => {
      const orderId = await there.brewOne();
      const shift = ask(here);
      const sweeper = startSweeper(there.orders, silent);
      try {
        expect(await given(shift)).toBe(orderId);
      } finally {
        sweeper.stop();
      }
    },
    { leaseSeconds: 1 },
  );

  testBoth("is not woken by orders of another queue", async (_cafe, here, there) => {
    const [wanted, another] = [ask(here, { queue: "espresso-bar" }), ask(here, { queue: "kitchen" })];
    await asked(here, 2);
    const [orderId = ""] = await there.place(1, "espresso-bar");
    expect(await given(wanted)).toBe(orderId);
    expect(here.starts).toBe(3);
    another.hangUp();
    expect(await given(another)).toBe("empty");
  });

  testBoth("gets an order that is there already at once", async (_cafe, here, there) => {
    const [orderId = ""] = await there.place(1);
    expect(await given(ask(here))).toBe(orderId);
    expect(here.starts).toBe(1);
  });

  testBoth("waits no longer than they asked for", async (_cafe, here) => {
    expect(await given(ask(here, { seconds: 0 }))).toBe("empty");
    expect(here.starts).toBe(1);
    expect(await given(ask(here, { seconds: 0.1 }))).toBe("empty");
  });

  testBoth("is sent away when the room closes, and so is who comes later", async (_cafe, here) => {
    const shifts = [ask(here), ask(here, { queue: "kitchen" })];
    await asked(here, 2);
    here.baristas.close();
    shifts.push(ask(here));
    for (const shift of shifts) expect(await given(shift)).toBe("empty");
  });
});

describe("of many who wait", () => {
  testBoth("as many are woken as orders were placed, first come first served", async (_cafe, here, there) => {
    const shifts: Shift[] = [];
    for (let count = 1; count <= 5; count += 1) {
      shifts.push(ask(here));
      await asked(here, count);
    }
    const placed = await there.place(2);
    expect([await given(shifts[0] as Shift), await given(shifts[1] as Shift)]).toEqual(placed);
    await asked(here, 7);
    for (const shift of shifts.slice(2)) {
      const [orderId = ""] = await there.place(1);
      expect(await given(shift)).toBe(orderId);
    }
    expect(here.starts).toBe(10);
  });

  testBoth("one who hangs up leaves the wake to the next", async (_cafe, here, there) => {
    const random = randomFrom(5);
    for (let round = 0; round < 60; round += 1) {
      const before = here.starts;
      const [leaving, staying] = [ask(here, { barista: "Ada" }), ask(here)];
      await asked(here, before + 2);
      const placing = there.place(1);
      for (let turns = random(12); turns > 0; turns -= 1) await nextTurn();
      leaving.hangUp();
      const [orderId = ""] = await placing;
      const first = await given(leaving);
      if (first === orderId) {
        // Too late to leave: the order was theirs before.
        staying.hangUp();
        expect(await given(staying)).toBe("empty");
      } else {
        expect(first).toBe("empty");
        expect(await given(staying)).toBe(orderId);
      }
    }
  });

  testBoth("no wake is lost while others ask: 20 baristas make 500 orders, each once", async (_cafe, here, there) => {
    const random = randomFrom(500);
    const made: string[] = [];
    const shifts = new Set<Shift>();
    const work = async (): Promise<void> => {
      for (;;) {
        const shift = ask(here);
        shifts.add(shift);
        const outcome = await shift.outcome;
        shifts.delete(shift);
        if (outcome.kind === "empty") return;
        if (outcome.kind !== "started") throw new Error(`a barista was answered ${outcome.kind}`);
        made.push(outcome.order.order_id);
        await here.finish(outcome.order.order_id);
      }
    };
    const workers = Array.from({ length: 20 }, work);
    const placed: string[] = [];
    while (placed.length < 500) {
      placed.push(...(await there.place(Math.min(1 + random(30), 500 - placed.length))));
      for (let turns = random(10); turns > 0; turns -= 1) await nextTurn();
      // Now and then all of them wait.
      if (random(6) === 0) await until(() => made.length === placed.length, "all orders placed so far are made");
    }
    await until(() => made.length === 500 && shifts.size === 20, "all orders are made, and all wait again");
    for (const { hangUp } of shifts) hangUp();
    await Promise.all(workers);
    expect(made.toSorted()).toEqual(placed.toSorted());
    expect(await here.orders.measure(DEFAULT_QUEUE)).toEqual({
      depth: 0,
      brewing: 0,
      oldestWaitingSeconds: null,
      damaged: 0,
    });
  });

  testBoth("on two replicas each order goes to one", async (_cafe, here, there) => {
    const shifts = Array.from({ length: 40 }, (_, index) => ask(index % 2 === 0 ? here : there));
    await until(() => here.answeredStarts === 20 && there.answeredStarts === 20, "all wait");
    const placed = await there.place(40);
    const taken = await Promise.all(shifts.map((shift) => given(shift)));
    expect(taken.toSorted()).toEqual(placed.toSorted());
  });
});

describe("a barista who hangs up", () => {
  testBoth("while waiting takes no order", async (_cafe, here, there) => {
    const shift = ask(here);
    await asked(here, 1);
    shift.hangUp();
    expect(await given(shift)).toBe("empty");
    const [orderId = ""] = await there.place(1);
    await there.orders.measure(DEFAULT_QUEUE);
    expect(await there.orders.find(orderId)).toMatchObject({ kind: "found", order: { status: "queued", attempts: 0 } });
  });

  testBoth("while waiting asks for no more", async (_cafe, here) => {
    const shifts = [ask(here), ask(here)];
    await asked(here, 2);
    shifts[0]?.hangUp();
    here.baristas.close();
    for (const shift of shifts) expect(await given(shift)).toBe("empty");
    expect(here.starts).toBe(2);
  });

  testBoth(
    "while an order is being given to them puts it back, and the next one gets it",
    async (_cafe, here, there) => {
      const [orderId = ""] = await there.place(1);
      const shift = ask(here, { barista: "Ada" });
      shift.hangUp();
      const next = ask(there);
      expect(await given(shift)).toBe("empty");
      expect(await given(next)).toBe(orderId);
      // The first start was none to them: it does not count.
      expect(await there.orders.find(orderId)).toMatchObject({ order: { attempts: 1 } });
    },
  );

  testBoth("but may return keeps the order for the same claim", async (_cafe, here, there) => {
    const [orderId = ""] = await there.place(1);
    const key = crypto.randomUUID();
    const { signal, hangUp } = phone();
    const wait = { key, barista: "Ada", queue: DEFAULT_QUEUE, seconds: 3600 };
    const lost = here.staffing.start({ ...wait, signal }, parsed);
    hangUp();
    await soon(lost, "the first try ends");
    const again = there.staffing.start({ ...wait, signal: phone().signal }, parsed);
    expect(await soon(again, "the second try ends")).toMatchObject({
      kind: "started",
      order: { order_id: orderId, attempts: 1 },
    });
  });
});

describe("while the line for wakes is cut", () => {
  testBoth("orders are started as soon as it is back", async (fixture, here, there) => {
    const shifts = [ask(here), ask(here)];
    await asked(here, 2);
    const orderIds: string[] = [];
    for (const shift of shifts) {
      await fixture.kill("wakes");
      orderIds.push(...(await there.place(1)));
      expect(orderIds).toContain(await given(shift));
    }
  });

  test("an order placed before it is back in Redis's eyes is started too", async () => {
    await using fixture = await ReplicaFixture.open();
    using relay = new RedisRelay(fixture.server.port);
    const [here, there] = [await fixture.replica(relay.url), await fixture.replica()];
    await until(async () => (await listeners(fixture, here)) === 2, "both replicas listen");
    const shift = ask(here);
    await asked(here, 1);
    // What says that it listens again is on its way, while the question for an order is there already.
    relay.delayMs = (text) => (/subscribe/i.test(text) ? 500 : 0);
    const before = here.starts;
    await fixture.kill("wakes");
    await until(() => here.starts > before, "it asked again");
    await here.orders.measure(DEFAULT_QUEUE);
    const [orderId = ""] = await there.place(1);
    expect(await given(shift)).toBe(orderId);
  });
});

test("an outage takes no order for a barista whom it refused", async () => {
  await using fixture = await ReplicaFixture.open({ outageSeconds: 1 });
  using relay = new RedisRelay(fixture.server.port);
  const [here, there] = [await fixture.replica(relay.url), await fixture.replica()];
  expect(await given(ask(here, { seconds: 0 }))).toBe("empty");
  const [orderId = ""] = await there.place(1);
  relay.cut();
  const refused = ask(here, { seconds: 0 });
  expect(
    await refused.outcome.then(
      ({ kind }) => kind,
      () => "refused",
    ),
  ).toBe("refused");
  // As long as any other command waits, whatever the refused one has left behind.
  for (let waited = 0; waited < 2; waited += 1) {
    expect(
      await here.orders.find(orderId).then(
        ({ kind }) => kind,
        () => "refused",
      ),
    ).toBe("refused");
  }
  relay.mend();
  await until(async () => await here.redis.isReady(), "Redis is back");
  // What was sent late stands before this on the same connection.
  await here.orders.find(orderId);
  expect(await given(ask(there, { barista: "Ada", seconds: 5 }))).toBe(orderId);
});

test("nothing is left of baristas who were there", async () => {
  const { fixture, here, there } = await openBoth();
  await using _ = fixture;
  const shifts = Array.from({ length: 200 }, () => ask(here));
  await asked(here, 200);
  for (const { hangUp } of shifts) hangUp();
  for (const shift of shifts) expect(await given(shift)).toBe("empty");
  // Any who were still there would ask now.
  const before = here.starts;
  await there.place(5);
  const shift = ask(here);
  expect(await given(shift)).not.toBe("empty");
  expect(here.starts).toBe(before + 1);
  expect(await fixture.connections()).toHaveLength(4);
});
