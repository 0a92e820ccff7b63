/**
 * `bun run fuzz`: 20,000 requests made from the servers' own descriptions, to both ports, from fixed seeds.
 * Prints what came of them, and exits with 1 if an answer was not as described.
 * `bun run fuzz --requests 500 --seed 7` sends as many from that seed instead.
 */
import { parseArgs } from "node:util";
import { PARTS, runPart } from "./fuzz/parts.ts";
import { stopSharedRedis } from "./support/redis.ts";
import { stopServers } from "./support/server.ts";

const { values } = parseArgs({
  options: { requests: { type: "string", default: "20000" }, seed: { type: "string" } },
});
const requests = Number(values.requests);

try {
  for (const part of PARTS) {
    const seed = values.seed === undefined ? part.seed : Number(values.seed);
    const { sent, statuses, faults } = await runPart({ ...part, seed }, Math.round(requests * part.share));
    const counts = [...statuses]
      .toSorted(([a], [b]) => a - b)
      .map(([status, times]) => `${status || "none"}: ${times}`);
    console.log(`${part.name} (seed ${seed}): ${sent} requests; ${counts.join(", ")}; ${faults.length} faults`);
    for (const fault of faults) console.log(fault);
    if (faults.length > 0) process.exitCode = 1;
  }
} finally {
  await stopServers();
  await stopSharedRedis();
}
