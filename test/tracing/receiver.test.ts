/** The receiver of spans comes and goes: the shop does not notice. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { applyVerb, expectOrder, expectStatus, order, place, start } from "../support/http.ts";
import { MachineServer } from "../support/machines.ts";
import { OtlpReceiver } from "../support/otlp.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);

const SECRET = "Bearer hush hush";
const CANNOT = "spans can't be sent: trying again, and dropping those that are too many";
const AGAIN = "spans are sent again";

function openServer(receiver: OtlpReceiver): Promise<MachineServer> {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
    OTEL_EXPORTER_OTLP_HEADERS: `Authorization=${encodeURIComponent(SECRET)},x-tenant=coffee`,
    LIMIT_CAPACITY: "10000",
    REQUESTS_PER_SECOND: "10000",
  };
  return MachineServer.open({ machines: [], environment });
}

const traceOf = ({ traceparent = "" }: { readonly traceparent?: string }): string => traceparent.slice(3, 35);
const linesOf = ({ lines }: MachineServer, wanted: string) => lines.filter(({ msg }) => msg === wanted);

async function serveOne(server: MachineServer): Promise<string> {
  const held = order(server);
  const { order_id } = await start(server);
  expectStatus(await applyVerb(server, "finish", order_id), 200);
  return traceOf(expectOrder(await held, { status: "ready" }));
}

const WHOLE = ["POST /order/", "place default", "wait default", "start default", "finish default"];

test("orders go on while the receiver is gone; its spans come once it is back, and the log says both", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await openServer(receiver);
  await receiver.trace(await serveOne(server), WHOLE);
  expect(receiver.headers?.get("authorization")).toBe(SECRET);
  expect(receiver.headers?.get("x-tenant")).toBe("coffee");
  expect(receiver.headers?.get("content-type")).toBe("application/json");

  await receiver.stop();
  const meanwhile = await serveOne(server);
  await until(() => linesOf(server, CANNOT).length > 0, "the failure is logged");
  for (let more = 0; more < 20; more++) await serveOne(server);
  receiver.open();
  await receiver.trace(meanwhile, WHOLE);
  await until(() => linesOf(server, AGAIN).length > 0, "the return is logged");
  await receiver.trace(await serveOne(server), WHOLE);
  expect(linesOf(server, CANNOT)).toHaveLength(1);
  expect(linesOf(server, AGAIN)).toMatchObject([{ lost: 0 }]);
  expect(JSON.stringify(server.lines)).not.toContain("hush");
});

test("an answer that no other try changes costs those spans, and the next are sent", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await openServer(receiver);
  receiver.status = 401;
  const lost = await serveOne(server);
  await until(() => linesOf(server, CANNOT).length > 0, "the failure is logged");
  expect(linesOf(server, CANNOT)).toMatchObject([{ why: "status 401", level: 40 }]);
  receiver.status = 200;
  await receiver.trace(await serveOne(server), WHOLE);
  await until(() => linesOf(server, AGAIN).length > 0, "the return is logged");
  expect(linesOf(server, AGAIN)).toMatchObject([{ lost: WHOLE.length }]);
  expect(receiver.spans.map(({ traceId }) => traceId)).not.toContain(lost);
});

test("a busy receiver is asked again", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await openServer(receiver);
  receiver.status = 503;
  const trace = await serveOne(server);
  await until(() => receiver.requests > 1, "it was asked again");
  receiver.status = 200;
  await receiver.trace(trace, WHOLE);
});

test("a redirect is not followed: the headers go nowhere else", async () => {
  await using elsewhere = new OtlpReceiver();
  await using receiver = new OtlpReceiver();
  await using server = await openServer(receiver);
  receiver.redirectTo = `${elsewhere.url}/v1/traces`;
  await serveOne(server);
  await until(() => linesOf(server, CANNOT).length > 0, "the failure is logged");
  expect(linesOf(server, CANNOT)).toMatchObject([{ why: "status 307" }]);
  expect(elsewhere.requests).toBe(0);
});

test("what is left is sent as the server stops", async () => {
  await using receiver = new OtlpReceiver();
  const server = await openServer(receiver);
  const trace = await serveOne(server);
  expect(await server.stop()).toEqual([]);
  await receiver.trace(trace, WHOLE);
});

test("a receiver that is gone, or never answers, keeps no server from stopping", async () => {
  await using receiver = new OtlpReceiver();
  const server = await openServer(receiver);
  receiver.isSilent = true;
  await place(server);
  await until(() => receiver.requests > 0, "spans were sent");
  await place(server);
  expect(await soon(server.stop(), "the server stops", 8000)).toEqual([]);
  await receiver.stop();
  const other = await openServer(receiver);
  await place(other);
  expect(await soon(other.stop(), "the server stops", 8000)).toEqual([]);
});

test("no more spans wait than are bounded: then orders are not traced, and the log says how many were lost", async () => {
  await using receiver = new OtlpReceiver();
  await using server = await openServer(receiver);
  await receiver.stop();
  await place(server);
  await until(() => linesOf(server, CANNOT).length > 0, "the failure is logged");
  const placing = async (): Promise<void> => {
    for (let count = 0; count < 150; count++) await place(server);
  };
  // Two spans each: more than may wait.
  await Promise.all(Array.from({ length: 18 }, placing));
  expect((await place(server)).traceparent).toBeUndefined();
  receiver.open();
  await until(() => linesOf(server, AGAIN).length > 0, "the return is logged", 30_000);
  expect(Number(linesOf(server, AGAIN)[0]?.lost)).toBeGreaterThan(100);
});
