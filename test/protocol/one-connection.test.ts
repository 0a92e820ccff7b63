/**
 * What becomes of a held request when its customer uses the connection on: a second request, or the end of their side.
 */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, brew, expectOrder, lookAtQueue, openWire, untilHeld } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const ORDER = "POST /order/ HTTP/1.1\r\nHost: app\r\n\r\n";
const LOOK = "GET /livez HTTP/1.1\r\nHost: app\r\n\r\n";

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

const answersIn = (got: string): number => got.match(/HTTP\/1\.1 200 /g)?.length ?? 0;

test("a second request after the answer to a held one is answered on the same connection", async () => {
  const wire = openWire(server.customers, ORDER);
  await untilHeld(server, 1);
  await brew(server);
  await until(() => wire.got().endsWith("}"), "the order has come");
  wire.socket.write(LOOK);
  await until(() => answersIn(wire.got()) === 2, "the second answer");
  wire.socket.destroy();
});

test("behind nginx a second request is answered even when it came while the first was held, and after it", async () => {
  await using nginx = await TestNginx.start([server]);
  const wire = openWire(nginx.customers, ORDER);
  await untilHeld(server, 1);
  wire.socket.write(LOOK);
  await brew(server);
  await until(() => answersIn(wire.got()) === 2, "both answers");
  expect(wire.got().indexOf('"status":"ready"')).toBeGreaterThan(0);
  wire.socket.destroy();
});

test("behind nginx the end of the customer's side counts as hanging up", async () => {
  await using nginx = await TestNginx.start([server]);
  const wire = openWire(nginx.customers, ORDER);
  await untilHeld(server, 1);
  wire.socket.end();
  expect(await wire.closed).toBe("");
  await untilHeld(server, 0);
  await brew(server);
});

test.each([
  ["a second request while the first is held", (wire: ReturnType<typeof openWire>) => void wire.socket.write(LOOK)],
  ["the end of the customer's side (nc -N)", (wire: ReturnType<typeof openWire>) => void wire.socket.end()],
])("%s ends the connection; the seat is free, the order goes on and can be come back to", async (_what, act) => {
  const key = crypto.randomUUID();
  const wire = openWire(server.customers, ORDER.replace("\r\n\r\n", `\r\nIdempotency-Key: ${key}\r\n\r\n`));
  await untilHeld(server, 1);
  act(wire);
  expect(await wire.closed).toBe("");
  await untilHeld(server, 0);
  expect((await lookAtQueue(server)).depth).toBe(1);
  const back = ask(`${server.customers}/order/`, { method: "POST", headers: { "Idempotency-Key": key } });
  await untilHeld(server, 1);
  const { order_id } = await brew(server);
  expectOrder(await back, { order_id, status: "ready" });
});
