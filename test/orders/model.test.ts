/**
 * Random histories of all operations against a model in memory: what each command answers, what it changes, and what it
 * must not.
 *
 * **Invariants**
 * - No clock decides anything here. A lease runs out because the test sets its deadline into the past.
 * - Commands of one tick travel in one run, which does them in the order of the operations.
 * - Ticks come from either of two replicas. A run whose answer is lost is sent again, and answers the same.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { createOrders } from "../../src/orders/orders.ts";
import { keysOf } from "../../src/redis/keys.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { scriptRunner } from "../../src/redis/script-runner.ts";
import { declareQueues } from "../../src/orders/queues.ts";
import { ORDER_SETTINGS, QUEUE_RULES } from "../support/orders.ts";
import { sharedRedis, silent } from "../support/redis.ts";
import { parseRecord } from "../support/state.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";
import { ShopModel } from "./model.ts";
import { observe } from "./model-look.ts";
import type { Outcome } from "./model-order.ts";

const MAX_ATTEMPTS = 2;
/** The last one is of machines: small, so that it is full at times. */
const QUEUES = ["default", "patio", "thumbs"] as const;
const MACHINES = { name: QUEUES[2], capacity: 4 };
const HOUR_MS = 3_600_000;

const barista = fc.constantFrom("Grace", "Linus", "Ada");
const whose = fc.option(barista, { nil: undefined });
const queue = fc.constantFrom(QUEUES[0], QUEUES[0], QUEUES[1], QUEUES[2], QUEUES[2]);
/** Which of the orders so far; -1 is one that never was. */
const pick = fc.integer({ min: -1, max: 5 });

