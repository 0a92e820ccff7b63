/** Subscriptions of both ports, by a client of a public library, and on the wire. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { applyVerb, ask, cancelByCustomer, openWire, place, start } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { openStreams, type SaidError } from "./client.ts";
import { framesOf, Heard, listenByGet, untilListening } from "./streams.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer({ LIMIT_CAPACITY: "1000" });
});

const ORDER_UPDATED = "subscription ($id: ID!) { orderUpdated(id: $id) { id status state attempts item } }";
const FULFILMENT_UPDATED = "subscription { fulfilmentUpdated { id status order { state } } }";

/** What a subscription to orders or fulfilments shows. */
interface View {
  readonly id: string;
  readonly state: string;
  readonly status: string;
}

test.each(["customers", "baristas"] as const)(
  "orderUpdated on the %s' port: each event, up to the last",
  async (port) => {
    const { order_id } = await place(server, { item: "latte" });
    await start(server, `order_id=${order_id}`);
    const listening = new Heard<View>(openStreams(server[port]), ORDER_UPDATED, { id: order_id });
    await untilListening(listening, () => applyVerb(server, "extend", order_id));
    await applyVerb(server, "finish", order_id);
    await listening.untilOver();
    expect([listening.end, listening.failure]).toEqual(["complete", undefined]);
    expect(listening.views.at(0)).toEqual({
      id: order_id,
      status: "ORDER_CREATED",
      state: "brewing",
      attempts: 1,
      item: "latte",
    } as View);
    expect(listening.views.at(-1)).toMatchObject({ status: "ORDER_COMPLETED", state: "ready" });
  },
);

test("of an order that is over the last event comes at once", async () => {
  const { order_id } = await place(server);
  await cancelByCustomer(server, order_id);
  const listening = new Heard<View>(openStreams(server.customers), ORDER_UPDATED, { id: order_id });
  await listening.untilOver();
  expect(listening.end).toBe("complete");
  expect(listening.views.map(({ state }) => state)).toEqual(["cancelled"]);
});

test("fulfilmentUpdated: staff hear of each fulfilment as it is created, completed or rejected", async () => {
  const fresh = await startServer({ QUEUES: "thumbs" });
  const listening = new Heard<View>(openStreams(fresh.baristas), FULFILMENT_UPDATED);
  const placed: string[] = [];
  await untilListening(listening, async () => placed.push((await place(fresh)).order_id));
  const before = listening.views.length;
  const last = placed.at(-1) ?? "";
  const headers = { Prefer: "respond-async" };
  await ask(`${fresh.customers}/queue/thumbs/`, { method: "POST", json: { file: 1 }, headers });
  await start(fresh, `order_id=${last}`);
  await applyVerb(fresh, "finish", last);
  const other = (await place(fresh)).order_id;
  await cancelByCustomer(fresh, other);
  const wanted = [
    [last, "FULFILMENT_COMPLETED"],
    [other, "FULFILMENT_CREATED"],
    [other, "FULFILMENT_REJECTED"],
  ];
  await until(() => listening.views.at(-1)?.status === "FULFILMENT_REJECTED", "the last one is heard");
  const heard = listening.views.map(({ id, status }) => [id, status]);
  expect(heard.slice(-3)).toEqual(wanted);
  expect(heard.slice(0, before).every(([, status]) => status === "FULFILMENT_CREATED")).toBe(true);
  listening.stop();
  await fresh.stop();
});

test("a stream is resumed by Last-Event-ID: each event once, right behind the one that was heard", async () => {
  const { order_id } = await place(server);
  const since = "0-0";
  await start(server, `order_id=${order_id}`);
  await applyVerb(server, "extend", order_id);
  await applyVerb(server, "finish", order_id);
  const all = framesOf(await listenByGet(server.customers, ORDER_UPDATED, { id: order_id }, since));
  expect(all.at(-1)).toEqual({ id: undefined, event: "complete", data: "" });
  const events = all.filter(({ event }) => event === "next");
  const states = events.map(
    ({ data }) => (JSON.parse(data ?? "") as { data: { orderUpdated: View } }).data.orderUpdated.state,
  );
  expect(states.slice(-4)).toEqual(["queued", "brewing", "brewing", "ready"]);
  const third = events.at(-2)?.id;
  const rest = framesOf(await listenByGet(server.customers, ORDER_UPDATED, { id: order_id }, third));
  expect(rest.map(({ id, event }) => [id, event])).toEqual([
    [events.at(-1)?.id, "next"],
    [undefined, "complete"],
  ]);
  const none = framesOf(await listenByGet(server.customers, ORDER_UPDATED, { id: order_id }, events.at(-1)?.id));
  expect(none.map(({ event }) => event)).toEqual(["complete"]);
});

test("a subscription that can't be is answered with its error, and is complete", async () => {
  const listening = new Heard<View>(openStreams(server.customers), ORDER_UPDATED, { id: crypto.randomUUID() });
  await listening.untilOver();
  const [result] = listening.results;
  const [error] = (result?.errors ?? []) as unknown as SaidError[];
  expect([listening.end, error?.extensions.code, error?.path]).toEqual(["complete", "order_unknown", ["orderUpdated"]]);
});

test("what asks wrongly gets 400, and what takes no stream is told to", async () => {
  const send = async (query: string, headers: Record<string, string> = {}, variables?: object) => {
    const answer = await ask(`${server.customers}/graphql`, { method: "POST", json: { query, variables }, headers });
    expect(answer.status).toBe(400);
    return (answer.body as { errors: SaidError[] }).errors;
  };
  const accept = { Accept: "text/event-stream" };
  const [unknown] = await send("subscription { nothingUpdated { id } }", accept);
  expect(unknown?.message).toContain("nothingUpdated");
  expect(unknown?.extensions.code).toBe("malformed_query");
  const [missing] = await send(ORDER_UPDATED, accept);
  expect(missing?.message).toContain("$id");
  const [json] = await send(ORDER_UPDATED, { Accept: "application/json" }, { id: crypto.randomUUID() });
  expect(json?.message).toContain("text/event-stream");
  // Only staff hear of all.
  const [staff] = await send(FULFILMENT_UPDATED, accept);
  expect(staff?.message).toContain("fulfilmentUpdated");
  const [all] = await send("subscription { paymentUpdated { id } }", accept);
  expect(all?.message).toContain('"orderId" of type "ID!" is required');
  const bad = { Accept: "text/event-stream", "Last-Event-ID": "yesterday" };
  const wrong = await ask(`${server.baristas}/graphql`, {
    method: "POST",
    json: { query: FULFILMENT_UPDATED },
    headers: bad,
  });
  expect(wrong.status).toBe(422);
});

test("a client that reads nothing is cut off", async () => {
  const note = "x".repeat(200);
  const { order_id } = await place(server, { note });
  await start(server, `order_id=${order_id}`);
  // The same field many times, so that an event makes much to read.
  const wide = Array.from({ length: 14 }, (_, at) => `f${at}: note`).join(" ");
  const body = JSON.stringify({ query: `subscription { orderUpdated(id: "${order_id}") { state ${wide} } }` });
  const head = "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n";
  const wire = openWire(
    server.baristas,
    `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => wire.got().includes("retry:"), "the stream begins");
  wire.socket.pause();
  for (let round = 0; round < 30; round++) {
    await Promise.all(Array.from({ length: 100 }, () => applyVerb(server, "extend", order_id)));
  }
  // What the kernel held comes, and then the end, though the order has not ended.
  wire.socket.resume();
  expect(await wire.closed).not.toContain("event: complete");
  await applyVerb(server, "finish", order_id);
});
