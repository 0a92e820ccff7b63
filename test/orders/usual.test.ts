/**
 * Owns the comparison of the two ways of `redis/commit.lua`: what it does the usual way (`redis/usual/`) it does as the
 * operations themselves do. Random histories run both ways, by one clock, and every answer and key is the same.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { asJoined } from "../../src/redis/reply.ts";
import { asFunction, loadFunction, type Script } from "../../src/redis/script.ts";
import { scriptRunner } from "../../src/redis/script-runner.ts";
import { TestRedis } from "../support/redis.ts";
import { argumentsOf, Known, MACHINES, RULES, step, type Step } from "./usual-steps.ts";

const HISTORIES = 150;
const PREFIX = "{usual}:";
/** Each run is a millisecond after the one before it. */
const CLOCK = "{ '1795000000', string.format('%d', ARGV[2] * 1000) }";

const byClock = changed(loadFunction("commit"), "redis.call('TIME')", CLOCK);
const noUsual = changed(byClock, "operations[name].usual = run", "operations[name].usual = nil");
/** Nor does it read usual records another way. */
const plain = changed(noUsual, "local order = decode_usual(record)", "local order");

function changed(script: Script, from: string, to: string): Script {
  const text = script.source.replace(/^#!.*\n/, "").replaceAll(script.id, "$NAME");
  if (!text.includes(from)) throw new Error("nothing to change");
  return asFunction("commit", text.replace(from, to));
}

/** Runs a history in a database of its own. Resolves to all answers, and all that is stored. */
async function play(redis: Redis, script: Script, steps: readonly Step[]): Promise<unknown> {
  await redis.flushdb();
  await redis.hset(`${PREFIX}queue-rules`, MACHINES, RULES);
  await redis.sadd(`${PREFIX}queues`, MACHINES);
  const runScript = scriptRunner(redis, PREFIX);
  const run = async (args: string[]): Promise<string> => asJoined(await runScript(script, args));
  const known = new Known();
  const answers: string[] = [];
  for (const [index, one] of steps.entries()) {
    if (one.meddling) {
      const [command = "", key = "", ...values] = one.meddling;
      // A key that holds another type by then stays as it is.
      await redis.call(command, PREFIX + key, ...values).catch(explain);
      if (key.startsWith("order:")) await leaveIndexes(redis, key.slice("order:".length));
    }
    const args = argumentsOf(index + 1, one, known);
    const said = await run(args).catch(explain);
    known.hear(said);
    answers.push(said);
    if (one.isSentAgain) answers.push(await run(args).catch(explain));
  }
  return { answers, stored: await dump(redis) };
}

/** An error, without the place in the text that it comes from. */
function explain(error: Error): string {
  return error.message.replaceAll(/user_function:\d+: |script: .*/g, "");
}

async function dump(redis: Redis): Promise<Record<string, unknown>> {
  const stored: Record<string, unknown> = {};
  for (const key of (await redis.keys("*")).toSorted()) {
    const type = await redis.type(key);
    stored[key] = [type, (await redis.pttl(key)) > 0, await READ[type]?.(redis, key)];
  }
  return stored;
}

/**
 * Whose record was planted or deleted stands in no index any more. A start that met it there would drop it, and how far
 * a start reads ahead differs between the two ways.
 */
async function leaveIndexes(redis: Redis, orderId: string): Promise<void> {
  for (const kind of ["waiting", "leases", "delayed", "scheduled", "unpaid"]) {
    for (const index of await redis.keys(`${PREFIX}${kind}:*`)) {
      if ((await redis.type(index)) === "zset") await redis.zrem(index, orderId);
    }
  }
}

const READ: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: (redis, key) => redis.get(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: async (redis, key) => (await redis.smembers(key)).toSorted(),
  hash: (redis, key) => redis.hgetall(key),
  zset: (redis, key) => redis.zrange(key, 0, "-1", "WITHSCORES"),
  stream: async (redis, key) => [await redis.xrange(key, "-", "+"), await redis.xinfo("GROUPS", key)],
};

test("random histories come to the same, the usual way and without it", async () => {
  const server = await TestRedis.start();
  const [usually, plainly] = [server.connect(), server.connect()];
  await plainly.select(1);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      expect(await play(usually, byClock, steps)).toEqual(await play(plainly, plain, steps));
      runs += steps.length;
    }),
    { numRuns: HISTORIES, endOnFailure: true },
  );
  expect(runs).toBeGreaterThan(HISTORIES);
  usually.disconnect();
  plainly.disconnect();
  await server.stop();
});
