/**
 * Owns the rounds of kills in which a webhook is up, slow or down, and the replica that delivers to it is killed with
 * SIGKILL in the middle, and started again.
 *
 * **Invariants**
 * - What the webhook got is verified by the Standard Webhooks library, and held against the stream of events.
 * - A round ends when the webhook is up and gets events again.
 * - All processes are this run's own, and are gone when it ends.
 */
import fc from "fast-check";
import { numberOf, readEntry } from "../../src/events/event.ts";
import { ask } from "../support/http.ts";
import { scrape } from "../support/prometheus.ts";
import type { TestRedis } from "../support/redis.ts";
import { readRule, replay, untilOn, writeRules } from "../support/rules.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { newSecret, WebhookReceiver, type Received } from "../support/webhook-receiver.ts";
import { Ledger } from "./ledger.ts";
import { KilledCustomers, KilledStaff } from "./people.ts";
import { ENVIRONMENT, type Kills } from "./rounds.ts";

const MODES = ["up", "slow", "down"] as const;
type Mode = (typeof MODES)[number];

const RULE = "all-orders";
const CUSTOMERS = 4;
const BARISTAS = 2;
const BREW_MS = 40;
const SLOW_MS = 200;
/** A kill comes so long after the webhook is in its mode, at most. */
const LATEST_MS = 500;
/** Short, so that some are given up. */
const RETRY_SECONDS = 2;
const RECOVERY_MS = 90_000;
const TIMEOUT_MS = 60_000;

interface DeliveriesReport {
  readonly kills: Readonly<Record<Mode, number>>;
  readonly events: number;
  /** Requests with the id of one before. */
  readonly repeats: number;
  readonly replayed: number;
  readonly violations: readonly string[];
}

export async function killDeliveries({ redis, rounds, seed }: Kills): Promise<DeliveriesReport> {
  const secret = newSecret();
  let mode: Mode = "up";
  const receiver = new WebhookReceiver({
    secret,
    answer: async () => {
      if (mode === "slow") await Bun.sleep(SLOW_MS);
      return new Response(null, { status: mode === "down" ? 503 : 204 });
    },
  });
  const shop = `kills-${crypto.randomUUID()}`;
  const target = { webhook: { url: receiver.url(), secret_env: "WEBHOOK_SECRET" } };
  const pattern = { type: [{ prefix: "order." }] };
  const environment = {
    ...ENVIRONMENT,
    SHOP: shop,
    REDIS_URL: redis.url,
    WEBHOOK_ALLOW: "127.0.0.1",
    WEBHOOK_SECRET: secret,
    RULES_FILE: writeRules({ name: RULE, pattern, target, retry_for_seconds: RETRY_SECONDS }),
  };
  const replicas = await Promise.all([startServer(environment), startServer(environment)]);
  for (const replica of replicas) await untilOn(replica, RULE);
  const ledger = new Ledger();
  const scene = { replicas, ledger, timeoutMs: TIMEOUT_MS };
  const staff = new KilledStaff(scene, { baristas: BARISTAS, brewMs: BREW_MS });
  const customers = new KilledCustomers(scene, CUSTOMERS);
  const kills: Record<Mode, number> = { up: 0, slow: 0, down: 0 };
  for (const { mode: next, afterMs } of plan(seed, rounds)) {
    mode = next;
    const before = receiver.got.length;
    await until(() => receiver.got.length > before, `the webhook is sent to while it is ${mode}`, RECOVERY_MS);
    await Bun.sleep(afterMs);
    const victim = await findDelivering(replicas);
    await replicas[victim]?.stop("SIGKILL");
    replicas[victim] = await startServer(environment);
    kills[mode] += 1;
    mode = "up";
    const after = receiver.got.length;
    await until(() => receiver.got.length > after, "events are delivered again", RECOVERY_MS);
  }
  await customers.goHome();
  await staff.goHome();
  const [replica] = replicas;
  if (!replica) throw new Error("no replica");
  await until(async () => (await readRule(replica, RULE)).lag === 0, "nothing is to be delivered", RECOVERY_MS);
  const dead = await replayAll(replica);
  const events = await readEvents(redis, shop);
  const violations = [...ledger.faults, ...judge(events, receiver.got, dead)];
  await Promise.all(replicas.map((each) => each.stop()));
  await receiver.stop();
  const repeats = receiver.got.length - receiver.ids.length;
  return { kills, events: events.length, repeats, replayed: dead.size, violations };
}

