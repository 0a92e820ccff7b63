/** An order is one trace, whichever replicas did what, and its callers' spans are linked. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { defineMachine, type MakeContext } from "../../src/machines/machine.ts";
import { applyVerb, ask, expectOrder, expectStatus, order, untilHeld } from "../support/http.ts";
import { call, MachineServer, orderOf } from "../support/machines.ts";
import { OtlpReceiver, type Span } from "../support/otlp.ts";
import { startServer, stopServers, type Server } from "../support/server.ts";

setDefaultTimeout(60_000);
afterAll(stopServers);

const TRACEPARENT = /^00-([\da-f]{32})-([\da-f]{16})-01$/;
const CUSTOMER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const BARISTA = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const from = ({ traceId, spanId }: { traceId: string; spanId: string }) => ({
  traceparent: `00-${traceId}-${spanId}-01`,
});

interface Replicas {
  readonly a: Server;
  readonly b: MachineServer;
}

async function openReplicas(receiver: OtlpReceiver, machine = doubling()): Promise<Replicas> {
  const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: "coffee" };
  const environment = { SHOP: `test-${crypto.randomUUID()}`, ...traces };
  const a = await startServer({ ...environment, QUEUES: "double" });
  return { a, b: await MachineServer.open({ machines: [machine], environment }) };
}

function doubling(note: (context: MakeContext) => void = () => {}) {
  return defineMachine({
    queue: "double",
    input: Type.Number(),
    output: Type.Number(),
    make: (input, context) => {
      note(context);
      return 2 * input;
    },
  });
}

/** The one span of that name. */
function only(spans: readonly Span[], name: string): Span {
  const [found, ...others] = spans.filter((span) => span.name === name);
  if (!found || others.length > 0) throw new Error(`there are ${others.length + (found ? 1 : 0)} spans ${name}`);
  return found;
}

const idOf = ({ traceId, spanId }: Span) => ({ traceId, spanId });

