/**
 * Owns the rounds of kills in which calls are made by all kinds of makers on one queue: a machine in each of two
 * replicas, `longpour work` with a shell script, the client's `work()`, and a loop of curl, each a process of its own.
 * In each round one of them, a replica, or Redis is killed with SIGKILL, and started again.
 *
 * **Invariants**
 * - Every victim is killed as often as any other, give or take one; a seed gives their order and the moments.
 * - A round begins when every kind has made an order since the last kill: everything works again.
 * - All processes are this run's own, and are gone when it ends.
 */
import { rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { Callers } from "./callers.ts";
import { Kitchen, VICTIMS, type Victim } from "./kitchen.ts";
import { countMakings, findOverlaps, KINDS, readMakings } from "./workers/makings.ts";

const CALLERS = 16;
/** A kill comes so long after everything works again, at most. */
const LATEST_MS = 300;
const RECOVERY_MS = 60_000;
const TIMEOUT_MS = 60_000;
export interface MakersReport {
  readonly kills: Readonly<Record<Victim, number>>;
  readonly calls: number;
  readonly made: Readonly<Record<(typeof KINDS)[number], number>>;
  /** Makings that a kill cut short. */
  readonly cutShort: number;
  readonly retries: number;
  readonly violations: readonly string[];
}

interface Options {
  readonly redis: TestRedis;
  readonly rounds: number;
  readonly seed: number;
}

export async function killMakers({ redis, rounds, seed }: Options): Promise<MakersReport> {
  const file = join(tmpdir(), `longpour-makings-${crypto.randomUUID()}`);
  writeFileSync(file, "");
  const kitchen = await Kitchen.open(redis, file);
  try {
    const callers = new Callers(kitchen.streets, { callers: CALLERS, timeoutMs: TIMEOUT_MS });
    const kills = Object.fromEntries(VICTIMS.map((victim) => [victim, 0])) as Record<Victim, number>;
    for (const { victim, afterMs } of plan(seed, rounds)) {
      await untilAllWork(file);
      await Bun.sleep(afterMs);
      await kitchen.killAndRestart(victim);
      kills[victim] += 1;
    }
    await untilAllWork(file);
    await callers.goHome();
    const left = await kitchen.end();
    const makings = readMakings(file);
    const { orderIds, calls, retries } = callers;
    const violations = [
      ...callers.faults,
      ...findOverlaps(makings, kitchen.killed),
      ...[...orderIds].filter((id) => !makings.has(id)).map((id) => `${id}: answered, and made by nobody`),
      ...[...makings.keys()].filter((id) => !orderIds.has(id)).map((id) => `${id}: made for nobody`),
      ...left,
    ];
    return { kills, calls, ...countMakings(makings), retries, violations };
  } finally {
    await kitchen[Symbol.asyncDispose]();
    rmSync(file);
  }
}

/** One line that counts. */
export function describeMakers({ kills, calls, made, cutShort, retries, violations }: MakersReport): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ");
  return (
    `killed ${list(kills)}; ${calls} calls, each asked for twice; made by ${list(made)}; ` +
    `${cutShort} makings cut short, ${retries} requests made again; ${violations.length} violations`
  );
}

/** All victims in a random order, then all again, until there are enough. */
function plan(seed: number, rounds: number): { victim: Victim; afterMs: number }[] {
  const all = fc.shuffledSubarray([...VICTIMS], { minLength: VICTIMS.length });
  const order = fc.sample(all, { seed, numRuns: Math.ceil(rounds / VICTIMS.length) }).flat();
  const moments = fc.sample(fc.noBias(fc.integer({ min: 0, max: LATEST_MS })), { seed, numRuns: rounds });
  return moments.map((afterMs, index) => ({ victim: order[index] as Victim, afterMs }));
}

/** Resolves once each kind has made an order from now on. */
async function untilAllWork(file: string): Promise<void> {
  const since = statSync(file).size;
  const isDone = async (): Promise<boolean> => {
    const lines = await Bun.file(file).slice(since).text();
    return KINDS.every((kind) => new RegExp(`^end \\S+ ${kind} `, "m").test(lines));
  };
  await until(isDone, "every kind of maker makes orders again", RECOVERY_MS);
}