/** One line that counts. */
export function describeDeliveries({ kills, events, repeats, replayed, violations }: DeliveriesReport): string {
  const killed = MODES.map((mode) => `${kills[mode]} while the webhook was ${mode}`).join(", ");
  return (
    `killed the delivering replica: ${killed}; ${events} events, ${repeats} sent again, ` +
    `${replayed} dead letters replayed; ${violations.length} violations`
  );
}

/** Each mode as often as any other, give or take one. */
function plan(seed: number, rounds: number): { mode: Mode; afterMs: number }[] {
  const all = fc.shuffledSubarray([...MODES], { minLength: MODES.length });
  const modes = fc.sample(all, { seed, numRuns: Math.ceil(rounds / MODES.length) }).flat();
  const moments = fc.sample(fc.noBias(fc.integer({ min: 0, max: LATEST_MS })), { seed, numRuns: rounds });
  return moments.map((afterMs, index) => ({ mode: modes[index] as Mode, afterMs }));
}

/** The replica that has tried last. */
async function findDelivering(replicas: readonly Server[]): Promise<number> {
  const countAll = () =>
    Promise.all(
      replicas.map(async (replica) => {
        const metrics = await scrape(replica);
        return metrics.get(`longpour_rule_delivery_seconds_count{rule="${RULE}"}`) ?? 0;
      }),
    );
  const before = await countAll();
  let found = -1;
  await until(
    async () => {
      const now = await countAll();
      found = now.findIndex((count, at) => count > (before[at] ?? 0));
      return found >= 0;
    },
    "a replica delivers",
    RECOVERY_MS,
  );
  return found;
}

/** Replays dead letters until there are none; the ids of the events that were dead. */
async function replayAll(server: Server): Promise<Set<string>> {
  const dead = new Set<string>();
  let path: string | undefined = `/rules/${RULE}/dead?limit=200`;
  while (path !== undefined) {
    const { body } = await ask(server.baristas + path);
    const page = body as { dead: { event_id: string }[]; cursor: string | null };
    for (const { event_id: id } of page.dead) dead.add(id);
    path = page.cursor === null ? undefined : `/rules/${RULE}/dead?limit=200&cursor=${page.cursor}`;
  }
  const isEmpty = async (): Promise<boolean> => {
    await replay(server, RULE);
    const { lag, dead: left } = await readRule(server, RULE);
    return lag === 0 && left === 0;
  };
  await until(isEmpty, "all dead letters are delivered", RECOVERY_MS);
  return dead;
}

interface Happened {
  readonly id: string;
  readonly orderId: string;
}

/** All events of orders, as the stream has them. */
async function readEvents(redis: TestRedis, shop: string): Promise<Happened[]> {
  const client = redis.connect();
  try {
    const entries = await client.xrange(`{${shop}}:events`, "-", "+");
    return entries.flatMap((entry) => readEntry(entry, "0-0")).filter(({ type }) => type.startsWith("order."));
  } finally {
    client.disconnect();
  }
}

/** What is wrong with what a webhook got, a line each. `dead` events were given up once: their order is not kept. */
export function judge(events: readonly Happened[], got: readonly Received[], dead: ReadonlySet<string>): string[] {
  const bodies = new Map<string, string>();
  const found: string[] = [];
  const numbers = new Map<string, number>();
  for (const { id, body, isVerified } of got) {
    const { event_id: eventId, order_id: orderId = "" } = body as { event_id?: string; order_id?: string };
    const text = JSON.stringify(body);
    if (!isVerified || eventId === undefined || id !== `${RULE}_${eventId}`) {
      found.push(`${id}: not verified, or of another event`);
      continue;
    }
    const before = bodies.get(eventId);
    if (before !== undefined && before !== text) found.push(`${eventId}: sent again with another body`);
    bodies.set(eventId, text);
    if (before !== undefined || dead.has(eventId)) continue;
    const number = numberOf(eventId);
    if (number < (numbers.get(orderId) ?? 0)) found.push(`${eventId}: behind a later event of its order`);
    numbers.set(orderId, number);
  }
  const happened = new Set(events.map(({ id }) => id));
  for (const { id } of events) if (!bodies.has(id)) found.push(`${id}: not delivered`);
  for (const id of bodies.keys()) if (!happened.has(id)) found.push(`${id}: delivered, and never happened`);
  return found;
}
