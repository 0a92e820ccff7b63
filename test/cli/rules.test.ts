/** Owns the tests of `longpour rules` and `longpour replay`. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { place } from "../support/http.ts";
import { readRule, untilOn, writeRules } from "../support/rules.ts";
import { startServer, stopServers } from "../support/server.ts";
import { until } from "../support/until.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";
import { begin } from "./program.ts";

setDefaultTimeout(60_000);
afterAll(stopServers);

test("rules lists them and their dead letters; replay delivers these again, and --resume goes on with an ended one", async () => {
  const secret = newSecret();
  let status = 500;
  const receiver = new WebhookReceiver({ secret, answer: () => new Response(null, { status }) });
  const target = { webhook: { url: receiver.url("/secret-path"), secret_env: "WEBHOOK_SECRET" } };
  const rule = { name: "placed", pattern: { type: ["order.placed"] }, target, retry_for_seconds: 1 };
  const server = await startServer({
    WEBHOOK_ALLOW: "127.0.0.1",
    WEBHOOK_SECRET: secret,
    RULES_FILE: writeRules(rule, { name: "to-log", pattern: {}, target: "log" }),
  });
  const run = (...argv: readonly string[]) => begin(argv, { LONGPOUR_STAFF_URL: server.baristas }).ended;
  await untilOn(server, "placed");
  const { order_id: orderId } = await place(server);
  await until(async () => (await readRule(server, "placed")).dead === 1, "it is dead", 30_000);
  const listed = await run("rules");
  expect(listed.stdout).toMatch(
    /^placed: http:\/\/127\.0\.0\.1:\d+: 0 to deliver; 1 dead\nto-log: log: \d+ to deliver; 0 dead\n$/,
  );
  const dead = await run("rules", "placed");
  expect(dead.stdout).toMatch(
    new RegExp(`^\\d+-\\d+  order\\.placed  ${orderId}  given up \\S+ after \\d+ tries: it answered 500\n$`),
  );
  const [event = ""] = dead.stdout.split(" ");
  expect((await run("replay", "placed", "1-1")).exitCode).toBe(1);
  expect((await run("replay", "nobody")).stderr).toStartWith("longpour replay: No such rule");
  status = 410;
  expect((await run("replay", "placed", event)).stdout).toBe("1 on their way again; 0 left\n");
  await until(async () => (await readRule(server, "placed")).state === "ended", "it has ended", 30_000);
  expect((await run("rules")).stdout).toContain(": ended; 1 being tried again; 0 dead; last failure: it answered 410");
  status = 204;
  const resumed = await run("rules", "placed", "--resume", "--json");
  expect(JSON.parse(resumed.stdout)).toMatchObject({ name: "placed", state: "on" });
  await until(async () => (await readRule(server, "placed")).lag === 0, "it is delivered", 30_000);
  expect(new Set(receiver.ids).size).toBe(1);
  expect((await run("rules", "placed")).stderr).toContain("none");
  expect((await run("replay", "placed", "--json")).stdout).toBe('{"replayed":0,"left":0}\n');
  expect((await run("rules", "--resume")).exitCode).toBe(2);
  await receiver.stop();
});

test("replay ends, also where all that it replays is dead again at once", async () => {
  let rounds = 0;
  const server = Bun.serve({
    port: 0,
    fetch: () => {
      rounds += 1;
      return Response.json({ replayed: 100, left: 150 });
    },
  });
  const { stdout } = await begin(["replay", "placed"], { LONGPOUR_STAFF_URL: server.url.origin }).ended;
  expect(stdout).toBe("300 on their way again; 150 left\n");
  expect(rounds).toBe(3);
  await server.stop(true);
});

test("rules says so where there are none", async () => {
  const server = await startServer();
  const { stdout, stderr } = await begin(["rules"], { LONGPOUR_STAFF_URL: server.baristas }).ended;
  expect(stdout).toBe("");
  expect(stderr).toContain("RULES_FILE");
});
