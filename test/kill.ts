/**
 * `bun run kills`: kill -9 of Redis or of one of two replicas, 50 times under load, from a fixed seed.
 * Prints what came of it in one line, then each violation, and exits with 1 if there is any.
 * `bun run kills --rounds 200 --seed 7` kills as often from that seed instead.
 */
import { parseArgs } from "node:util";
import { DEFAULT_SEED, runKills, describeReport } from "./kills/rounds.ts";
import { TestRedis } from "./support/redis.ts";
import { stopServers } from "./support/server.ts";

const MAX_SHOWN = 20;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "50" }, seed: { type: "string", default: String(DEFAULT_SEED) } },
});
const redis = await TestRedis.start();
try {
  const report = await runKills({ redis, rounds: Number(values.rounds), seed: Number(values.seed) });
  console.log(`seed ${values.seed}: ${describeReport(report)}`);
  for (const violation of report.violations.slice(0, MAX_SHOWN)) console.log(violation);
  process.exitCode = report.violations.length > 0 ? 1 : 0;
} finally {
  await stopServers();
  await redis.stop();
}
