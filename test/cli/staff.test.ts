/** Owns the tests of what baristas do on the command line, and of calls, which they make. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { readWireOrder } from "../support/http.ts";
import { untilSaid } from "./program.ts";
import { CommandShop, TOKEN } from "./shop.ts";

setDefaultTimeout(60_000);

const shop = new CommandShop();
beforeAll(() => shop.open());

test("start, release, fail and finish", async () => {
  const id = await shop.placed();
  expect(await shop.order("start", "--id", id)).toMatchObject({ order_id: id, status: "brewing", barista: "Grace" });
  expect((await shop.run("release", id)).stdout).toMatch(/^order \d+ \(latte\): queued/);
  const started = await shop.run("start", "--id", id);
  expect(started.stdout).toMatch(/^order \d+ \(latte\): brewing by Grace\n/);
  const failed = await shop.run("fail", id, "the grinder is jammed", "--retry-after", "0");
  expect(failed.stdout).toMatch(/queued.*; last attempt: the grinder is jammed\n$/);
  await shop.run("start", "--id", id);
  expect((await shop.run("finish", id)).stdout).toMatch(/^order \d+ \(latte\): ready\n$/);
  const late = await shop.run("finish", id, "--barista", "Ada");
  expect(late.exitCode).toBe(1);
  expect(late.stderr).toStartWith("longpour finish: The order's state does not allow this: ");
});

test("start ends with 1 where there is none", async () => {
  const { exitCode, stderr } = await shop.run("start", "--queue", "nobody-orders-here");
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^longpour start: No order to start: .*\n$/);
});

test("words of others can't steer the terminal, nor fake a line", async () => {
  const id = await shop.placed();
  await shop.take(id);
  await shop.run("fail", id, "\u001B[31mred\nand more", "--no-retry");
  const { stdout } = await shop.run("show", id);
  expect(stdout).toMatch(/: cancelled \(machine_error\): \\u001b\[31mred and more\n/);
  expect(await shop.json("show", id)).toMatchObject({ error: "\u001B[31mred\nand more" });
});

test("a wrong token is refused with the flag that gives the right one, and is not shown", async () => {
  const { exitCode, stderr } = await shop.run("start", "--token", "guess-guess");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("--token, or STAFF_TOKEN, gives it");
  expect(stderr).not.toContain("guess-guess");
});

test("queue measures a queue, and search lists orders, a line each", async () => {
  const id = await shop.placed();
  expect(await shop.json("queue", DEFAULT_QUEUE)).toMatchObject({ queue: DEFAULT_QUEUE, brewing: 0 });
  expect((await shop.run("queue", DEFAULT_QUEUE)).stdout).toMatch(
    /^\S+: \d+ queued, the oldest for [\d.]+ s; \d+ brewing/,
  );
  const { stdout } = await shop.run("search", "--status", "queued");
  expect(stdout).toMatch(new RegExp(String.raw`^${id}  order \d+ \(latte\): queued`, "m"));
  const lines = (await shop.run("search", "--json", "--limit", "1000")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => readWireOrder(JSON.parse(line)).order_id)).toContain(id);
  await shop.run("cancel", id);
});

const LATER = new Date(Date.now() + 3_600_000).toISOString();

test("call waits for the result, and shows progress meanwhile", async () => {
  const waiting = shop.begin("call", "thumbs", '{"url":"cat.jpg"}');
  await untilSaid(waiting, "queued");
  const { order_id } = (await shop.json("start", "--queue", "thumbs")) as { order_id: string };
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ percent: 40, message: "halfway" });
  const progressed = await fetch(`${shop.server.baristas}/progress/?order_id=${order_id}&barista=Grace`, {
    method: "POST",
    headers,
    body,
  });
  expect(progressed.status).toBe(200);
  await untilSaid(waiting, /call \d+ \(thumbs\): brewing by Grace, 40 %, halfway/);
  await shop.run("finish", order_id, "--result", '"small.jpg"');
  const { exitCode, stdout } = await waiting.ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '"small.jpg"\n' });
});

test("a call of an unknown queue ends with 1", async () => {
  const { exitCode, stderr } = await shop.run("call", "nowhere", "{}");
  expect(exitCode).toBe(1);
  expect(stderr).toStartWith("longpour call: ");
});

test("order and call are scheduled with --not-before", async () => {
  const calls = ["call", "mail", '"hello"', "--not-before", LATER, "--no-wait"];
  expect(await shop.json(...calls)).toMatchObject({ queue: "mail", status: "scheduled", not_before: LATER });
  expect((await shop.run(...calls)).stdout).toContain(`(mail): scheduled for ${LATER}`);
  expect(await shop.json("order", "latte", "--not-before", LATER, "--no-wait")).toMatchObject({ status: "scheduled" });
});

test("queue lists them, a line each, with those who work there", async () => {
  const { exitCode, stdout } = await shop.run("queue");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^mail: \d+ queued.*scheduled; workers: none seen$/m);
  expect(stdout).toMatch(/^thumbs: .*; workers: .*$/m);
  const lines = (await shop.run("queue", "--json")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { queue: string }).queue).toSorted()).toEqual(["mail", "thumbs"]);
});

test("dead lists what failed, and retry makes it again: one, or all of a queue", async () => {
  const fail = async (): Promise<string> => {
    const { order_id } = (await shop.json("call", "thumbs", "1", "--no-wait")) as { order_id: string };
    await shop.json("start", "--queue", "thumbs", "--id", order_id);
    await shop.json("fail", order_id, "no such picture", "--no-retry");
    return order_id;
  };
  const [one, other] = [await fail(), await fail()];
  const dead = await shop.run("dead", "--queue", "thumbs");
  expect(dead.stdout).toMatch(
    new RegExp(`^${one}  call \\d+ \\(thumbs\\): cancelled \\(machine_error\\): no such picture$`, "m"),
  );
  expect(await shop.json("retry", one)).toMatchObject({ retry_of: one, status: "queued" });
  const { stdout } = await shop.run("retry", "--queue", "thumbs", "--reason", "machine_error", "--json");
  const retried = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { retry_of: string }).retry_of);
  expect(retried).toContain(other);
  const found = await shop.run("search", "--queue", "thumbs", "--status", "queued", "--json");
  expect(found.stdout).toContain(`"retry_of":"${other}"`);
  expect((await shop.run("retry", "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59")).exitCode).toBe(1);
});

test("start gives a link, by which the order is finished without a token", async () => {
  const id = await shop.placed();
  const { stdout } = await shop.run("start", "--id", id, "--link");
  const url = /\n +finish_url +(http:\S+)\n/.exec(stdout)?.[1] ?? "";
  expect(stdout.split(url)).toHaveLength(2);
  const answer = await fetch(url, { method: "POST", body: '{"cups":1}' });
  expect(await answer.json()).toMatchObject({ order_id: id, status: "ready", result: { cups: 1 } });
});
