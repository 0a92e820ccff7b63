/** The sweeper on a real Redis: orders that no barista finishes come to an end, and so does the sweeper. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { pino } from "pino";
import { readEntry } from "../../src/events/event.ts";
import { startSweeper } from "../../src/orders/sweeper.ts";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { silent, TestRedis } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import { ReplicaFixture, endOf, type Replica } from "../longpoll/replicas.ts";

setDefaultTimeout(60_000);

/** Tries to start an order. */
async function isStarted({ orders }: Replica): Promise<boolean> {
  const outcome = await orders.start({ claimId: crypto.randomUUID(), barista: "Grace", queue: DEFAULT_QUEUE });
  return outcome.kind === "started";
}

/** How many rounds the replica's sweeper has begun. */
function rounds(replica: Replica): number {
  return replica.calls("due-orders");
}

describe("an order whose leases run out", () => {
  test("is cancelled after the last attempt, and its customer is notified", async () => {
    await using fixture = await ReplicaFixture.open({ leaseSeconds: 0.1, maxAttempts: 2 });
    const replica = await fixture.replica();
    const [orderId = ""] = await replica.place(1);
    const visit = replica.visit(orderId);
    const sweeper = startSweeper(replica.orders, silent);
    try {
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        await until(() => isStarted(replica), `attempt ${attempt} begins`);
      }
      expect(await endOf(visit)).toBe("cancelled");
    } finally {
      sweeper.stop();
    }
    const found = await replica.orders.find(orderId);
    expect(found).toMatchObject({ order: { status: "cancelled", reason: "barista_timeout", attempts: 2 } });
  });

  test("is cancelled once, however many replicas sweep", async () => {
    await using fixture = await ReplicaFixture.open({ leaseSeconds: 0.1, maxAttempts: 1 });
    const replicas = [await fixture.replica(), await fixture.replica(), await fixture.replica()];
    const [replica] = replicas;
    const orderIds = (await replica?.brew(20)) ?? [];
    const visits = orderIds.map((orderId) => replica?.visit(orderId));
    const sweepers = replicas.map(({ orders }) => startSweeper(orders, silent));
    try {
      for (const visit of visits) expect(visit && (await endOf(visit))).toBe("cancelled");
    } finally {
      for (const sweeper of sweepers) sweeper.stop();
    }
    const events = await fixture.outside.xrange(`{${fixture.shop}}:events`, "-", "+");
    const cancelled = events
      .flatMap((entry) => readEntry(entry, "0-0"))
      .filter(({ type }) => type === "order.cancelled");
    expect(cancelled.map(({ orderId }) => orderId).toSorted()).toEqual(orderIds.toSorted());
  });

  test("is still finished by its barista until another starts it", async () => {
    await using fixture = await ReplicaFixture.open({ leaseSeconds: 0.1, maxAttempts: 5 });
    const replica = await fixture.replica();
    const orderId = await replica.brewOne();
    const visit = replica.visit(orderId);
    const leases = `{${fixture.shop}}:leases:${DEFAULT_QUEUE}`;
    await until(
      async () => Number(await fixture.outside.zscore(leases, orderId)) < (await nowMs(fixture)),
      "the lease ran out",
    );
    const sweeper = startSweeper(replica.orders, silent);
    try {
      await until(() => rounds(replica) > 0, "it was swept");
      await replica.finish(orderId);
      expect(await endOf(visit)).toBe("ready");
    } finally {
      sweeper.stop();
    }
  });
});

describe("stopping the sweeper", () => {
  test("begins no further round", async () => {
    await using fixture = await ReplicaFixture.open({ leaseSeconds: 0.1, maxAttempts: 1000 });
    const replica = await fixture.replica();
    await replica.brewOne();
    const sweeper = startSweeper(replica.orders, silent);
    await until(() => rounds(replica) > 1, "it swept twice");
    sweeper.stop();
    const before = rounds(replica);
    await replica.brewOne();
    const another = await fixture.replica();
    const other = startSweeper(another.orders, silent);
    await until(() => rounds(another) > 1, "another one sweeps");
    other.stop();
    expect(rounds(replica)).toBe(before);
  });

  test("leaves nothing that keeps a process alive", async () => {
    const program = `
      import { startSweeper } from "${import.meta.dir}/../../src/orders/sweeper.ts";
      let rounds = 0;
      const orders = {
        expire: async () => ({ nextMs: (rounds += 1) < 3 ? 1 : null, cancelled: 0 }),
        forget: async () => ({ next: "" }),
        inspect: async () => ({ keys: [], orders: [], unevenQueues: [] }),
      };
      const sweeper = startSweeper(orders, console);
      setTimeout(() => sweeper.stop(), 200);`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "inherit", stderr: "inherit" });
    try {
      expect(await soon(child.exited, "the process ends by itself")).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

test("while Redis is unavailable the outage is all that is logged, and the sweeper sweeps again when it is back", async () => {
  const server = await TestRedis.start();
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  await using fixture = await ReplicaFixture.open({ server, outageSeconds: 1, leaseSeconds: 0.1, maxAttempts: 1 });
  try {
    const replica = await fixture.replica(server.url, log);
    const [orderId = ""] = await replica.place(1);
    const visit = replica.visit(orderId);
    process.kill(server.pid, "SIGSTOP");
    const sweeper = startSweeper(replica.orders, log);
    await until(() => rounds(replica) === 2, "it tried twice", 20_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("Redis is away");
    process.kill(server.pid, "SIGCONT");
    await until(() => isStarted(replica), "the order is started");
    expect(await endOf(visit, 20_000)).toBe("cancelled");
    sweeper.stop();
    expect(lines.filter((line) => !line.includes("time was over"))).toHaveLength(1);
  } finally {
    process.kill(server.pid, "SIGCONT");
    await server.stop();
  }
});

async function nowMs(fixture: ReplicaFixture): Promise<number> {
  const [seconds, micros] = await fixture.outside.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
