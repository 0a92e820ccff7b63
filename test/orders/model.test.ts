/**
 * Random histories of all operations against a model in memory: what each command answers, what it changes, and what it
 * must not. Once of orders alone, and once of orders that are paid for.
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
import { asJoined } from "../../src/redis/reply.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { scriptRunner } from "../../src/redis/script-runner.ts";
import { declareQueues } from "../../src/orders/queues.ts";
import { ORDER_SETTINGS, QUEUE_RULES } from "../support/orders.ts";
import { sharedRedis, silent } from "../support/redis.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";
import { ShopModel } from "./model.ts";
import { act, applyToModel } from "./model-acts.ts";
import { type History, inOrder, MACHINES, orderHistories, paymentHistories, QUEUES } from "./model-commands.ts";
import { observe } from "./model-look.ts";
import type { Outcome } from "./model-order.ts";
import { MoneyRules } from "./model-rules.ts";

const MAX_ATTEMPTS = 2;
const HISTORIES = 300;

let client: Redis;
beforeAll(async () => {
  client = (await sharedRedis()).connect();
});
afterAll(() => client.disconnect());

test("orders behave as the model does, whatever is done to them, and however often an answer is lost", async () => {
  await fc.assert(fc.asyncProperty(orderHistories, play), { numRuns: HISTORIES });
}, 240_000);

test("so do payments and their orders: no order is made that is not paid, and no money is lost or taken twice", async () => {
  await fc.assert(fc.asyncProperty(paymentHistories, play), { numRuns: HISTORIES });
}, 240_000);

async function play(history: History): Promise<void> {
  const { prefix } = keysOf(`test-${crypto.randomUUID()}`);
  const line = new Line(scriptRunner(client, prefix));
  await declareQueues(line.run, [{ ...QUEUE_RULES, ...MACHINES, maxAttempts: MAX_ATTEMPTS }], silent);
  const settings = { ...ORDER_SETTINGS, maxAttempts: MAX_ATTEMPTS, retentionHours: 1 };
  const replicas = [0, 1].map(() => parsing(createOrders({ run: line.run, runWhenReconnected: () => {} }, settings)));
  const model = new ShopModel(MAX_ATTEMPTS, MACHINES);
  const rules = new MoneyRules();
  let eventsSeen = "0-0";
  for (const [step, tick] of history.entries()) {
    const orders = replicas[tick.replica] as ParsedOrders;
    line.isAnswerLost = tick.isAnswerLost;
    const { ids } = model;
    const attempts = new Map(ids.map((id) => [id, model.payments.attemptOf(id)]));
    const attemptOf = (id: string) => attempts.get(id) ?? 0;
    const actions = tick.commands.map((next, at) => ({ prefix, next, name: `${step}-${at}`, ids, attemptOf }));
    const outcomes = await Promise.all(actions.map((action) => act(client, orders, action)));
    const foretold = new Map(inOrder(actions).map((action) => [action, applyToModel(model, action)]));
    expect(outcomes).toEqual(actions.map((action) => foretold.get(action) as Outcome));
    line.isAnswerLost = false;
    const looking = { client, prefix, queues: QUEUES, ids: model.ids, eventsSeen };
    const { observation, lastEvent } = await observe(orders, looking);
    eventsSeen = lastEvent;
    expect(rules.breaches(observation)).toEqual([]);
    const expected = model.observe(QUEUES);
    // The sweeper goes through the queues in an order that Redis chooses.
    if (["expire", "comeDue"].includes(tick.commands[0]?.verb ?? "")) {
      for (const { events } of [observation, expected]) events.sort();
    }
    expect(observation).toEqual(expected);
  }
}

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
    expect(asJoined(again)).toBe(asJoined(answer));
    return again;
  };
}
