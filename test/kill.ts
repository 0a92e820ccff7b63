/**
 * `bun run kills`: kill -9 of Redis or of one of two replicas, 50 times under load, from a fixed seed.
 * Prints what came of it in one line, then each violation, and exits with 1 if there is any.
 * `bun run kills --rounds 200 --seed 7` kills as often from that seed instead.
 * `bun run kills --makers` has calls made by machines, `longpour work`, the client and curl, and kills these too.
 * `bun run kills --till 1000` has so many orders paid by card at a test acquirer, and kills a replica every 2 s.
 * `bun run kills --rules 30` kills the replica that delivers to a webhook, which is up, slow or down in turn.
 */
import { parseArgs } from "node:util";
import { describeMakers, killMakers } from "./kills/makers.ts";
import { DEFAULT_SEED, describeReport, runKills, type Kills } from "./kills/rounds.ts";
import { describeDeliveries, killDeliveries } from "./kills/deliveries.ts";
import { describeTill, killAtTheTill } from "./kills/till.ts";
import { TestRedis } from "./support/redis.ts";
import { stopServers } from "./support/server.ts";

const MAX_SHOWN = 20;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    seed: { type: "string", default: String(DEFAULT_SEED) },
    makers: { type: "boolean", default: false },
    till: { type: "string" },
    rules: { type: "string" },
  },
});
const redis = await TestRedis.start();
const chosen = { redis, rounds: Number(values.rounds), seed: Number(values.seed) };
try {
  const { line, violations } = await run();
  console.log(`seed ${values.seed}: ${line}`);
  for (const violation of violations.slice(0, MAX_SHOWN)) console.log(violation);
  process.exitCode = violations.length > 0 ? 1 : 0;
} finally {
  await stopServers();
  await redis.stop();
}

async function run() {
  if (values.till !== undefined) return await ofTill(Number(values.till));
  if (values.rules !== undefined) return await ofRules(Number(values.rules));
  return values.makers ? await ofMakers(chosen) : await ofServers(chosen);
}

async function ofTill(orders: number) {
  const report = await killAtTheTill({ redis, orders });
  return { line: describeTill(report), violations: report.violations };
}

async function ofRules(rounds: number) {
  const report = await killDeliveries({ ...chosen, rounds });
  return { line: describeDeliveries(report), violations: report.violations };
}

async function ofServers(campaign: Kills) {
  const report = await runKills(campaign);
  return { line: describeReport(report), violations: report.violations };
}

async function ofMakers(campaign: Kills) {
  const report = await killMakers(campaign);
  return { line: describeMakers(report), violations: report.violations };
}
