/**
 * Watched: what it costs to be looked at. The cycle with 100 baristas, by itself and with its metrics scraped each
 * second and two rules running.
 *
 * "metrics, two rules": a webhook that wants what goes wrong, and a stream that wants what staff do to shop and menu;
 * neither wants anything of the cycle. The others are no goal, for theirs is work that grows with the orders. "one
 * looks at starts": of each start the data is looked at, for a drink that no one orders. "all starts to a stream": a
 * third of all events is taken whole.
 */
import type { Server } from "../../test/support/server.ts";
import { writeRules } from "../../test/support/rules.ts";
import { newSecret } from "../../test/support/webhook-receiver.ts";
import { measureInTurn, type Finding, type Settings } from "../harness/comparison.ts";
import { LONGPOUR, type Shop } from "../harness/shop.ts";
import { pause } from "../../src/pause.ts";
import { CUSTOMERS, MANY, measure, METRICS } from "./cycle.ts";

const SCRAPE_EVERY_MS = 1000;

const webhook = { webhook: { url: "https://hooks.example.org/", secret_env: "WEBHOOK_SECRET" } };
const FAULTS = { name: "faults", pattern: { type: ["order.cancelled", "order.failed"] }, target: webhook };
const ONE_DRINK = {
  name: "one-drink",
  pattern: { type: ["order.started"], data: { item: ["flat-white"] } },
  target: "stream:one-drink",
};
const SHOP = { name: "shop", pattern: { type: ["shop.changed", "menu.changed"] }, target: "stream:shop" };
const ALL_STARTS = { name: "all-starts", pattern: { type: ["order.started"] }, target: "stream:starts" };

export async function watched(settings: Settings): Promise<Finding> {
  const off = { contender: LONGPOUR, baristas: MANY };
  const withRules = (...rules: readonly object[]) => {
    const environment = { RULES_FILE: writeRules(...rules), WEBHOOK_SECRET: newSecret() };
    return { ...off, environment, beside: scrapeAll };
  };
  const group = "always";
  const [OFF, TWO] = ["off", "metrics, two rules"];
  const runs = {
    [OFF]: off,
    [TWO]: withRules(FAULTS, SHOP),
    "metrics, one looks at starts": withRules(FAULTS, ONE_DRINK),
    "metrics, all starts to a stream": withRules(FAULTS, ALL_STARTS),
  };
  const variants = Object.entries(runs).map(([name, run]) => ({ group, name, measure: () => measure(run, settings) }));
  const [of, to] = [
    { group, name: TWO },
    { group, name: OFF },
  ];
  const comparison = {
    title: `${CUSTOMERS} customers, ${MANY} baristas`,
    groupLabel: "appendfsync",
    metrics: METRICS,
    series: await measureInTurn(variants, settings),
    goals: [{ what: "orders/s, of off", metric: "perSecond", of, to, atLeast: 0.95 }],
    charts: [],
  };
  return { comparisons: [comparison], remarks: [] };
}

async function scrapeAll({ servers }: Shop, ended: AbortSignal): Promise<void> {
  const scrape = async ({ baristas }: Server): Promise<void> => {
    const response = await fetch(`${baristas}/metrics`);
    if (!response.ok) throw new Error(`a scrape was answered ${response.status}`);
    await response.text();
  };
  while (!ended.aborted) {
    await Promise.all(servers.map(scrape));
    await pause(SCRAPE_EVERY_MS, ended);
  }
}
