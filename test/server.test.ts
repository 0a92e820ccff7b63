/** Owns the tests of server.ts: servers that code embeds, several in one process. */
import { expect, test } from "bun:test";
import { readConfig } from "../src/config.ts";
import { StartError } from "../src/lifecycle.ts";
import { createServer, type RunningServer } from "../src/server.ts";
import { sharedRedis, silent } from "./support/redis.ts";

async function embed(own: Record<string, string> = {}): Promise<RunningServer> {
  const REDIS_URL = (await sharedRedis()).url;
  const config = readConfig({ REDIS_URL, CUSTOMER_PORT: "0", BARISTA_PORT: "0", DRAIN_SECONDS: "1", ...own });
  return await createServer(config, { log: silent });
}

test("two servers in one process serve one shop: a customer of one is answered what was made at the other", async () => {
  const SHOP = `test-${crypto.randomUUID()}`;
  const [one, other] = [await embed({ SHOP }), await embed({ SHOP })];
  const answered = fetch(`${one.customers}/order/`, { method: "POST" });
  const started = await fetch(`${other.baristas}/start/?wait=10`);
  const { order_id: id } = (await started.json()) as { order_id: string };
  expect((await fetch(`${other.baristas}/finish/?order_id=${id}`, { method: "POST" })).status).toBe(200);
  const answer = await answered;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ order_id: id, status: "ready" });
  expect(await Promise.all([one.stop(), other.stop()])).toEqual([[], []]);
});

test("a stopped server listens no more, and may be stopped again", async () => {
  const server = await embed();
  expect((await fetch(`${server.customers}/livez`)).status).toBe(200);
  const stopped = server.stop();
  expect(await server.stop()).toEqual([]);
  expect(await stopped).toEqual([]);
  expect(
    await fetch(`${server.customers}/livez`).then(
      () => "answered",
      () => "refused",
    ),
  ).toBe("refused");
  expect(
    await fetch(`${server.baristas}/livez`).then(
      () => "answered",
      () => "refused",
    ),
  ).toBe("refused");
});

test("a server that can't start throws one line, and has closed what it had opened", async () => {
  const first = await embed();
  const { port } = new URL(first.baristas);
  const refused: unknown = await embed({ BARISTA_PORT: port }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StartError);
  expect(String(refused)).toContain("BARISTA_PORT");
  await first.stop();
  const second = await embed({ BARISTA_PORT: port });
  expect(await second.stop()).toEqual([]);
});
