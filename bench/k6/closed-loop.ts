/**
 * The closed loop, for k6 0.57 or newer: customers order, wait, order again; baristas start and finish without brewing.
 *
 *   REQUESTS_PER_SECOND=1000000 LIMIT_CAPACITY=1000000 LIMIT_REFILL_PER_SECOND=1000000 MAX_HELD_PER_ADDRESS=1000 bun run start
 *   k6 run -e CUSTOMERS=200 -e BARISTAS=20 -e SECONDS=30 bench/k6/closed-loop.ts
 *
 * The limits are lifted because all of the load comes from one address.
 */
import { check } from "k6";
import http, { expectedStatuses } from "k6/http";
import type { Options } from "k6/options";
import exec from "k6/execution";

export const CUSTOMER_URL = __ENV["CUSTOMER_URL"] ?? "http://127.0.0.1:8000";
const BARISTA_URL = __ENV["BARISTA_URL"] ?? "http://127.0.0.1:8001";
const SECONDS = Number(__ENV["SECONDS"] ?? 30);
/** The last customers need baristas still. */
const LAST_SECONDS = 10;

const loop = { executor: "constant-vus", gracefulStop: `${LAST_SECONDS}s` } as const;
const customers = { ...loop, exec: "customer", vus: Number(__ENV["CUSTOMERS"] ?? 200), duration: `${SECONDS}s` };
const baristas = { ...loop, exec: "barista", vus: Number(__ENV["BARISTAS"] ?? 20) };

export const options: Options = {
  scenarios: { customers, baristas: { ...baristas, duration: `${SECONDS + LAST_SECONDS}s` } },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    "http_req_duration{scenario:customers}": ["p(99)<1000"],
  },
};

export function customer(): void {
  const note = `${exec.vu.idInTest}.${exec.vu.iterationInScenario}`;
  const headers = { "Content-Type": "application/json" };
  const answer = http.post(`${CUSTOMER_URL}/order/`, JSON.stringify({ note }), { headers, timeout: "120s" });
  check(answer, {
    "the coffee is ready": ({ status }) => status === 200,
    "it is the customer's own": () => answer.json("note") === note,
  });
}

export function barista(): void {
  const token = __ENV["STAFF_TOKEN"];
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const name = `barista-${exec.vu.idInTest}`;
  const responseCallback = expectedStatuses(200, 404);
  const start = http.get(http.url`${BARISTA_URL}/start/?wait=5&barista=${name}`, { headers, responseCallback });
  if (start.status !== 200) return;
  const orderId = start.json("order_id") as string;
  const finish = http.post(http.url`${BARISTA_URL}/finish/?order_id=${orderId}&barista=${name}`, null, { headers });
  check(finish, { "it is finished": ({ status }) => status === 200 });
}
