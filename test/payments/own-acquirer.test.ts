/** The acquirer that a server starts for itself. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { StartError } from "../../src/lifecycle.ts";
import { createLogTo, type Log } from "../../src/log.ts";
import { startOwnAcquirer, type OwnAcquirer } from "../../src/payments/own-acquirer.ts";
import { StripeProvider } from "../../src/payments/stripe.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);

const MODULE = resolve(import.meta.dir, "../../src/payments/own-acquirer.ts");

let folder: string;
let lines: string[];
let log: Log;
const started: OwnAcquirer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "own-acquirer-"));
  lines = [];
  const write = (_fields: object, message: string): void => void lines.push(message);
  log = createLogTo({ debug: write, info: write, warn: write, error: write }, { level: "debug" });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((acquirer) => acquirer.stop()));
  rmSync(folder, { recursive: true });
});

async function start(webhookUrl?: string): Promise<OwnAcquirer> {
  const acquirer = await startOwnAcquirer({ dataDir: folder, log, ...(webhookUrl !== undefined && { webhookUrl }) });
  started.push(acquirer);
  return acquirer;
}

function providerOf({ apiUrl, secretKey, webhookSecret }: OwnAcquirer): StripeProvider {
  return new StripeProvider({ name: "test", publishableKey: null, apiUrl, secretKey, webhookSecret });
}

const open = (acquirer: OwnAcquirer, orderId = "order-1") =>
  providerOf(acquirer).open({ orderId, amount: 350, currency: "eur", step: `${orderId}:open` });

/** The process that has the folder among its arguments. */
function pidOf(): number | undefined {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => commandOf(pid).includes(join(folder, "acquirer.jsonl")));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    // It has ended since.
    return "";
  }
}

async function isUp(url: string): Promise<boolean> {
  return await fetch(url).then(
    () => true,
    () => false,
  );
}

test("it charges, ends with its server, and its next one finds what was done", async () => {
  const first = await start();
  const opened = await open(first);
  expect(opened).toMatchObject({ kind: "opened" });
  await first.stop();
  expect(await isUp(first.apiUrl)).toBeFalse();
  const second = await start();
  expect(second.secretKey).not.toBe(first.secretKey);
  expect(await open(second)).toEqual(opened);
  expect(lines).toEqual([]);
});

test("its keys are in no list of processes", async () => {
  const { secretKey, webhookSecret } = await start();
  const line = commandOf(pidOf() ?? NaN);
  expect(line).toContain("acquirer");
  expect(line).not.toContain(secretKey);
  expect(line).not.toContain(webhookSecret);
});

test.each([
  ["before", true],
  ["after", false],
])("killed %s it learns where webhooks go, it is started again on the same port and sends them", async (_, isFirst) => {
  const told: string[] = [];
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      told.push(await request.text());
      return new Response();
    },
  });
  const acquirer = await start();
  const opened = await open(acquirer);
  const intentId = opened.kind === "opened" ? opened.intentId : "";
  const before = pidOf();
  if (!isFirst) await acquirer.sendWebhooksTo(receiver.url.href);
  process.kill(before ?? NaN, "SIGKILL");
  if (isFirst) await acquirer.sendWebhooksTo(receiver.url.href);
  const isBack = async () => pidOf() !== undefined && pidOf() !== before && (await isUp(acquirer.apiUrl));
  await until(isBack, "it is back");
  const provider = providerOf(acquirer);
  expect(await provider.authorise({ intentId, method: "pm_card_visa", step: "a" })).toMatchObject({
    kind: "authorised",
  });
  await until(() => told.length > 0, "the webhook comes");
  expect(told[0]).toContain("order-1");
  expect(lines).toEqual(["the test acquirer died and is started again"]);
  await receiver.stop(true);
});

test("it ends with a server that is killed", async () => {
  const script = `
    const { startOwnAcquirer } = await import(${JSON.stringify(MODULE)});
    const log = { warn: console.error };
    console.log((await startOwnAcquirer({ dataDir: ${JSON.stringify(folder)}, log })).apiUrl);
  `;
  const server = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe" });
  const reader = server.stdout.getReader();
  const { value } = await soon(reader.read(), "it started");
  const url = new TextDecoder().decode(value).trim();
  expect(await isUp(url)).toBeTrue();
  server.kill("SIGKILL");
  await until(async () => !(await isUp(url)), "the acquirer has ended");
  await until(() => pidOf() === undefined, "its process is gone");
});

test("a second one on the same folder does not start, and says why", async () => {
  await start();
  const second = await startOwnAcquirer({ dataDir: folder, log }).catch((error: unknown) => error);
  const words = `the test acquirer does not start (longpour acquirer: another test acquirer runs on ${join(folder, "acquirer.jsonl")}: stop it, or give another file)`;
  expect(second).toEqual(new StartError(words));
});
