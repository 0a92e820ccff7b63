/**
 * One worker as a process of its own: adds the numbers of each call in the queue `adder`, and says each order's id on
 * standard output before it does. SIGTERM stops it.
 */
import { work } from "../../src/client/index.ts";

const [url = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

await work(
  "adder",
  async (input, { order }) => {
    console.log(order.order_id);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const [one, other] = input as [number, number];
    return { sum: one + other };
  },
  { url, signal: stop.signal, concurrency: 3 },
);
