/** Servers that other programs embed, by what the package exports. */
import { afterEach, expect, mock, setDefaultTimeout, test } from "bun:test";
import {
  createServer,
  defineMachine,
  RetryLater,
  StartError,
  Type,
  type LogTarget,
  type RunningServer,
  type ServerOptions,
  type Settings,
} from "../../src/index.ts";
import { createClient, RetryLater as ClientsRetryLater } from "../../src/client/index.ts";
import { sharedRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const servers: RunningServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) expect(await server.stop()).toEqual([]);
});

async function embed(settings: Settings = {}, options: ServerOptions = {}): Promise<RunningServer> {
  const own = { REDIS_URL: (await sharedRedis()).url, SHOP: `test-${crypto.randomUUID()}`, DRAIN_SECONDS: 1 };
  const ports = { CUSTOMER_PORT: 0, BARISTA_PORT: 0, CUSTOMER_HOST: "127.0.0.1" };
  const server = await createServer({ ...options, settings: { ...ports, ...own, ...settings } });
  servers.push(server);
  return server;
}

async function fault(starting: Promise<unknown>): Promise<StartError> {
  const error: unknown = await starting.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StartError);
  return error as StartError;
}

/** Keeps all lines, each with its level. */
function keepLines() {
  const lines: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  const write = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields });
  const log: LogTarget = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  return { lines, log };
}

/** As a server of a newer format does. */
async function takeOver(shop: string): Promise<void> {
  const redis = (await sharedRedis()).connect();
  await redis.set(`{${shop}}:format`, "99 99.0.0 99");
  redis.disconnect();
}

/** Sends it what makes it find that it is superseded. */
async function untilStopped({ customers }: RunningServer): Promise<void> {
  await fetch(`${customers}/order/`, { method: "POST" }).catch(() => {});
  const isGone = () =>
    fetch(`${customers}/livez`).then(
      () => false,
      () => true,
    );
  await until(isGone, "the server has stopped");
}

const doubler = defineMachine({
  queue: "doubler",
  input: Type.Object({ value: Type.Number() }),
  output: Type.Object({ value: Type.Number() }),
  make: ({ value }, { order, log }) => {
    if (order.attempts === 1) throw new RetryLater(0);
    log.info({ attempts: order.attempts }, "doubled");
    return { value: value * 2 };
  },
});

test("a machine that is given in code is served and called", async () => {
  const { lines, log } = keepLines();
  const server = await embed({}, { machines: [doubler], log });
  const order = await createClient({ url: server.customers }).call(doubler, { value: 21 });
  expect(order).toMatchObject({ status: "ready", attempts: 2, result: { value: 42 } });
  const said = { level: "info", message: "doubled", fields: { queue: "doubler", attempts: 2 } };
  expect(lines).toContainEqual(said);
});

test("settings are checked as the environment's are, and the environment does not count", async () => {
  process.env.CUSTOMER_PORT = "no port";
  try {
    const server = await embed({ STAFF_TOKEN: "a-token", BARISTA_HOST: "127.0.0.1", LEASE_SECONDS: "60" });
    expect((await fetch(`${server.baristas}/start/`)).status).toBe(401);
  } finally {
    delete process.env.CUSTOMER_PORT;
  }
  const wrong = await fault(embed({ LANES: 0, DRAIN_SECONDS: Number.NaN }));
  expect(wrong.exitCode).toBe(2);
  for (const name of ["LANES", "DRAIN_SECONDS"]) expect(wrong.message).toContain(name);
});

test.each(["CUSTOMER_PROT", "toString"])("a setting that there is not is a fault: %s", async (name) => {
  const unknown = await fault(createServer({ settings: { [name]: "1" } }));
  expect(unknown).toMatchObject({ exitCode: 2, message: `no such setting: ${name}` });
});

test("a port that is taken is a fault that names the setting", async () => {
  const first = await embed();
  const taken = await fault(embed({ BARISTA_PORT: Number(new URL(first.baristas).port) }));
  expect(taken.message).toContain("BARISTA_PORT");
});

test("lines come from LOG_LEVEL up, without secrets; nothing is written elsewhere", async () => {
  const { lines, log } = keepLines();
  const server = await embed({ LOG_LEVEL: "debug", STAFF_TOKEN: "secret-token" }, { log });
  await fetch(`${server.customers}/coffees`);
  const said = () => lines.map(({ level, message }) => `${level} ${message}`);
  await until(() => said().includes("debug request"), "the request has its line");
  const quiet = keepLines();
  const other = await embed({ LOG_LEVEL: "error" }, { log: quiet.log });
  await fetch(`${other.customers}/coffees`);
  expect(quiet.lines).toEqual([]);
  expect(JSON.stringify(lines)).not.toContain("secret-token");
});

test("the process stays its owner's", async () => {
  const events = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
  const before = events();
  const [one, other] = [await embed(), await embed()];
  expect(events()).toEqual(before);
  expect(one.customers).not.toBe(other.customers);
});

test("a newer version that takes over the shop's data ends the server", async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  const superseded = mock();
  const { lines, log } = keepLines();
  const server = await embed({ SHOP }, { superseded, log });
  await takeOver(SHOP);
  await untilStopped(server);
  expect(superseded).toHaveBeenCalledTimes(1);
  expect(lines.map(({ level }) => level)).toContain("warn");
});

test("a callback that throws keeps no superseded server from stopping", async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  const { lines, log } = keepLines();
  const superseded = () => {
    throw new Error("no time for that");
  };
  const server = await embed({ SHOP }, { superseded, log });
  await takeOver(SHOP);
  await untilStopped(server);
  expect(lines.map(({ message }) => message)).toContain(
    "the callback of a takeover threw: the server stops all the same",
  );
});

test("the client's RetryLater and the server's are one", () => {
  expect(ClientsRetryLater).toBe(RetryLater);
});
