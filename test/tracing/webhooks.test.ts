/** A webhook of a rule says what trace its order is part of. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { brew, place } from "../support/http.ts";
import { OtlpReceiver } from "../support/otlp.ts";
import { untilOn, writeRules } from "../support/rules.ts";
import { startServer, stopServers } from "../support/server.ts";
import { until } from "../support/until.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";

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

test("so does a callback", async () => {
  await using traces = new OtlpReceiver();
  const secret = newSecret();
  let traceparent: string | null = null;
  const receiver = new WebhookReceiver({
    secret,
    answer: (_got, _count, { headers }) => {
      traceparent = headers.get("traceparent");
      return new Response(null, { status: 204 });
    },
  });
  const server = await startServer({
    WEBHOOK_ALLOW: "127.0.0.1",
    CALLBACK_ALLOW: "127.0.0.1",
    CALLBACK_SECRET: secret,
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.url,
  });
  await untilOn(server, "callbacks");
  const traced = await place(server, { callback_url: receiver.url() });
  await brew(server);
  await until(() => receiver.got.length === 1, "the order is posted");
  expect(traceparent as string | null).toBe(traced.traceparent as string);
  expect(receiver.got[0]).toMatchObject({
    isVerified: true,
    body: { status: "ready", traceparent: traced.traceparent },
  });
  await receiver.stop();
});
