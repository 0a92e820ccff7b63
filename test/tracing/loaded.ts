/**
 * Owns a process that serves one order. Its last line is JSON: how many modules of OpenTelemetry it has loaded then,
 * and whether the order kept a trace.
 */
import { createServer } from "../../src/index.ts";

const { REDIS_URL, OTEL_EXPORTER_OTLP_ENDPOINT } = process.env;
const settings = {
  REDIS_URL,
  OTEL_EXPORTER_OTLP_ENDPOINT,
  SHOP: `test-${crypto.randomUUID()}`,
  CUSTOMER_PORT: 0,
  BARISTA_PORT: 0,
};
const server = await createServer({ settings });
const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };

async function ask(url: string, init: RequestInit = {}): Promise<{ order_id: string; traceparent?: string }> {
  const answer = await fetch(url, { headers, ...init });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return (await answer.json()) as { order_id: string };
}

const held = ask(`${server.customers}/order/`, { method: "POST" });
const { order_id } = await ask(`${server.baristas}/start/?wait=10`);
await ask(`${server.baristas}/finish/?order_id=${order_id}`, { method: "POST" });
const { traceparent } = await held;
const loaded = Object.keys(require.cache).filter((path) => path.includes("@opentelemetry"));
await server.stop();
console.log(JSON.stringify({ loaded: loaded.length, isKept: traceparent !== undefined }));
process.exit(0);
