/**
 * Replicas: the cycle of 200 customers and 100 baristas on one server, and spread over two on the same Redis.
 * On a machine with fewer cores than processes (servers, Redis, load) two servers share what one had.
 */
import { measureInTurn, type Finding, type Settings } from "../harness/comparison.ts";
import { LONGPOUR } from "../harness/server.ts";
import { CYCLE_METRICS, measureCycle } from "../harness/cycling.ts";

export async function replicas(settings: Settings): Promise<Finding> {
  const variants = [1, 2].map((servers) => ({
    group: String(servers),
    name: LONGPOUR.name,
    measure: () => measureCycle({ contender: LONGPOUR, fsync: "always", baristas: 100, servers }, settings),
  }));
  const [perSecond] = CYCLE_METRICS;
  const comparison = {
    title: "200 customers and 100 baristas, spread over the servers",
    groupLabel: "servers",
    metrics: CYCLE_METRICS,
    series: await measureInTurn(variants, settings),
    goals: [],
    charts: [{ file: "replicas.svg", title: "Orders a second on one Redis", metric: perSecond, kind: "bar" as const }],
  };
  return { comparisons: [comparison], remarks: [] };
}
