/**
 * Random histories of all verbs against a model in memory: what each command answers, what it changes, and what it must not.
 * Always holds: no clock decides anything here. A lease runs out because the test sets its deadline into the past.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import type { Order } from "../../src/orders/order.ts";
import { createOrders } from "../../src/orders/verbs.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { scriptRunner } from "../../src/redis/script.ts";
import { sharedRedis } from "../support/redis.ts";
import { parseTold, parsing, withoutPlace, type ParsedOrders } from "../support/wire.ts";
import { ShopModel, type Observation, type Outcome } from "./model.ts";

const MAX_ATTEMPTS = 2;
const QUEUES = ["default", "patio"] as const;

const barista = fc.constantFrom("Grace", "Linus", "Ada");
const whose = fc.option(barista, { nil: undefined });
const queue = fc.constantFrom(QUEUES[0], QUEUES[0], QUEUES[1]);
/** Which of the orders so far; -1 is one that never was. */
const pick = fc.integer({ min: -1, max: 5 });

/** Commands of one verb that are given in one tick: a run of its script does them all, as one after the other would. */
function together<Verb extends string, Fields extends object>(verb: Verb, fields: fc.Arbitrary<Fields>) {
  return fc.array(
    fields.map((own) => ({ verb, ...own })),
    { minLength: 1, maxLength: 4 },
  );
}

const commands = fc.oneof(
  { weight: 4, arbitrary: together("place", fc.record({ queue })) },
  {
    weight: 5,
    arbitrary: together(
      "start",
      fc.record({
        queue,
        barista,
        claim: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
        chosen: fc.option(pick, { nil: undefined, freq: 2 }),
      }),
    ),
  },
  { weight: 3, arbitrary: together("finish", fc.record({ pick, barista: whose })) },
  { weight: 2, arbitrary: together("release", fc.record({ pick, barista: whose })) },
  { weight: 1, arbitrary: together("extend", fc.record({ pick, barista: whose })) },
  {
    weight: 2,
    arbitrary: together(
      "cancel",
      fc.record({ pick, barista: whose, canceller: fc.constantFrom("customer" as const, "barista" as const) }),
    ),
  },
  { weight: 3, arbitrary: together("runOut", fc.record({ pick })) },
  { weight: 2, arbitrary: together("expire", fc.record({})) },
);
type Command = typeof commands extends fc.Arbitrary<readonly (infer Value)[]> ? Value : never;

let client: Redis;
beforeAll(async () => {
  client = (await sharedRedis()).connect();
});
afterAll(() => client.disconnect());

test("orders behave as the model does, whatever is done to them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commands, { maxLength: 30, size: "max" }), async (history) => {
      const { prefix } = keysOf(`test-${crypto.randomUUID()}`);
      const settings = { leaseSeconds: 900, maxAttempts: MAX_ATTEMPTS, retentionHours: 1 };
      const run = scriptRunner(client, prefix);
      const orders = parsing(createOrders({ run, later: () => {} }, settings));
      const model = new ShopModel(MAX_ATTEMPTS);
      let eventsSeen = "-";
      for (const [step, tick] of history.entries()) {
        const { ids } = model;
        const actions = tick.map((next, at) => ({ prefix, next, name: `${step}-${at}`, ids }));
        const outcomes = await Promise.all(actions.map((action) => act(orders, action)));
        expect(outcomes).toEqual(actions.map((action) => tellModel(model, action)));
        const { observation, lastEvent } = await observe(orders, { prefix, model, eventsSeen });
        eventsSeen = lastEvent;
        const foretold = model.observe(QUEUES);
        // The sweeper goes through the queues in an order that Redis chooses.
        if (tick[0]?.verb === "expire") for (const { events } of [observation, foretold]) events.sort();
        expect(observation).toEqual(foretold);
      }
    }),
    { numRuns: 150 },
  );
}, 60_000);

interface Action {
  readonly prefix: string;
  readonly next: Command;
  /** Names what the command makes: an order, or a claim. */
  readonly name: string;
  /** The orders before this tick. */
  readonly ids: readonly string[];
}

const idOf = (ids: readonly string[], at: number): string => ids[at] ?? "nobody's";
const claimOf = ({ name }: Action, claim: number | undefined) => `claim-${claim ?? name}`;
const chosenOf = (ids: readonly string[], at: number | undefined) => (at === undefined ? undefined : idOf(ids, at));

function tellModel(model: ShopModel, action: Action): Outcome {
  const { next, name, ids } = action;
  switch (next.verb) {
    case "place":
      return model.place(`order-${name}`, next.queue);
    case "start":
      return model.start({ ...next, claim: claimOf(action, next.claim), chosen: chosenOf(ids, next.chosen) });
    case "finish":
      return model.finish(idOf(ids, next.pick), next.barista);
    case "release":
      return model.release(idOf(ids, next.pick), next.barista);
    case "extend":
      return model.extend(idOf(ids, next.pick), next.barista);
    case "cancel":
      return model.cancel({ ...next, id: idOf(ids, next.pick) });
    case "runOut":
      return model.runOut(idOf(ids, next.pick));
    case "expire":
      return model.expire();
  }
}

