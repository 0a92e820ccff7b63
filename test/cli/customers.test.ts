/** Owns the tests of what customers do on the command line. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readWireOrder } from "../support/http.ts";
import { freePort, sharedRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { begin, untilSaid } from "./program.ts";
import { CommandShop } from "./shop.ts";

setDefaultTimeout(60_000);

const shop = new CommandShop();
beforeAll(() => shop.open());

test("order waits, shows how it stands on standard error, and prints the result alone", async () => {
  const waiting = shop.begin("order", "latte", "--modifier", "milk=oat", "--name", "Ada", "--key", "the-ada-order");
  await untilSaid(waiting, /order \d+ \(latte\): queued, position 1/);
  const { order_id, modifiers } = await shop.order(
    "order",
    "latte",
    "--modifier",
    "milk=oat",
    "--name",
    "Ada",
    "--key",
    "the-ada-order",
    "--no-wait",
  );
  expect(modifiers).toEqual({ milk: "oat" });
  await shop.take(order_id);
  await untilSaid(waiting, "brewing by Grace");
  expect(await shop.order("finish", order_id, "--result", '{"cups":2}')).toMatchObject({
    status: "ready",
    result: { cups: 2 },
  });
  const { exitCode, stdout, stderr } = await waiting.ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '{\n  "cups": 2\n}\n' });
  expect(stderr).toMatch(/^order \d+ \(latte\): ready after [\d.]+ s$/m);
});

test("order --json prints the final order and nothing else", async () => {
  const waiting = shop.begin("order", "--json", "--key", "the-json-order");
  const { order_id } = await shop.order("order", "--key", "the-json-order", "--no-wait");
  await shop.take(order_id);
  await shop.run("finish", order_id);
  const { exitCode, stdout, stderr } = await waiting.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(readWireOrder(JSON.parse(stdout))).toMatchObject({ order_id, status: "ready" });
});

test("Ctrl-C leaves a waiting order, which show --wait comes back to", async () => {
  const waiting = shop.begin("order", "latte");
  await untilSaid(waiting, "queued");
  waiting.kill("SIGINT");
  const { exitCode, stderr } = await waiting.ended;
  expect(exitCode).toBe(1);
  const [, id = ""] = /Come back with: longpour show (\S+) --wait/.exec(stderr) ?? [];
  const back = shop.begin("show", id, "--wait");
  await shop.take(id);
  await shop.run("finish", id);
  const ended = await back.ended;
  expect(ended.exitCode).toBe(0);
  expect(ended.stdout).toMatch(/^order \d+ \(latte\): ready after [\d.]+ s\n$/);
});

test("an order that is cancelled ends with 1, and says why", async () => {
  const waiting = shop.begin("order", "latte", "--key", "the-failing-order");
  const { order_id } = await shop.order("order", "latte", "--key", "the-failing-order", "--no-wait");
  await shop.take(order_id);
  const failed = await shop.order("fail", order_id, "no milk is left", "--no-retry");
  expect(failed).toMatchObject({ status: "cancelled", reason: "machine_error" });
  const { exitCode, stdout, stderr } = await waiting.ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toMatch(/^longpour order: order \d+ \(latte\): cancelled \(machine_error\): no milk is left$/m);
});

test("show prints an order as it is, and cancel cancels it", async () => {
  const id = await shop.placed();
  const shown = await shop.run("show", id);
  expect(shown.exitCode).toBe(0);
  expect(shown.stdout).toMatch(/^order \d+ \(latte\): queued, position \d+/);
  expect(shown.stdout).toContain(`order_id   ${id}`);
  expect(await shop.order("show", id)).toMatchObject({ order_id: id, status: "queued" });
  expect((await shop.run("cancel", id)).stdout).toMatch(/^order \d+ \(latte\): cancelled \(customer\)\n$/);
  const again = await shop.run("cancel", "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59");
  expect(again).toMatchObject({ exitCode: 1, stdout: "" });
  expect(again.stderr).toStartWith("longpour cancel: No such order: ");
});

test("show --redis reads it from the store, as the server does", async () => {
  const id = await shop.placed();
  await shop.take(id);
  await shop.run("finish", id, "--result", '{"cups":2}');
  const fromStore = await shop.order("show", id, "--redis", (await sharedRedis()).url, "--shop", shop.name);
  expect(fromStore).toMatchObject({ status: "ready", result: { cups: 2 } });
  expect(fromStore).toEqual(await shop.order("show", id));
  const elsewhere = await shop.run("show", id, "--redis", (await sharedRedis()).url, "--shop", "elsewhere");
  expect(elsewhere).toMatchObject({ exitCode: 1, stdout: "" });
  expect(elsewhere.stderr).toStartWith(`longpour show: no order ${id} in shop elsewhere`);
});

test("a problem is one line: its title, its detail, and its fields", async () => {
  const { exitCode, stderr } = await shop.run("order", "tea");
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: "longpour order: Invalid input: item must be on the menu (GET /coffees): tea is not\n",
  });
});

test("a waiting order outlives a restart of the server", async () => {
  const ports = { CUSTOMER_PORT: String(freePort()), BARISTA_PORT: String(freePort()) };
  const environment = { ...ports, SHOP: `test-${crypto.randomUUID()}` };
  const first = await startServer(environment);
  const waiting = begin(["order", "latte", "--url", first.customers]);
  await untilSaid(waiting, "queued");
  await first.stop("SIGKILL");
  await untilSaid(waiting, "the connection was lost: asking again");
  const second = await startServer(environment);
  expect(
    await begin([
      "baristas",
      "--staff-url",
      second.baristas,
      "--orders",
      "1",
      "--brew-min-seconds",
      "0",
      "--brew-max-seconds",
      "0.01",
    ]).ended,
  ).toMatchObject({
    exitCode: 0,
  });
  const { exitCode, stdout } = await waiting.ended;
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^order 1 \(latte\): ready after/);
  await second.stop();
});

test("order and call send callback_url, and say why it is not taken", async () => {
  const url = ["--callback-url", "https://hooks.test/"];
  for (const command of [["order"], ["call", "thumbs", "1"]]) {
    const { exitCode, stderr } = await shop.run(...command, ...url, "--no-wait");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("callback_url is not taken here: the server has to allow it (CALLBACK_ALLOW)");
  }
});