test("an order placed at one replica, and started and finished at the other, is one trace", async () => {
  await using receiver = new OtlpReceiver();
  const { a, b } = await openReplicas(receiver);
  await using _ = b;
  const draft = { item: "latte", customer_name: "Ada", note: "no lid, please" };
  const held = order(a, draft, { headers: from(CUSTOMER) });
  await untilHeld(a, 1);
  const started = expectOrder(await ask(`${b.baristas}/start/?barista=Grace&wait=10`, { headers: from(BARISTA) }));
  const orderSpan = TRACEPARENT.exec(started.traceparent ?? "") ?? [];
  expectStatus(await applyVerb(b, "finish", started.order_id, "barista=Grace", { headers: from(BARISTA) }), 200);
  expect(expectOrder(await held)).toMatchObject({ status: "ready", traceparent: started.traceparent });

  const names = ["POST /order/", "place default", "start default", "finish default", "wait default"];
  const spans = await receiver.trace(CUSTOMER.traceId, names);
  const request = only(spans, "POST /order/");
  const [place, start, finish, wait] = ["place", "start", "finish", "wait"].map((verb) =>
    only(spans, `${verb} default`),
  ) as [Span, Span, Span, Span];
  expect([place.traceId, place.spanId]).toEqual(orderSpan.slice(1));
  expect(request).toMatchObject({ parentSpanId: CUSTOMER.spanId, kind: "server", isError: false, links: [] });
  expect(place).toMatchObject({ parentSpanId: request.spanId, kind: "producer", links: [] });
  expect(wait).toMatchObject({ parentSpanId: request.spanId, kind: "internal", links: [] });
  expect(start).toMatchObject({ parentSpanId: place.spanId, kind: "client", links: [BARISTA] });
  expect(finish).toMatchObject({ parentSpanId: place.spanId, kind: "client", links: [BARISTA] });

  expect(request.attributes).toEqual({
    "http.request.method": "POST",
    "http.route": "/order/",
    "url.path": "/order/",
    "url.scheme": "http",
    "http.response.status_code": 200,
  });
  expect(finish.attributes).toEqual({
    "messaging.system": "longpour",
    "messaging.operation.name": "finish",
    "messaging.operation.type": "settle",
    "messaging.destination.name": "default",
    "longpour.order.number": 1,
    "longpour.order.status": "ready",
    "longpour.order.attempts": 1,
  });
  expect(wait.attributes).toMatchObject({ "longpour.wait.outcome": "final", "longpour.order.status": "ready" });
  for (const { startNs, endNs } of spans) expect(endNs >= startNs).toBe(true);
  expect(wait.startNs < start.startNs && wait.endNs > finish.startNs).toBe(true);

  const replicaOf = ({ resource }: Span) => resource["service.instance.id"];
  expect(replicaOf(place)).toBe(replicaOf(wait) as string);
  expect(replicaOf(start)).toBe(replicaOf(finish) as string);
  expect(replicaOf(start)).not.toBe(replicaOf(place) as string);
  expect(place.resource).toMatchObject({ "service.name": "coffee", "telemetry.sdk.language": "nodejs" });
  // No one's words, and not the id that opens the order.
  const sent = JSON.stringify(spans, (_name, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  for (const text of ["Ada", "lid", "Grace", "latte", started.order_id]) expect(sent).not.toContain(text);
});

test("a call placed at one replica is made by the machine of the other in the same trace, which the machine passes on", async () => {
  await using receiver = new OtlpReceiver();
  const contexts: MakeContext[] = [];
  const { a, b } = await openReplicas(
    receiver,
    doubling((context) => contexts.push(context)),
  );
  await using _ = b;
  const made = orderOf(await call(a, "double", 21));
  expect(made.result).toBe(42);
  const [, traceId = "", placed] = TRACEPARENT.exec(made.traceparent ?? "") ?? [];

  const names = ["POST /queue/:queue/", "call double", "start double", "make double", "finish double", "wait double"];
  const spans = await receiver.trace(traceId, names);
  const request = only(spans, "POST /queue/:queue/");
  const making = only(spans, "make double");
  expect(request.parentSpanId).toBeUndefined();
  expect(request.attributes).toMatchObject({ "http.route": "/queue/:queue/", "url.path": "/queue/double/" });
  expect(only(spans, "call double")).toMatchObject({ spanId: placed, parentSpanId: request.spanId });
  expect(making).toMatchObject({ parentSpanId: placed, kind: "consumer", links: [] });
  expect(making.attributes).toMatchObject({ "messaging.operation.type": "process", "longpour.making.outcome": "made" });
  // What the machine says of the order comes from its making.
  expect(only(spans, "finish double")).toMatchObject({ parentSpanId: making.spanId, links: [] });
  expect(contexts.map((context) => context.traceparent)).toEqual([`00-${traceId}-${making.spanId}-01`]);
  expect(contexts[0]?.order.traceparent).toBe(made.traceparent as string);
});

test("a barista whose own request is in the order's trace is the parent of what they did", async () => {
  await using receiver = new OtlpReceiver();
  const { a, b } = await openReplicas(receiver);
  await using _ = b;
  const held = order(a);
  const started = expectOrder(await ask(`${b.baristas}/start/?wait=10`));
  const [, traceId = ""] = TRACEPARENT.exec(started.traceparent ?? "") ?? [];
  const worker = { traceId, spanId: BARISTA.spanId };
  expectStatus(await applyVerb(b, "finish", started.order_id, "", { headers: from(worker) }), 200);
  expectOrder(await held, { status: "ready" });
  const names = ["POST /order/", "place default", "start default", "finish default", "wait default"];
  const spans = await receiver.trace(traceId, names);
  expect(only(spans, "finish default")).toMatchObject({ parentSpanId: worker.spanId, links: [] });
  expect(idOf(only(spans, "start default")).traceId).toBe(traceId);
});
