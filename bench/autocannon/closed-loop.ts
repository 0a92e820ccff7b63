/**
 * The closed loop through autocannon, against a server that runs: connections that order and wait, without pipelining.
 *
 *   REQUESTS_PER_SECOND=1000000 LIMIT_CAPACITY=1000000 LIMIT_REFILL_PER_SECOND=1000000 MAX_HELD_PER_ADDRESS=1000 bun run start
 *   bun bench/autocannon/closed-loop.ts --orders 20000
 *
 * Autocannon's requests are the customers'; the baristas are the harness's. It goes to this machine only, ends with the
 * last of its orders, and fails unless each was answered and made.
 */
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import { Fleet } from "../harness/fleet.ts";
import { baristas } from "../harness/people.ts";

const { values } = parseArgs({
  options: {
    customers: { type: "string", default: "http://127.0.0.1:8000" },
    baristas: { type: "string", default: "http://127.0.0.1:8001" },
    connections: { type: "string", default: "200" },
    staff: { type: "string", default: "20" },
    orders: { type: "string", default: "20000" },
  },
});
for (const url of [values.customers, values.baristas]) {
  if (!/^http:\/\/(localhost|127(\.\d+){3}):\d+$/.test(url)) throw new Error(`${url} must be on this machine`);
}

const fleet = new Fleet();
const staff = await fleet.begin(baristas, { url: values.baristas, count: Number(values.staff) });
const orders = Number(values.orders);
const result = await autocannon({
  url: `${values.customers}/order/`,
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ item: "latte" }),
  connections: Number(values.connections),
  amount: orders,
  timeout: 120,
});
const { finished } = await staff.end();
await fleet.close();

console.log(autocannon.printResult(result));
const made = new Set(finished.ids).size;
console.log(`${result["2xx"]} of ${orders} answered with 200, ${made} made, ${result.errors} errors`);
process.exit(result["2xx"] === orders && made === orders && result.errors === 0 ? 0 : 1);
