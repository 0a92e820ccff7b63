/** Servers with machines that stop, or are killed: what is made is stored, what is not goes to another one. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { defineMachine } from "../../src/machines/machine.ts";
import { ask, expectStatus } from "../support/http.ts";
import { callLater, endOf, look, MachineServer, untilStatus } from "../support/machines.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const module = join(import.meta.dir, "modules/gated.ts");

/** A machine that ends what it is at when the test says so. */
function defineGated() {
  const signals: AbortSignal[] = [];
  const gate = Promise.withResolvers<string>();
  const machine = defineMachine({
    queue: "gated",
    input: Type.Any(),
    output: Type.Any(),
    make: (_input, { signal }) => {
      signals.push(signal);
      return gate.promise;
    },
  });
  return { machine, signals, gate };
}

const newShop = () => ({ SHOP: `test-${crypto.randomUUID()}` });

test("what is under way when the server stops is finished within the drain, and nothing new is started", async () => {
  const { machine, signals, gate } = defineGated();
  const shop = newShop();
  await using other = await MachineServer.open({ machines: [], environment: { ...shop, QUEUES: "gated" } });
  const server = await MachineServer.open({ machines: [machine], environment: { ...shop, DRAIN_SECONDS: "30" } });
  const orderId = await callLater(server, "gated", 1);
  await until(() => signals.length === 1, "it is begun");
  const next = await callLater(server, "gated", 2);
  const stopping = server.stop();
  await until(async () => (await ask(server.customers).catch(() => undefined)) === undefined, "its port is closed");
  gate.resolve("made");
  expect(await stopping).toEqual([]);
  expect(await look(other, orderId)).toMatchObject({ status: "ready", result: "made" });
  expect(await look(other, next)).toMatchObject({ status: "queued", attempts: 0 });
  expect(signals).toHaveLength(1);
  expect(signals[0]?.aborted).toBe(false);
});

test("what is not made by the drain's end goes back uncounted, and another server makes it", async () => {
  const { machine, signals, gate } = defineGated();
  const shop = newShop();
  const server = await MachineServer.open({ machines: [machine], environment: { ...shop, DRAIN_SECONDS: "1" } });
  const orderId = await callLater(server, "gated", 1);
  await until(() => signals.length === 1, "it is begun");
  expect(await server.stop()).toEqual([]);
  expect(signals[0]?.aborted).toBe(true);
  expect(server.failures).toEqual([]);
  gate.resolve("late");
  const { machine: again, gate: open } = defineGated();
  open.resolve("made");
  await using other = await MachineServer.open({ machines: [again], environment: shop });
  expect(await endOf(other, orderId)).toMatchObject({ status: "ready", result: "made", attempts: 1 });
});

test("a customer who is held while the server stops is sent on, and finds the machine's answer elsewhere", async () => {
  const { machine, signals, gate } = defineGated();
  const shop = newShop();
  await using other = await MachineServer.open({ machines: [], environment: { ...shop, QUEUES: "gated" } });
  const server = await MachineServer.open({ machines: [machine], environment: { ...shop, DRAIN_SECONDS: "30" } });
  const held = ask(`${server.customers}/queue/gated/`, { method: "POST", json: 1 });
  await until(() => signals.length === 1, "it is begun");
  const stopping = server.stop();
  const answer = await held;
  expectStatus(answer, 303);
  const found = ask(`${other.customers}${answer.headers.location}`);
  gate.resolve("made");
  expect((await found).body).toMatchObject({ status: "ready", result: "made" });
  expect(await stopping).toEqual([]);
});

test("an order of a server that was killed is made by another one, once its lease is over", async () => {
  const environment = { ...newShop(), LEASE_SECONDS: "1", MACHINES: module };
  const killed = await startServer(environment);
  const orderId = await callLater(killed, "gated", { waits: true });
  await untilStatus(killed, orderId, "brewing");
  const other = await startServer(environment);
  await killed.stop("SIGKILL");
  expect(await endOf(other, orderId)).toMatchObject({ status: "ready", result: { attempts: 2 } });
  expect(await other.stop()).toBe(0);
});

test("a process ends well while its machine hangs: what it has goes back", async () => {
  const environment = { ...newShop(), DRAIN_SECONDS: "1", MACHINES: module };
  const server = await startServer(environment);
  const orderId = await callLater(server, "gated", { waits: true });
  await untilStatus(server, orderId, "brewing");
  expect(await server.stop()).toBe(0);
  const other = await startServer(environment);
  expect(await look(other, orderId)).toMatchObject({ attempts: 1 });
  expect(await other.stop("SIGKILL")).toBeNull();
});
