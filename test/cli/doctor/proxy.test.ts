/**
 * Owns the tests of what the doctor says of a proxy: real nginx before real servers. They run at the same time,
 * for each waits for seconds.
 *
 * **Invariants**
 * - Times that are compared are nginx's setting and what the doctor measured of it.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { diagnosed, startDoctor } from "../../support/doctor.ts";
import { ask, lookAtQueue } from "../../support/http.ts";
import { TestNginx } from "../../support/nginx.ts";
import { freePort } from "../../support/redis.ts";
import { startServer, type Server } from "../../support/server.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const READ_TIMEOUT_SECONDS = 5;
const readTimeout = `${READ_TIMEOUT_SECONDS}s`;

/** Heartbeats every 25 s. */
let quiet: Server;
/** Heartbeats every second, and nginx is trusted. */
let beating: Server;
const proxies: TestNginx[] = [];

beforeAll(async () => {
  [quiet, beating] = await Promise.all([
    startServer(),
    startServer({ HEARTBEAT_SECONDS: "1", TRUSTED_PROXIES: "127.0.0.1" }),
  ]);
});

afterAll(async () => {
  await Promise.all(proxies.map((nginx) => nginx[Symbol.asyncDispose]()));
  await Promise.all([quiet, beating].map((server) => server.stop()));
});

async function startBefore(server: Server, buffers?: "unless forbidden" | "always"): Promise<TestNginx> {
  const nginx = await TestNginx.start([server], { readTimeout, ...(buffers ? { buffers } : undefined) });
  proxies.push(nginx);
  return nginx;
}

test.concurrent("a proxy that cuts what is silent is found, with the time after which it cuts", async () => {
  const nginx = await startBefore(quiet);
  const { exitCode, find } = await diagnosed("--url", nginx.customers, "--max-seconds", "60");
  const cut = find("cut-off");
  expect(cut).toMatchObject({ verdict: "fault", values: { is_cut: true, status: 504 } });
  expect(cut.advice).toContain("proxy_read_timeout");
  const heldSeconds = Number(cut.values?.held_seconds);
  expect(Math.abs(heldSeconds - READ_TIMEOUT_SECONDS)).toBeLessThanOrEqual(1);
  // Nothing came in the time, but an event stream shows that bytes would.
  expect([find("heartbeats").verdict, find("buffering").verdict]).toEqual(["skipped", "ok"]);
  expect(find("address")).toMatchObject({ verdict: "fault", values: { source: "untrusted_proxy", address: null } });
  expect(exitCode).toBe(1);
});

test.concurrent.each([undefined, "unless forbidden"] as const)(
  "heartbeats that a proxy passes on keep the request open (buffering: %p)",
  async (buffers) => {
    const nginx = await startBefore(beating, buffers);
    const { exitCode, verdict, find } = await diagnosed("--url", nginx.customers, "--max-seconds", "8");
    expect(find("cut-off")).toMatchObject({ verdict: "ok", values: { is_cut: false } });
    expect(find("cut-off").measured).toContain("heartbeats keep it open");
    // (On a busy machine two may come together: the verdict allows for it.)
    expect(find("heartbeats")).toMatchObject({ verdict: "ok" });
    expect(find("buffering").verdict).toBe("ok");
    expect(find("address")).toMatchObject({ verdict: "ok", values: { source: "trusted_proxy", is_forgeable: false } });
    expect([exitCode, verdict === "fault"]).toEqual([0, false]);
  },
);

test.concurrent("heartbeats that a proxy keeps back are found when they come with the answer", async () => {
  const nginx = await startBefore(beating, "always");
  const { exitCode, find } = await diagnosed("--url", nginx.customers, "--max-seconds", "6");
  const { verdict, measured, advice, values } = find("heartbeats");
  expect({ verdict, heartbeats: values?.heartbeats }).toEqual({ verdict: "fault", heartbeats: 0 });
  expect(Number(values?.late_heartbeats)).toBeGreaterThan(2);
  expect(measured).toContain("gathered");
  expect(advice).toContain("X-Accel-Buffering");
  expect(find("buffering").verdict).toBe("fault");
  expect(exitCode).toBe(1);
});

test.concurrent("straight at a server nothing is wrong; what it measured with is cancelled", async () => {
  await using server = await startOwn();
  const { find } = await diagnosed("--url", server.customers, "--staff-url", server.baristas, "--max-seconds", "1");
  for (const check of ["customers-port", "baristas-port", "address", "server-clock", "buffering", "cut-off"]) {
    expect(find(check)).toMatchObject({ check, verdict: "ok" });
  }
  expect(find("address").values).toEqual({ source: "connection", address: "127.0.0.1", is_forgeable: false });
  expect(find("open-files").values).toMatchObject({ pid: server.process.pid });
  expect(await statusesAt(server)).toEqual(["cancelled"]);
});

test.concurrent("interrupted, it cancels its order and says what it has seen", async () => {
  await using server = await startOwn();
  const doctor = startDoctor(["--url", server.customers]);
  const held = async (): Promise<boolean> => (await lookAtQueue(server)).held === 1;
  await until(held, "the doctor holds its request");
  expect(await statusesAt(server)).toEqual(["scheduled"]);
  process.kill(doctor.pid, "SIGINT");
  const { exitCode, stdout } = await doctor.ended;
  expect(stdout).toMatch(/^ok +cut-off +a held request was not cut in /m);
  expect(exitCode).toBe(0);
  expect(await statusesAt(server)).toEqual(["cancelled"]);
});

test.concurrent("a shop that takes no order is not held at: the checks say so", async () => {
  await using server = await startOwn();
  await ask(`${server.baristas}/shop`, { method: "PATCH", json: { open: false } });
  const { exitCode, find } = await diagnosed("--url", server.customers);
  const { verdict, measured } = find("cut-off");
  expect(verdict).toBe("skipped");
  expect(measured).toContain("closed");
  expect(exitCode).toBe(0);
});

test.concurrent("a port at which nothing listens, and a wrong token, are faults", async () => {
  await using server = await startOwn({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
  const nowhere = `http://127.0.0.1:${freePort()}`;
  const { exitCode, find } = await diagnosed("--url", nowhere, "--staff-url", server.baristas, "--token", "wrong");
  expect(find("customers-port")).toMatchObject({ verdict: "fault" });
  expect(find("cut-off")).toMatchObject({ verdict: "skipped" });
  expect(find("baristas-port")).toMatchObject({ verdict: "fault", values: { status: 401 } });
  expect(exitCode).toBe(1);
});

async function startOwn(environment?: Record<string, string>): Promise<Server & AsyncDisposable> {
  const server = await startServer(environment);
  return { ...server, [Symbol.asyncDispose]: async () => void (await server.stop()) };
}

/** The states of all orders of the shop. */
async function statusesAt(server: Server): Promise<string[]> {
  const { body } = await ask(`${server.baristas}/order/`);
  return (body as { orders: { status: string }[] }).orders.map(({ status }) => status);
}
