/**
 * Random histories of all verbs against a model in memory: what each command answers, what it changes, and what it must not.
 * Always holds: no clock decides anything here. A lease runs out because the test sets its deadline into the past.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { createOrders, type Orders } from "../../src/orders/verbs.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { scriptRunner } from "../../src/redis/script.ts";
import { sharedRedis } from "../support/redis.ts";
import { ShopModel, type Observation, type Outcome } from "./model.ts";

const MAX_ATTEMPTS = 2;
const QUEUES = ["default", "patio"] as const;

const barista = fc.constantFrom("Grace", "Linus", "Ada");
const whose = fc.option(barista, { nil: undefined });
const queue = fc.constantFrom(QUEUES[0], QUEUES[0], QUEUES[1]);
/** Which of the orders so far; -1 is one that never was. */
const pick = fc.integer({ min: -1, max: 5 });

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ verb: fc.constant("place" as const), queue }) },
  {
    weight: 5,
    arbitrary: fc.record({
      verb: fc.constant("start" as const),
      queue,
      barista,
      claim: fc.option(fc.nat(5), { nil: undefined, freq: 1 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("finish" as const), pick, barista: whose }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("release" as const), pick, barista: whose }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("extend" as const), pick, barista: whose }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant("cancel" as const),
      pick,
      barista: whose,
      canceller: fc.constantFrom("customer" as const, "barista" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant("runOut" as const), pick }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("expire" as const) }) },
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

let client: Redis;
beforeAll(async () => {
  client = (await sharedRedis()).connect();
});
afterAll(() => client.disconnect());

test("orders behave as the model does, whatever is done to them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40, size: "max" }), async (history) => {
      const { prefix } = keysOf(`test-${crypto.randomUUID()}`);
      const orders = createOrders(
        { run: scriptRunner(client, prefix), later: () => {} },
        {
          leaseSeconds: 900,
          maxAttempts: MAX_ATTEMPTS,
          retentionHours: 1,
        },
      );
      const model = new ShopModel(MAX_ATTEMPTS);
      let eventsSeen = "-";
      for (const [step, next] of history.entries()) {
        const expected = tellModel(model, next, step);
        const outcome = await act(orders, { prefix, next, step, model });
        expect(outcome).toEqual(expected);
        const { observation, lastEvent } = await observe(orders, { prefix, model, eventsSeen });
        eventsSeen = lastEvent;
        const foretold = model.observe(QUEUES);
        // The sweeper goes through the queues in an order that Redis chooses.
        if (next.verb === "expire") for (const { events } of [observation, foretold]) events.sort();
        expect(observation).toEqual(foretold);
      }
    }),
    { numRuns: 150 },
  );
}, 60_000);

const idOf = (model: ShopModel, at: number): string => model.ids[at] ?? "nobody's";

function tellModel(model: ShopModel, next: Command, step: number): Outcome {
  switch (next.verb) {
    case "place":
      return model.place(`order-${step}`, next.queue);
    case "start":
      return model.start({ ...next, claim: `claim-${next.claim ?? `of step ${step}`}` });
    case "finish":
      return model.finish(idOf(model, next.pick), next.barista);
    case "release":
      return model.release(idOf(model, next.pick), next.barista);
    case "extend":
      return model.extend(idOf(model, next.pick), next.barista);
    case "cancel":
      return model.cancel({ ...next, id: idOf(model, next.pick) });
    case "runOut":
      return model.runOut(idOf(model, next.pick));
    case "expire":
      return model.expire();
  }
}

interface Action {
  readonly prefix: string;
  readonly next: Command;
  readonly step: number;
  readonly model: ShopModel;
}

