/**
 * Owns the tests of programs as baristas: what they read, what their end means, and that nothing of them is left.
 *
 * **Invariants**
 * - Each test has a queue of its own, on one server.
 */
import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Order } from "../../src/client/index.ts";
import { freePort } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { begin, run, untilSaid, type Running } from "./program.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "longpour-work-"));
let server: Server;

beforeAll(async () => {
  server = await startServer({
    QUEUES: "echo, words, failing, later, many, daemon, short lease_seconds=1, back, long",
  });
});

/** Those of the test that runs. */
const workers: Running[] = [];

afterEach(async () => {
  for (const worker of workers) worker.kill("SIGTERM");
  await Promise.all(workers.splice(0).map(({ ended }) => ended));
});

/** Works on a queue with a line of shell, to the end of the test. */
function work(queue: string, line: string, ...options: readonly string[]): Running {
  const argv = ["work", queue, "--barista", "Grace", ...options, "--", "sh", "-c", line];
  const worker = begin(argv, { LONGPOUR_STAFF_URL: server.baristas });
  workers.push(worker);
  return worker;
}

const call = (queue: string, input: unknown): Promise<Order> =>
  createClient({ url: server.customers }).call(queue, input);

async function find(orderId: string): Promise<Order> {
  return await createClient({ url: server.customers }).find(orderId);
}

/** Puts a call into the queue without waiting for it. */
async function place(queue: string): Promise<string> {
  const headers = { "Content-Type": "application/json", Prefer: "respond-async" };
  const answer = await fetch(`${server.customers}/queue/${queue}/`, { method: "POST", headers, body: "1" });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as Order).order_id;
}

test("the input comes on standard input, and what is printed is the result", async () => {
  const worker = work("echo", "cat", "--json");
  const input = { url: "cat.jpg", sizes: [1, 2], name: "ü" };
  const order = await call("echo", input);
  expect(order).toMatchObject({ status: "ready", barista: "Grace", result: input });
  await untilSaid(worker, `{"order_id":"${order.order_id}","ending":"finished"}`);
});

test("what is no JSON is a text, and nothing is no result", async () => {
  work("words", 'read -r input; if [ "$input" = 1 ]; then echo "no JSON, $LONGPOUR_QUEUE"; fi');
  expect((await call("words", 1)).result).toBe("no JSON, words");
  expect(await call("words", 2)).not.toHaveProperty("result");
});

test("another exit code than 0 fails the order with the last line of standard error", async () => {
  const worker = work("failing", 'echo first >&2; echo "no such picture" >&2; exit 3');
  expect(await call("failing", 1)).toMatchObject({
    status: "cancelled",
    reason: "machine_error",
    error: "no such picture",
  });
  await untilSaid(worker, "first\n");
});

test("a program that a signal ends, or that prints too much, fails the order too", async () => {
  work("many", 'read -r input; if [ "$input" = 1 ]; then kill -9 $$; fi; yes', "--concurrency", "2");
  const [killed, endless] = await Promise.all([call("many", 1), call("many", 2)]);
  expect(killed).toMatchObject({ status: "cancelled", error: "sh was ended by SIGKILL" });
  expect(endless).toMatchObject({ status: "cancelled", error: "its answer is longer than 262144 characters" });
});

test("what the program left in a group of its own is not waited for, and goes on", async () => {
  const file = join(folder, "daemon");
  const daemon = `setsid -f sh -c 'echo $$ >${file}; exec sleep 600'`;
  work("daemon", `${daemon}; while [ ! -s ${file} ]; do sleep 0.01; done; echo '"made"'`);
  try {
    expect(await call("daemon", 1)).toMatchObject({ status: "ready", result: "made" });
  } finally {
    // It throws where there is no such process.
    process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
  }
});

test("exit code 75 has it tried again later", async () => {
  const worker = work("later", "echo busy >&2; exit 75");
  const id = await place("later");
  await untilSaid(worker, "busy");
  await until(async () => (await find(id)).status === "queued", "the order is queued again");
  expect(await find(id)).toMatchObject({ error: "busy" });
});

test("the lease is extended while a program runs", async () => {
  const go = join(folder, "go");
  const worker = work("short", `while [ ! -e ${go} ]; do sleep 0.05; done`);
  const id = await place("short");
  await until(async () => (await find(id)).status === "brewing", "the order is brewing");
  // Four thirds of a lease.
  await untilEvents(id, "order.extended", 4);
  writeFileSync(go, "");
  await untilSaid(worker, `${id}  call`);
  expect(await find(id)).toMatchObject({ status: "ready", attempts: 1 });
});

test("Ctrl-C gives back what it has, and ends the program", async () => {
  const pidFile = join(folder, "pid");
  const worker = work("back", `echo $$ > ${pidFile}; sleep 600`);
  const id = await place("back");
  await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "", "the program runs");
  worker.kill("SIGINT");
  expect((await worker.ended).exitCode).toBe(0);
  expect(await find(id)).toMatchObject({ status: "queued" });
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("with --drain what runs is made first", async () => {
  const begun = join(folder, "begun");
  const go = join(folder, "go-on");
  const worker = work("long", `touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; echo 7`, "--drain", "1m");
  const id = await place("long");
  await until(() => existsSync(begun), "the program runs");
  worker.kill("SIGINT");
  writeFileSync(go, "");
  expect((await worker.ended).exitCode).toBe(0);
  expect(await find(id)).toMatchObject({ status: "ready", result: 7 });
});

test("a worker that waits outlives a restart of the server", async () => {
  const ports = { CUSTOMER_PORT: String(freePort()), BARISTA_PORT: String(freePort()) };
  const environment = { ...ports, SHOP: `test-${crypto.randomUUID()}`, QUEUES: "echo" };
  const first = await startServer(environment);
  const worker = begin(["work", "echo", "--staff-url", first.baristas, "--", "cat"]);
  workers.push(worker);
  const seen = async (): Promise<boolean> => {
    const { queues } = (await (await fetch(`${first.customers}/queue`)).json()) as { queues: { workers: unknown[] }[] };
    return queues[0]?.workers.length === 1;
  };
  await until(seen, "the worker asks for an order");
  await first.stop("SIGKILL");
  await untilSaid(worker, "the connection was lost: asking again");
  const second = await startServer(environment);
  expect((await createClient({ url: second.customers }).call("echo", [7])).result).toEqual([7]);
  worker.kill("SIGTERM");
  expect((await worker.ended).exitCode).toBe(0);
  await second.stop();
});

test("the counter's orders are read whole", async () => {
  work("default", "cat");
  const order = await createClient({ url: server.customers }).order({ item: "latte" });
  expect(order.result).toMatchObject({ order_id: order.order_id, item: "latte", status: "brewing" });
});

test("a program that there is not is wrong usage", async () => {
  const { exitCode, stderr } = await run("work", "echo", "--", "no-such-program-here");
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: "longpour work: there is no program no-such-program-here; --help lists the options\n",
  });
});

/** Reads an order's events until so many of this type have come. */
async function untilEvents(id: string, type: string, count: number): Promise<void> {
  const { body } = await fetch(`${server.customers}/order/${id}/events`, { signal: AbortSignal.timeout(20_000) });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split(`event: ${type}\n`).length > count) return;
  }
  throw new Error(`the events ended before ${count} of ${type}`);
}