type Model<Fields> = { readonly [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> };

function command<Verb extends string, Fields extends object>(
  verb: Verb,
  fields: Model<Fields>,
): fc.Arbitrary<{ readonly verb: Verb } & Fields> {
  const model = { verb: fc.constant(verb), ...fields } as Model<{ readonly verb: Verb } & Fields>;
  return fc.record(model) as fc.Arbitrary<{ readonly verb: Verb } & Fields>;
}

const change = { pick, barista: whose };
const changes = fc.oneof(
  { weight: 4, arbitrary: command("place", { queue, isScheduled: fc.nat(3).map((one) => one === 0) }) },
  {
    weight: 5,
    arbitrary: command("start", {
      queue,
      barista,
      claim: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
      chosen: fc.option(pick, { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 3, arbitrary: command("finish", change) },
  {
    weight: 2,
    arbitrary: command("fail", { pick, barista: whose, retry: fc.boolean(), isDelayed: fc.boolean() }),
  },
  { weight: 2, arbitrary: command("release", { ...change, isUncounted: fc.boolean() }) },
  { weight: 1, arbitrary: command("progress", { ...change, percent: fc.nat(100) }) },
  { weight: 2, arbitrary: command("retry", { pick }) },
  { weight: 1, arbitrary: command("extend", change) },
  {
    weight: 2,
    arbitrary: command("cancel", { ...change, canceller: fc.constantFrom("customer" as const, "barista" as const) }),
  },
);
/** What time does, and the sweeper: a tick of its own. */
const passing = fc.oneof(
  { weight: 3, arbitrary: command("runOut", { pick }) },
  { weight: 2, arbitrary: command("comeDue", { pick }) },
  { weight: 2, arbitrary: command("expire", {}) },
);
type Command = Arbitrary<typeof changes> | Arbitrary<typeof passing>;
type Arbitrary<Of> = Of extends fc.Arbitrary<infer Value> ? Value : never;
const commands: fc.Arbitrary<readonly Command[]> = fc.oneof(
  { weight: 4, arbitrary: fc.array(changes, { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: passing.map((one) => [one]) },
);
const ticks = fc.record({ commands, replica: fc.nat(1), isAnswerLost: fc.boolean() });

/** The order in which a run does its operations. */
const ORDER = "finish fail release extend progress cancel retry call place start runOut comeDue expire".split(" ");

let client: Redis;
beforeAll(async () => {
  client = (await sharedRedis()).connect();
});
afterAll(() => client.disconnect());

test("orders behave as the model does, whatever is done to them, and however often an answer is lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(ticks, { maxLength: 30, size: "max" }), async (history) => {
      const { prefix } = keysOf(`test-${crypto.randomUUID()}`);
      const line = new Line(scriptRunner(client, prefix));
      await declareQueues(line.run, [{ ...QUEUE_RULES, ...MACHINES, maxAttempts: MAX_ATTEMPTS }], silent);
      const settings = { ...ORDER_SETTINGS, maxAttempts: MAX_ATTEMPTS, retentionHours: 1 };
      const replicas = [0, 1].map(() =>
        parsing(createOrders({ run: line.run, runWhenReconnected: () => {} }, settings)),
      );
      const model = new ShopModel(MAX_ATTEMPTS, MACHINES);
      let eventsSeen = "0-0";
      for (const [step, tick] of history.entries()) {
        const orders = replicas[tick.replica] as ParsedOrders;
        line.isAnswerLost = tick.isAnswerLost;
        const { ids } = model;
        const actions = tick.commands.map((next, at) => ({ prefix, next, name: `${step}-${at}`, ids }));
        const outcomes = await Promise.all(actions.map((action) => act(orders, action)));
        const foretold = new Map(inOrder(actions).map((action) => [action, applyToModel(model, action)]));
        expect(outcomes).toEqual(actions.map((action) => foretold.get(action) as Outcome));
        line.isAnswerLost = false;
        const { observation, lastEvent } = await observe(orders, {
          client,
          prefix,
          queues: QUEUES,
          ids: model.ids,
          eventsSeen,
        });
        eventsSeen = lastEvent;
        const expected = model.observe(QUEUES);
        // The sweeper goes through the queues in an order that Redis chooses.
        if (["expire", "comeDue"].includes(tick.commands[0]?.verb ?? "")) {
          for (const { events } of [observation, expected]) events.sort();
        }
        expect(observation).toEqual(expected);
      }
    }),
    { numRuns: 300 },
  );
}, 240_000);

/** The way to Redis, on which answers of runs get lost: the run is sent again. */
class Line {
  readonly #run: RunScript;
  isAnswerLost = false;

  constructor(run: RunScript) {
    this.#run = run;
  }

  readonly run: RunScript = async (script, args) => {
    const answer = await this.#run(script, args);
    if (!this.isAnswerLost || script.name !== "commit") return answer;
    const again = await this.#run(script, args);
    expect(again).toBe(answer as string);
    return again;
  };
}

interface Action {
  readonly prefix: string;
  readonly next: Command;
  /** Names what the command makes: an order, or a claim. */
  readonly name: string;
  /** The orders before this tick. */
  readonly ids: readonly string[];
}

/** The operation that a command is. */
function operationOf({ next }: Action): string {
  return next.verb === "place" && next.queue === MACHINES.name ? "call" : next.verb;
}

function inOrder(actions: readonly Action[]): Action[] {
  return actions.toSorted((one, other) => ORDER.indexOf(operationOf(one)) - ORDER.indexOf(operationOf(other)));
}

const idOf = (ids: readonly string[], at: number): string => ids[at] ?? "nobody's";
const claimOf = ({ name }: Action, claim: number | undefined) => `claim-${claim ?? name}`;
const chosenOf = (ids: readonly string[], at: number | undefined) => (at === undefined ? undefined : idOf(ids, at));

function applyToModel(model: ShopModel, action: Action): Outcome {
  const { next, name, ids } = action;
  switch (next.verb) {
    case "place":
      return model.place(`order-${name}`, next);
    case "retry":
      return model.retry(idOf(ids, next.pick), `order-${name}`);
    case "progress":
      return model.progress(idOf(ids, next.pick), next);
    case "start":
      return model.start({ ...next, claim: claimOf(action, next.claim), chosen: chosenOf(ids, next.chosen) });
    case "finish":
      return model.finish(idOf(ids, next.pick), next.barista);
    case "fail":
      return model.fail(idOf(ids, next.pick), next);
    case "release":
      return model.release(idOf(ids, next.pick), next);
    case "extend":
      return model.extend(idOf(ids, next.pick), next.barista);
    case "cancel":
      return model.cancel({ ...next, id: idOf(ids, next.pick) });
    case "runOut":
      return model.runOut(idOf(ids, next.pick));
    case "comeDue":
      return model.comeDue(idOf(ids, next.pick));
    case "expire":
      return model.expire();
  }
}

/** Does the command in Redis; its outcome without what the state shows anyway. */
async function act(orders: ParsedOrders, action: Action): Promise<Outcome> {
  const { prefix, next, name, ids } = action;
  if (next.verb === "place") return await place(orders, `order-${name}`, next);
  if (next.verb === "retry") {
    const outcome = await orders.retry({ orderId: idOf(ids, next.pick), newId: `order-${name}` });
    return outcome.kind === "retried" ? { kind: "retried", orderId: outcome.orderId } : outcome;
  }
  if (next.verb === "expire") return await expire(orders);
  if (next.verb === "start") {
    const { chosen, ...own } = next;
    const claimId = claimOf(action, next.claim);
    const outcome = await orders.start({ ...own, claimId, orderId: chosenOf(ids, chosen) });
    return outcome.kind === "started" ? { kind: "started", orderId: outcome.orderId } : outcome;
  }
  const orderId = idOf(ids, next.pick);
  if (next.verb === "runOut") return await runOut(prefix, orderId);
  if (next.verb === "comeDue") {
    await comeDue(prefix, orderId);
    return await expire(orders);
  }
  const outcome = await makeChange(orders, next, orderId);
  return outcome.kind === "changed"
    ? { kind: "changed", orderId: outcome.order.order_id, status: outcome.order.status }
    : outcome;
}

type Placing = Extract<Command, { readonly verb: "place" }>;

async function place(orders: ParsedOrders, orderId: string, { queue: name, isScheduled }: Placing): Promise<Outcome> {
  const notBefore = isScheduled ? new Date(Date.now() + HOUR_MS).toISOString() : undefined;
  const outcome =
    name === MACHINES.name
      ? await orders.call({ orderId, queue: name, input: "[1]", notBefore })
      : await orders.place({ orderId, queue: name, draft: notBefore === undefined ? {} : { not_before: notBefore } });
  if (outcome.kind === "denied") throw new Error(outcome.kind);
  return outcome.kind === "refused" ? { kind: "refused", why: outcome.why } : outcome;
}

type Change = Exclude<Command, { readonly verb: "place" | "retry" | "start" | "runOut" | "comeDue" | "expire" }>;

function makeChange(orders: ParsedOrders, next: Change, orderId: string) {
  const own = { orderId, barista: next.barista };
  switch (next.verb) {
    case "cancel":
      return orders.cancel({ ...own, canceller: next.canceller, reason: next.canceller });
    case "fail":
      return orders.fail({ ...own, error: "broken", retry: next.retry, retryAfterMs: next.isDelayed ? HOUR_MS : 0 });
    case "finish":
      return orders.finish(own);
    case "release":
      return orders.release({ ...own, isUncounted: next.isUncounted });
    case "progress":
      return orders.progress({ ...own, progress: `{"percent":${next.percent}}` });
    case "extend":
      return orders.extend(own);
  }
}

async function expire(orders: ParsedOrders): Promise<Outcome> {
  return { kind: "expired", cancelled: (await orders.expire()).cancelled };
}

/** Ends the lease of an order as time does: its deadline is past (the first to run out first). */
let runOuts = 0;
async function runOut(prefix: string, id: string): Promise<Outcome> {
  const record = await client.get(`${prefix}order:${id}`);
  if (record) await client.zadd(`${prefix}leases:${parseRecord(record).queue}`, "XX", (runOuts += 1), id);
  return { kind: "ran_out" };
}

/** Lets the time pass that an order waits after it failed, or is scheduled for. */
async function comeDue(prefix: string, id: string): Promise<void> {
  const record = await client.get(`${prefix}order:${id}`);
  const { status, due, queue: queueName } = record ? parseRecord(record) : { status: "", due: "", queue: "" };
  if (!record || due === "") return;
  await client.set(`${prefix}order:${id}`, record.replace(`\n${due}\n`, "\n1\n"));
  await client.zadd(`${prefix}${status === "scheduled" ? status : "delayed"}:${queueName}`, "XX", 1, id);
}
