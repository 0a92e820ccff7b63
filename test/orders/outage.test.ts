/** The verbs on a line to Redis that is cut for long: what was refused then is not made later, without a customer. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { TestRedis } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import { ReplicaFixture, endOf } from "../longpoll/replicas.ts";
import { RedisRelay } from "../support/relay.ts";

setDefaultTimeout(60_000);

test("an order that was refused in an outage is not made after it", async () => {
  // One of the test's own: no order was cancelled there yet, so Redis does not know that script.
  const server = await TestRedis.start();
  try {
    await using fixture = await ReplicaFixture.open({ server, outageSeconds: 1 });
    using relay = new RedisRelay(server.port);
    const replica = await fixture.replica(relay.url);
    await replica.place(1);
    relay.cut();
    const orderId = Bun.randomUUIDv7();
    const placed = replica.orders.place({ orderId, queue: DEFAULT_QUEUE, draft: {} });
    expect(
      await placed.then(
        ({ kind }) => kind,
        () => "refused",
      ),
    ).toBe("refused");
    // As long as any other command waits, whatever the refused one has left behind.
    for (let waited = 0; waited < 2; waited += 1) {
      expect(
        await replica.orders.find(orderId).then(
          ({ kind }) => kind,
          () => "refused",
        ),
      ).toBe("refused");
    }
    relay.mend();
    await until(async () => await replica.redis.isReady(), "Redis is back");
    const isUnmade = async (): Promise<boolean> => {
      const found = await replica.orders.find(orderId);
      return found.kind === "unknown" || (found.kind === "found" && found.order.status === "cancelled");
    };
    await until(isUnmade, "the order is not to be made");
  } finally {
    await server.stop();
  }
});

test("what waits through an outage is answered as soon as it is over", async () => {
  const server = await TestRedis.start();
  try {
    // Longer than the test waits for an answer.
    await using fixture = await ReplicaFixture.open({ server, outageSeconds: 25 });
    using relay = new RedisRelay(server.port);
    const replica = await fixture.replica(relay.url);
    relay.cut();
    await until(() => relay.refused > 0, "the connection is lost");
    const orderId = Bun.randomUUIDv7();
    const placed = replica.orders.place({ orderId, queue: DEFAULT_QUEUE, draft: {} });
    const visit = replica.visitNew(orderId);
    const refused = relay.refused;
    await until(() => relay.refused >= refused + 12, "it was tried to connect several times meanwhile");
    relay.mend();
    expect(await soon(placed, "the order is placed")).toEqual({ kind: "placed", orderId });
    await replica.orders.cancel({ orderId, canceller: "customer", reason: "customer" });
    expect(await endOf(visit)).toBe("cancelled");
  } finally {
    await server.stop();
  }
});
