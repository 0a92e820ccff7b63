/** What has a span, what it stands under, and what a request may say of its own trace. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { defineMachine } from "../../src/machines/machine.ts";
import { RetryLater } from "../../src/machines/retry-later.ts";
import {
  applyVerb,
  ask,
  cancelByCustomer,
  expectOrder,
  expectProblem,
  expectStatus,
  order,
  place,
  start,
  untilHeld,
} from "../support/http.ts";
import { call, callLater, endOf, MachineServer, untilStatus } from "../support/machines.ts";
import { OtlpReceiver, type Span } from "../support/otlp.ts";
import { sharedRedis } from "../support/redis.ts";

setDefaultTimeout(60_000);

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const headers = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` };

const moody = defineMachine({
  queue: "moody",
  input: Type.String(),
  output: Type.Null(),
  make: (mood) => {
    if (mood === "later") throw new RetryLater(0);
    throw new Error("no");
  },
});

let receiver: OtlpReceiver;
let server: MachineServer;

async function open(environment: Readonly<Record<string, string>> = {}): Promise<void> {
  receiver = new OtlpReceiver();
  const traces = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces` };
  server = await MachineServer.open({ machines: [moody], environment: { ...traces, ...environment } });
}

beforeEach(() => open());
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

async function openAnew(environment: Readonly<Record<string, string>>): Promise<void> {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await open(environment);
}

const traceOf = ({ traceparent }: { readonly traceparent?: string }): string => {
  if (traceparent === undefined) throw new Error("the order is not traced");
  return traceparent.slice(3, 35);
};
const spanOf = ({ traceparent = "" }: { readonly traceparent?: string }): string => traceparent.slice(36, 52);
const named = (spans: readonly Span[], name: string) => spans.filter((span) => span.name === name);

test("what is put back, failed and cancelled stands under what placed it", async () => {
  const placed = await place(server);
  await start(server);
  expectStatus(await applyVerb(server, "release", placed.order_id), 200);
  await start(server);
  const failing = { json: { error: "no milk", retry: true } };
  expectStatus(await applyVerb(server, "fail", placed.order_id, "", failing), 200);
  expectStatus(await cancelByCustomer(server, placed.order_id), 200);
  const names = ["POST /order/", "place", "start", "release", "start", "fail", "cancel"];
  const spans = await receiver.trace(
    traceOf(placed),
    names.map((name) => (name.includes(" ") ? name : `${name} default`)),
  );
  for (const span of spans.filter(({ name }) => !/^(POST|place)/.test(name))) {
    expect(span.parentSpanId).toBe(spanOf(placed));
  }
  expect(named(spans, "start default").map(({ attributes }) => attributes["longpour.order.attempts"])).toEqual([1, 2]);
  expect(named(spans, "cancel default")[0]?.attributes).toMatchObject({
    "longpour.order.status": "cancelled",
    "longpour.order.reason": "customer",
  });
  expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain("milk");
});

test("a machine that fails says so, and one that is made again has a trace that names the old one", async () => {
  const failed = await untilStatus(server, await callLater(server, "moody", "bad"), "cancelled");
  const old = await receiver.trace(traceOf(failed), [
    "POST /queue/:queue/",
    "call moody",
    "start moody",
    "make moody",
    "fail moody",
  ]);
  const [making] = named(old, "make moody");
  expect(making).toMatchObject({ isError: true, attributes: { "error.type": "threw" } });

  const retried = await ask(`${server.baristas}/retry/?order_id=${failed.order_id}`, { method: "POST", headers });
  const again = expectOrder(retried, { retry_of: failed.order_id }, 201);
  expect(traceOf(again)).toBe(CALLER.traceId);
  await untilStatus(server, again.order_id, "cancelled");
  const spans = await receiver.trace(CALLER.traceId, ["retry moody", "start moody", "make moody", "fail moody"]);
  const links = [{ traceId: traceOf(failed), spanId: spanOf(failed) }];
  expect(named(spans, "retry moody")[0]).toMatchObject({ parentSpanId: CALLER.spanId, kind: "producer", links });
  // The same one, asked for again: the first one's trace stays as it is.
  const repeated = await ask(`${server.baristas}/retry/?order_id=${failed.order_id}`, { method: "POST", headers });
  expectOrder(repeated, { order_id: again.order_id, traceparent: again.traceparent as string }, 201);
});

test("an order whose leases ran out ends with a span, by whichever server looks", async () => {
  await openAnew({ QUEUES: "slow lease_seconds=1 max_attempts=1" });
  const orderId = await callLater(server, "slow", 1);
  expectOrder(await ask(`${server.baristas}/start/?queue=slow`));
  const ended = await endOf(server, orderId);
  expect(ended).toMatchObject({ status: "cancelled", reason: "barista_timeout" });
  const names = ["POST /queue/:queue/", "call slow", "start slow", "expire slow", "wait slow"];
  const [expired] = named(await receiver.trace(traceOf(ended), names), "expire slow");
  expect(expired).toMatchObject({ parentSpanId: spanOf(ended) });
  expect(expired?.attributes).toMatchObject({ "longpour.order.reason": "barista_timeout" });
});

test("a reservation's trace goes on with what is chosen, and with a customer who comes back", async () => {
  const { code } = (await ask(`${server.baristas}/code`)).body as { code: string };
  const reserving = await ask(`${server.customers}/reservation`, { method: "POST", json: { code }, headers });
  const reserved = expectOrder(reserving, { status: "reserved" }, 201);
  const path = `${server.customers}/order/${reserved.order_id}`;
  const completed = expectOrder(await ask(path, { method: "PUT", json: { item: "latte" } }), { status: "queued" });
  expect(completed.traceparent).toBe(reserved.traceparent as string);
  const other = { traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` };
  const back = ask(`${path}?wait`, { headers: other });
  await untilHeld(server, 1);
  await start(server);
  expectStatus(await applyVerb(server, "finish", reserved.order_id), 200);
  expectOrder(await back, { status: "ready" });
  const names = ["reserve", "complete", "start", "finish", "wait"].map((verb) => `${verb} default`);
  const spans = await receiver.trace(CALLER.traceId, names);
  expect(named(spans, "reserve default")[0]).toMatchObject({ parentSpanId: CALLER.spanId, kind: "producer" });
  expect(named(spans, "complete default")[0]).toMatchObject({ parentSpanId: spanOf(reserved) });
  const links = [{ traceId: "1".repeat(32), spanId: "2".repeat(16) }];
  expect(named(spans, "wait default")[0]).toMatchObject({ parentSpanId: spanOf(reserved), links });
});

test("an order by GraphQL is part of its caller's trace", async () => {
  const query = "mutation { createOrder { id } }";
  const asking = { method: "POST", json: { query }, headers: { ...headers, Accept: "application/json" } };
  expect(await ask(`${server.customers}/graphql`, asking)).toMatchObject({ body: { data: { createOrder: {} } } });
  const [placed] = await receiver.trace(CALLER.traceId, ["place default"]);
  expect(placed).toMatchObject({ parentSpanId: CALLER.spanId });
});

test("what a finish link and a fulfilment do is linked to the trace of who asked for it", async () => {
  const links = [{ traceId: CALLER.traceId, spanId: CALLER.spanId }];
  const ended = async (placed: { readonly traceparent?: string }, verbs: readonly string[]) => {
    const names = ["POST /order/", ...["place", ...verbs].map((verb) => `${verb} default`)];
    const spans = await receiver.trace(traceOf(placed), names);
    return spans.filter(({ name }) => name === `${verbs.at(-1)} default`).map((span) => span.links);
  };
  const failure = { json: { error: "no milk", retry: false } };
  for (const [verb, sent] of Object.entries({ finish: {}, fail: failure })) {
    const placed = await place(server);
    const started = (await ask(`${server.baristas}/start/?link`)).body as Record<string, string>;
    expectOrder(await ask(started[`${verb}_url`] ?? "", { method: "POST", headers, ...sent }));
    expect(await ended(placed, ["start", verb])).toEqual([links]);
  }
  for (const [status, verbs] of Object.entries({ COMPLETED: ["start", "finish"], REJECTED: ["cancel"] })) {
    const placed = await place(server);
    const json = { status: `FULFILMENT_${status}` };
    const path = `${server.baristas}/fulfilment/${placed.order_id}`;
    expectStatus(await ask(path, { method: "PATCH", json, headers }), 200);
    expect(await ended(placed, verbs)).toEqual([links]);
  }
  const placed = await place(server);
  const query = `mutation { completeFulfilment(id: "${placed.order_id}") { id } }`;
  const asking = { method: "POST", json: { query }, headers: { ...headers, Accept: "application/json" } };
  expect(await ask(`${server.baristas}/graphql`, asking)).toMatchObject({ body: { data: { completeFulfilment: {} } } });
  expect(await ended(placed, ["start", "finish"])).toEqual([links]);
});

test("a customer who leaves ends their wait, and the trace goes on", async () => {
  const leaving = new AbortController();
  const held = order(server, {}, { headers, signal: leaving.signal }).catch(() => undefined);
  await untilHeld(server, 1);
  leaving.abort();
  await held;
  await untilHeld(server, 0);
  const started = await start(server);
  expect(traceOf(started)).toBe(CALLER.traceId);
  const names = ["POST /order/", "place default", "wait default", "start default"];
  const spans = await receiver.trace(CALLER.traceId, names);
  const [request] = named(spans, "POST /order/");
  const [wait] = named(spans, "wait default");
  expect(wait).toMatchObject({ parentSpanId: request?.spanId, attributes: { "longpour.wait.outcome": "left" } });
});

test("a refused order leaves no span", async () => {
  expectProblem(await order(server, { item: "tea" }, { headers }), 422);
  const placed = await place(server, {}, { headers });
  const spans = await receiver.trace(CALLER.traceId, ["POST /order/", "place default"]);
  expect(named(spans, "place default").map(({ spanId }) => spanId)).toEqual([spanOf(placed)]);
});

test("a request that met a fault leaves its span, whether or not its customer would wait", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  await openAnew({ SHOP: shop });
  const client = (await sharedRedis()).connect();
  await client.set(`{${shop}}:bucket:order:127.0.0.1`, "no hash");
  for (const prefer of ["respond-async", "wait=10"]) {
    receiver.spans.length = 0;
    expectProblem(await order(server, {}, { headers: { ...headers, Prefer: prefer } }), 500);
    const spans = await receiver.trace(CALLER.traceId, ["POST /order/", "place default"]);
    expect([prefer, spans.map(({ isError }) => isError)]).toEqual([prefer, [true, true]]);
  }
  client.disconnect();
});

const BAD = [
  "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
  "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
  "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  `"},{"${"x".repeat(500)}`,
  "é",
  "",
];

test("a traceparent that is none begins a trace, and a later version is read as this one", async () => {
  const traces: string[] = [];
  for (const traceparent of BAD) {
    const placed = await place(server, {}, { headers: { traceparent } });
    const started = expectOrder(await ask(`${server.baristas}/start/`, { headers: { traceparent } }));
    expect(started.order_id).toBe(placed.order_id);
    traces.push(traceOf(placed));
  }
  expect(traces).not.toContain(CALLER.traceId);
  for (const trace of traces) {
    const spans = await receiver.trace(trace, ["POST /order/", "place default", "start default"]);
    expect(named(spans, "POST /order/")[0]?.parentSpanId).toBeUndefined();
    for (const { links } of spans) expect(links).toEqual([]);
  }
  const later = { traceparent: `cc-${CALLER.traceId}-${CALLER.spanId}-01-what-comes` };
  expect(traceOf(await place(server, {}, { headers: later }))).toBe(CALLER.traceId);
});

test("what the caller does not record is not recorded, and nothing is kept with the order", async () => {
  const unrecorded = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` };
  const placed = await place(server, {}, { headers: unrecorded });
  expect(placed.traceparent).toBeUndefined();
  await start(server);
  expectStatus(await applyVerb(server, "finish", placed.order_id), 200);
  // What came after it has arrived.
  const next = await place(server);
  await receiver.trace(traceOf(next), ["POST /order/", "place default"]);
  expect(receiver.spans.map(({ traceId }) => traceId)).not.toContain(CALLER.traceId);
});

test("a sampler that heeds no caller records all the same, and one that is off records nothing", async () => {
  await openAnew({ OTEL_TRACES_SAMPLER: "always_on" });
  const unrecorded = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` };
  expect(traceOf(await place(server, {}, { headers: unrecorded }))).toBe(CALLER.traceId);
  await openAnew({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" });
  expect((await place(server, {}, { headers })).traceparent).toBeUndefined();
  await openAnew({ OTEL_TRACES_SAMPLER: "always_off" });
  expect((await place(server, {}, { headers })).traceparent).toBeUndefined();
  expectStatus(await call(server, "moody", "bad"), 200);
  expect(receiver.spans).toEqual([]);
});

test("an order's words look like no trace of it, where it has none", async () => {
  await openAnew({ OTEL_TRACES_SAMPLER: "parentbased_always_off", QUEUES: "any" });
  const note = `","traceparent":"${headers.traceparent}`;
  const placed = await place(server, { note });
  expect(placed).toMatchObject({ note });
  await start(server);
  expectStatus(await applyVerb(server, "finish", placed.order_id), 200);
  await callLater(server, "any", headers);
  expectOrder(await ask(`${server.baristas}/start/?queue=any`));
  // A traced one comes after them.
  await place(server, {}, { headers: { traceparent: `00-${"3".repeat(32)}-${"2".repeat(16)}-01` } });
  await receiver.trace("3".repeat(32), ["POST /order/", "place default"]);
  expect(receiver.spans.map(({ traceId }) => traceId)).not.toContain(CALLER.traceId);
});
