/**
 * One customer as a process of their own, under any runtime: orders at the URL it is given, and says on standard output
 * what happens, a word a line: `asking`, `answered` (headers have come), `retry`, and last the status, or why it was
 * rejected. SIGUSR2 aborts. It never calls exit: it ends when nothing is left, which is what the tests look at.
 */
import { createClient, OrderRefused } from "../../src/client/index.ts";

const [url = "", isAborted] = process.argv.slice(2);
const visit = new AbortController();
process.once("SIGUSR2", () => visit.abort("left"));
if (isAborted) visit.abort("left");

const client = createClient({
  url,
  fetch: async (...request) => {
    console.log("asking");
    const response = await fetch(...request);
    console.log("answered");
    return response;
  },
  onRetry: () => console.log("retry"),
});

try {
  const order = await client.order({ item: "latte" }, { signal: visit.signal });
  console.log(order.status);
} catch (error) {
  console.log(error instanceof OrderRefused ? `refused ${error.status}` : String(error));
}