/** Does the command in Redis; its outcome without what the state tells anyway. */
async function act(orders: Orders, { prefix, next, step, model }: Action): Promise<Outcome> {
  if (next.verb === "place") return await orders.place({ orderId: `order-${step}`, queue: next.queue, draft: {} });
  if (next.verb === "expire") return { kind: "expired", cancelled: (await orders.expire()).cancelled };
  if (next.verb === "start") {
    const outcome = await orders.start({ ...next, claim: `claim-${next.claim ?? `of step ${step}`}` });
    return outcome.kind === "started" ? { kind: "started", orderId: outcome.order.order_id } : outcome;
  }
  const orderId = idOf(model, next.pick);
  if (next.verb === "runOut") return await runOut(prefix, orderId);
  const change = { orderId, barista: next.barista };
  const outcome = await (next.verb === "cancel"
    ? orders.cancel({ ...change, canceller: next.canceller, reason: next.canceller })
    : orders[next.verb](change));
  return outcome.kind === "changed"
    ? { kind: "changed", orderId: outcome.order.order_id, status: outcome.order.status }
    : outcome;
}

/** Ends the lease of an order as time does: its deadline is past (the first to run out first), and its claim is forgotten. */
let runOuts = 0;
async function runOut(prefix: string, id: string): Promise<Outcome> {
  const [queueName, claim] = await client.hmget(`${prefix}order:${id}`, "queue", "claim");
  if (await client.zscore(`${prefix}leases:${queueName}`, id)) {
    await client.zadd(`${prefix}leases:${queueName}`, "XX", (runOuts += 1), id);
    await client.del(`${prefix}claim:${claim}`);
  }
  return { kind: "ran_out" };
}

interface Looking {
  readonly prefix: string;
  readonly model: ShopModel;
  readonly eventsSeen: string;
}

/** Everything that the model tells too, and the id of the last event. */
async function observe(orders: Orders, { prefix, model: { ids }, eventsSeen }: Looking) {
  const pipeline = client.pipeline().xrange(`${prefix}events`, eventsSeen === "-" ? "-" : `(${eventsSeen}`, "+");
  for (const name of QUEUES) {
    pipeline
      .zrange(`${prefix}waiting:${name}`, 0, "-1")
      .zrange(`${prefix}leases:${name}`, 0, "-1")
      .xrange(`${prefix}queue:${name}`, "-", "+")
      .xpending(`${prefix}queue:${name}`, "baristas", "-", "+", 1000);
  }
  for (const id of ids)
    pipeline.hgetall(`${prefix}order:${id}`).pttl(`${prefix}order:${id}`).llen(`${prefix}bell:${id}`);
  const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
  type Entries = readonly (readonly [string, readonly string[]])[];
  const events = replies.shift() as Entries;
  const queues: Observation["queues"] = Object.fromEntries(
    QUEUES.map((name) => {
      const [waiting, leases, entries, pending] = replies.splice(0, 4) as [
        string[],
        string[],
        Entries,
        [string, string][] | null,
      ];
      const orderOf = new Map(entries.map(([entry, [, id = ""]]) => [entry, id]));
      const holders = Object.fromEntries(
        (pending ?? []).map(([entry, given]) => [orderOf.get(entry) ?? "a lost entry", given]),
      );
      return [name, { waiting, leases: leases.toSorted(), entries: [...orderOf.values()].toSorted(), given: holders }];
    }),
  );
  // All of one tick: one command.
  const found = await Promise.all(ids.map((id) => orders.find(id)));
  const states: Observation["orders"] = Object.fromEntries(
    ids.map((id, at) => {
      const [fields, ttlMs, bell] = replies.splice(0, 3) as [Record<string, string>, number, number];
      const { status, attempts, barista: holder, reason, expiries } = fields;
      const shown = found[at]?.kind === "found" ? found[at].order : undefined;
      const counts = { attempts: Number(attempts), expiries: Number(expiries ?? 0), position: shown?.position };
      return [id, { status, barista: holder, reason, rung: Math.sign(bell), kept: ttlMs < 0, ...counts }];
    }),
  );
  const observation = { events: events.map(([, [, type, , id]]) => `${type} ${id}`), queues, orders: states };
  return { observation, lastEvent: events.at(-1)?.[0] ?? eventsSeen };
}
