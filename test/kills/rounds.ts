/**
 * Owns the rounds of kills: two replicas on one Redis under load, and in each round one of the three is killed and
 * started again.
 *
 * **Invariants**
 * - A seed gives the victims and the moments. What the load is doing then is left to chance.
 * - A round begins when orders have been finished since the last kill: everything works again.
 * - All processes are this run's own, and are gone when it ends.
 */
import fc from "fast-check";
import { lookAtQueue, untilHeld } from "../support/http.ts";
import type { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { Ledger, violationsIn } from "./ledger.ts";
import { KilledCustomers, KilledStaff, WORK_QUEUE } from "./people.ts";

export const DEFAULT_SEED = 93_001;

const VICTIMS = ["Redis", "replica A", "replica B"] as const;
type Victim = (typeof VICTIMS)[number];

const CUSTOMERS = 40;
const BARISTAS = 10;
const BREW_MS = 40;
/** A kill comes so long after the load has recovered, at most. */
const LATEST_MS = 500;
const RECOVERY_ORDERS = 20;
const RECOVERY_MS = 60_000;
const TIMEOUT_MS = 60_000;

/** The load is the subject, not the limits; and no lease may run out. */
export const ENVIRONMENT = {
  LIMIT_CAPACITY: "1000000",
  LIMIT_REFILL_PER_SECOND: "1000000",
  REQUESTS_PER_SECOND: "1000000",
  LEASE_SECONDS: "3600",
  QUEUES: WORK_QUEUE,
  LOG_LEVEL: "info",
};

export interface Kills {
  readonly redis: TestRedis;
  readonly rounds: number;
  readonly seed: number;
  /** How long anybody waits for an answer. */
  readonly timeoutMs?: number;
}

export interface Report {
  readonly kills: Readonly<Record<Victim, number>>;
  readonly orders: number;
  /** Requests of customers and of baristas that were lost, and made again. */
  readonly customersRetries: number;
  readonly baristasRetries: number;
  readonly violations: readonly string[];
}

interface Kill {
  readonly victim: Victim;
  readonly afterMs: number;
}

export async function runKills({ redis, rounds, seed, timeoutMs = TIMEOUT_MS }: Kills): Promise<Report> {
  const environment = { ...ENVIRONMENT, SHOP: `kills-${crypto.randomUUID()}`, REDIS_URL: redis.url };
  const replicas: Server[] = await Promise.all([startServer(environment), startServer(environment)]);
  const ledger = new Ledger();
  const scene = { replicas, ledger, timeoutMs };
  const restart: Readonly<Record<Victim, () => Promise<void>>> = {
    Redis: async () => {
      await redis.kill();
      await redis.resume();
    },
    "replica A": () => restartReplica(replicas, 0, environment),
    "replica B": () => restartReplica(replicas, 1, environment),
  };
  const staff = new KilledStaff(scene, { baristas: BARISTAS, brewMs: BREW_MS });
  const customers = new KilledCustomers(scene, CUSTOMERS);
  const kills: Record<Victim, number> = { Redis: 0, "replica A": 0, "replica B": 0 };
  for (const { victim, afterMs } of plan(seed, rounds)) {
    await untilWorking(staff);
    await Bun.sleep(afterMs);
    await restart[victim]();
    kills[victim] += 1;
  }
  await customers.goHome();
  await staff.goHome();
  const violations = violationsIn(ledger, await look(redis, environment.SHOP, replicas));
  await Promise.all(replicas.map((replica) => replica.stop()));
  return {
    kills,
    orders: ledger.visits.size,
    customersRetries: customers.retries,
    baristasRetries: staff.retries,
    violations,
  };
}

/** One line that counts. */
export function describeReport({ kills, orders, customersRetries, baristasRetries, violations }: Report): string {
  const killed = Object.entries(kills).map(([victim, times]) => `${victim} ${times}`);
  return (
    `killed ${killed.join(", ")}; ${orders} orders, each asked for twice; ` +
    `made again: ${customersRetries} requests of customers, ${baristasRetries} of baristas; ${violations.length} violations`
  );
}

function plan(seed: number, rounds: number): Kill[] {
  const kill = fc.record({ victim: fc.constantFrom(...VICTIMS), afterMs: fc.integer({ min: 0, max: LATEST_MS }) });
  return fc.sample(fc.noBias(kill), { seed, numRuns: rounds });
}

async function restartReplica(
  replicas: Server[],
  index: number,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  await replicas[index]?.stop("SIGKILL");
  replicas[index] = await startServer(environment);
}

/** Resolves once orders are made again. */
async function untilWorking(staff: KilledStaff): Promise<void> {
  const enough = staff.finished + RECOVERY_ORDERS;
  await until(() => staff.finished >= enough, `${RECOVERY_ORDERS} orders are made since the last kill`, RECOVERY_MS);
}

/** What is left. A replica may still be about to notice that its last customers have their answers. */
async function look(redis: TestRedis, shop: string, replicas: readonly Server[]) {
  await Promise.all(replicas.map((replica) => untilHeld(replica, 0)));
  const client = redis.connect();
  try {
    const indexes = [`{${shop}}:orders`, `{${shop}}:calls:${WORK_QUEUE}`];
    const stored = await Promise.all(indexes.map((index) => client.zrange(index, "0", "-1")));
    const queues = replicas.flatMap((replica) => [lookAtQueue(replica), lookAtQueue(replica, WORK_QUEUE)]);
    return { stored: stored.flat(), queues: await Promise.all(queues) };
  } finally {
    client.disconnect();
  }
}
