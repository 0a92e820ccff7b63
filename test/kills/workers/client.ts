/** A worker by the client's `work()`, as a process of its own: `client.ts <url>`. SIGTERM stops it. */
import { work } from "../../../src/client/index.ts";
import { makeSquare } from "./makings.ts";

const [url = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

await work("squares", (input, { order }) => makeSquare("client", order.order_id, input), {
  url,
  signal: stop.signal,
  drainSeconds: 10,
});