/** Does the command in Redis; its outcome without what the state tells anyway. */
async function act(orders: ParsedOrders, action: Action): Promise<Outcome> {
  const { prefix, next, name, ids } = action;
  if (next.verb === "place") {
    const outcome = await orders.place({ orderId: `order-${name}`, queue: next.queue, draft: {} });
    if (outcome.kind === "refused") throw new Error(`refused: ${outcome.why}`);
    return outcome;
  }
  if (next.verb === "expire") return { kind: "expired", cancelled: (await orders.expire()).cancelled };
  if (next.verb === "start") {
    const { chosen, ...asked } = next;
    const claim = claimOf(action, next.claim);
    const outcome = await orders.start({ ...asked, claim, orderId: chosenOf(ids, chosen) });
    return outcome.kind === "started" ? { kind: "started", orderId: outcome.orderId } : outcome;
  }
  const orderId = idOf(ids, next.pick);
  if (next.verb === "runOut") return await runOut(prefix, orderId);
  const change = { orderId, barista: next.barista };
  const outcome = await (next.verb === "cancel"
    ? orders.cancel({ ...change, canceller: next.canceller, reason: next.canceller })
    : orders[next.verb](change));
  return outcome.kind === "changed"
    ? { kind: "changed", orderId: outcome.order.order_id, status: outcome.order.status }
    : outcome;
}

/** Ends the lease of an order as time does: its deadline is past (the first to run out first). */
let runOuts = 0;
async function runOut(prefix: string, id: string): Promise<Outcome> {
  const queueName = await client.hget(`${prefix}order:${id}`, "queue");
  await client.zadd(`${prefix}leases:${queueName}`, "XX", (runOuts += 1), id);
  return { kind: "ran_out" };
}

type Entries = readonly (readonly [string, readonly string[]])[];
type Found = ReadonlyMap<string, Order | undefined>;

async function findNow(orders: ParsedOrders, id: string): Promise<Order | undefined> {
  const outcome = await orders.find(id);
  return outcome.kind === "found" ? outcome.order : undefined;
}

/** 1 where the bell brings the order to one, and a look to others; 0 where it is silent. */
function ringsOf(id: string, [json, ...others]: readonly string[], order: Order | undefined): number {
  if (json === undefined) return 0;
  const isRight = json !== "" && Bun.deepEquals(parseTold(id, json), order) && Bun.deepEquals(others, [""]);
  return isRight ? 1 : Number.NaN;
}

/** One line an event, and a fault where the last one of an order does not tell it as it is. */
function readEvents(events: Entries, found: Found): string[] {
  const seen = new Set<string>();
  const lines = events.toReversed().map(([, [, type, , id = "", , data = ""]]) => {
    const told = parseTold(id, data);
    const order = found.get(id);
    const isTrue = seen.has(id) || (order && Bun.deepEquals(told, withoutPlace(order)));
    seen.add(id);
    return `${type} ${id}${isTrue ? "" : ", but not as the order is"}`;
  });
  return lines.toReversed();
}

interface Looking {
  readonly prefix: string;
  readonly model: ShopModel;
  readonly eventsSeen: string;
}

/** Everything that the model tells too, and the id of the last event. */
async function observe(orders: ParsedOrders, { prefix, model: { ids }, eventsSeen }: Looking) {
  const pipeline = client.pipeline().xrange(`${prefix}events`, eventsSeen === "-" ? "-" : `(${eventsSeen}`, "+");
  pipeline.hgetall(`${prefix}claims`);
  for (const name of QUEUES) {
    pipeline
      .zrange(`${prefix}waiting:${name}`, 0, "-1")
      .zrange(`${prefix}leases:${name}`, 0, "-1")
      .xrange(`${prefix}queue:${name}`, "-", "+")
      .xpending(`${prefix}queue:${name}`, "baristas", "-", "+", 1000);
  }
  for (const id of ids)
    pipeline.hgetall(`${prefix}order:${id}`).pttl(`${prefix}order:${id}`).lrange(`${prefix}bell:${id}`, 0, -1);
  const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
  const events = replies.shift() as Entries;
  const claims = replies.shift() as Observation["claims"];
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
  const found = new Map(await Promise.all(ids.map(async (id) => [id, await findNow(orders, id)] as const)));
  const states: Observation["orders"] = Object.fromEntries(
    ids.map((id) => {
      const [fields, ttlMs, bell] = replies.splice(0, 3) as [Record<string, string>, number, string[]];
      const { status, attempts, barista: holder, reason, expiries } = fields;
      const shown = found.get(id);
      const counts = { attempts: Number(attempts), expiries: Number(expiries ?? 0), position: shown?.position };
      return [id, { status, barista: holder, reason, rung: ringsOf(id, bell, shown), kept: ttlMs < 0, ...counts }];
    }),
  );
  const observation = { events: readEvents(events, found), claims, queues, orders: states };
  return { observation, lastEvent: events.at(-1)?.[0] ?? eventsSeen };
}
