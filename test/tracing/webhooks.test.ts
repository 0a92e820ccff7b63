/** A webhook of a rule says what trace its order is part of. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { brew, place } from "../support/http.ts";
import { OtlpReceiver } from "../support/otlp.ts";
import { untilOn, writeRules } from "../support/rules.ts";
import { startServer, stopServers } from "../support/server.ts";
import { until } from "../support/until.ts";
import { newSecret } from "../support/webhook-receiver.ts";

setDefaultTimeout(60_000);
afterAll(stopServers);

test("each event of a traced order brings its traceparent; those of others bring none", async () => {
  await using receiver = new OtlpReceiver();
  const got: (string | null)[] = [];
  using hook = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ headers }) => {
      got.push(headers.get("traceparent"));
      return new Response();
    },
  });
  const target = { webhook: { url: `http://127.0.0.1:${hook.port}/`, secret_env: "WEBHOOK_SECRET" } };
  const pattern = { type: ["order.placed", "order.finished"] };
  const server = await startServer({
    WEBHOOK_ALLOW: "127.0.0.1",
    WEBHOOK_SECRET: newSecret(),
    RULES_FILE: writeRules({ name: "orders", pattern, target }),
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  });
  await untilOn(server, "orders");
  const traced = await place(server);
  await brew(server);
  await until(() => got.length === 2, "both events are delivered");
  expect(got).toEqual([traced.traceparent as string, traced.traceparent as string]);

  const unrecorded = { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-00` };
  await place(server, {}, { headers: unrecorded });
  await until(() => got.length === 3, "the event of another order is delivered");
  expect(got[2]).toBeNull();
});
