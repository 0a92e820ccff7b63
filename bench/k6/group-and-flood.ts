/**
 * The group and the flood, for k6 0.57 or newer: a group of 200 orders at once from one address and all of them are
 * served, while the delusional customer orders thousands from another and is cut off, and a regular now and then
 * notices nothing.
 *
 *   TRUSTED_PROXIES=127.0.0.1 bun run start
 *   k6 run bench/k6/group-and-flood.ts
 *
 * The addresses travel in X-Forwarded-For, as a proxy does, for k6 can't choose a local address by scenario.
 */
import { check, sleep } from "k6";
import exec from "k6/execution";
import http, { expectedStatuses, type RefinedResponse } from "k6/http";
import { Counter } from "k6/metrics";
import type { Options } from "k6/options";
import { barista, CUSTOMER_URL } from "./closed-loop.ts";

export { barista };

const FLOOD = Number(__ENV["FLOOD"] ?? 5000);
const MEAN_PAUSE_SECONDS = 1;

// Addresses for documentation (RFC 5737): no host has them.
const GROUP_ADDRESS = "192.0.2.7";
const FLOOD_ADDRESS = "203.0.113.9";
const regularAddress = (index: number): string => `198.51.100.${(index % 250) + 1}`;

const refused = new Counter("orders_refused");

const late = { startTime: "5s", maxDuration: "60s" };

export const options: Options = {
  scenarios: {
    group: { ...late, executor: "per-vu-iterations", exec: "group", vus: 200, iterations: 1 },
    flood: { ...late, executor: "shared-iterations", exec: "flood", vus: 300, iterations: FLOOD },
    regulars: { executor: "constant-vus", exec: "regular", vus: 50, duration: "20s", gracefulStop: "20s" },
    baristas: { executor: "constant-vus", exec: "barista", vus: 10, duration: "40s", gracefulStop: "10s" },
  },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    // 250 orders, and one a second more, are let in from one address.
    orders_refused: [`count>${Math.floor(FLOOD * 0.8)}`],
    "http_req_duration{scenario:regulars}": ["p(99)<1000"],
    "http_req_duration{scenario:group}": ["p(99)<10000"],
  },
};

function order(address: string, allowed: readonly number[]): RefinedResponse<"text"> {
  const headers = { "Content-Type": "application/json", "X-Forwarded-For": address };
  return http.post(`${CUSTOMER_URL}/order/`, JSON.stringify({ item: "latte" }), {
    headers,
    timeout: "120s",
    responseType: "text",
    responseCallback: expectedStatuses(...allowed),
  });
}

export function group(): void {
  check(order(GROUP_ADDRESS, [200]), { "all of the group are served": ({ status }) => status === 200 });
}

export function regular(): void {
  const answer = order(regularAddress(exec.vu.idInTest), [200]);
  check(answer, { "a regular is served": ({ status }) => status === 200 });
  sleep(MEAN_PAUSE_SECONDS * (0.5 + Math.random()));
}

export function flood(): void {
  const answer = order(FLOOD_ADDRESS, [200, 429]);
  if (answer.status !== 429) return;
  refused.add(1);
  check(answer, { "a refusal says when to come again": ({ headers }) => Number(headers["Retry-After"]) >= 1 });
}
