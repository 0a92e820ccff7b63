/** Servers that are killed while they count: what they counted equals a recount. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Figures } from "../../src/stats/tally.ts";
import { pause } from "../../src/pause.ts";
import { applyVerb, ask, expectStatus, order, type Answer, type WireOrder } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { startServer, stopServers, type Server } from "../support/server.ts";
import { expectFigures, readAll, recount } from "./recount.ts";

setDefaultTimeout(180_000);

const ORDERS = 1000;
const PEOPLE = 12;
const BARISTAS = ["Ada", "Grace", "Linus"];

afterAll(stopServers);

const ASYNC = { headers: { Prefer: "respond-async" } };

/** Asks one server, and where a kill cuts that off, the other one; undefined where it cuts off both. */
async function atEither(servers: readonly Server[], first: number, send: (to: Server) => Promise<Answer>) {
  for (const at of [first, first + 1]) {
    const answer = await send(servers[at % servers.length] as Server).catch(() => undefined);
    if (answer) return answer;
  }
  return undefined;
}

test("two replicas, each killed in the middle of 1,000 orders", async () => {
  const shop = `test-${crypto.randomUUID()}`;
  const environment = { SHOP: shop, LIMIT_CAPACITY: "100000", REQUESTS_PER_SECOND: "100000" };
  const servers = [await startServer(environment), await startServer(environment)];
  let begun = 0;
  let isOver = false;

  /** Orders, has the oldest made or cancels it, at whichever server. */
  const live = async (person: number): Promise<void> => {
    const barista = BARISTAS[person % BARISTAS.length] ?? "";
    while (begun < ORDERS) {
      begun += 1;
      const n = begun;
      await atEither(servers, n, (to) => order(to, { item: n % 3 ? "latte" : "espresso" }, ASYNC));
      const started = await atEither(servers, n, (to) => ask(`${to.baristas}/start/?barista=${barista}`));
      if (started?.status !== 200) continue;
      const { order_id: id } = started.body as WireOrder;
      const verb = n % 10 === 0 ? "cancel" : "finish";
      await atEither(servers, n + 1, (to) => applyVerb(to, verb, id, `barista=${barista}`));
    }
  };
  /** So that a kill meets a server that counts. */
  const look = async (at: number): Promise<void> => {
    while (!isOver) await ask(`${servers[at]?.baristas}/stats`).catch(() => pause(1));
  };
  const killAt = async (count: number, at: number): Promise<void> => {
    await until(() => begun >= count, `${count} orders are begun`, 60_000);
    await servers[at]?.stop("SIGKILL");
    servers[at] = await startServer(environment);
  };

  const looking = [look(0), look(1)];
  await Promise.all([...Array.from({ length: PEOPLE }, (_, person) => live(person)), killAt(300, 0), killAt(600, 1)]);
  isOver = true;
  await Promise.all(looking);

  const client = (await sharedRedis()).connect();
  const exact = recount(await readAll(client, `{${shop}}:`));
  client.disconnect();
  expect(exact.completed).toBeGreaterThan(ORDERS / 2);
  expect(exact.cancelled.barista).toBeGreaterThan(0);
  for (const server of servers) {
    const answer = await ask(`${server.baristas}/stats?from=${new Date(Date.now() - 3_600_000).toISOString()}`);
    expectStatus(answer, 200);
    expectFigures((answer.body as { total: Figures }).total, exact);
  }
});
