/** A Redis that is killed, stopped, or throws all out, under load and at rest: none who wait get to know of it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { BLOCK_SECONDS } from "../../src/longpoll/lane.ts";
import {
  ask,
  brew,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  start,
  applyVerb,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { expectDelivered, Staff } from "../support/staff.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(120_000);

const OUTAGE_MS = 5000;
/** Longer than any call may take while Redis is unavailable for longer than OUTAGE_SECONDS=2. */
const TIMEOUT_MS = 15_000;
/** A blocked read's bound, after which the truth is looked at again, and some time to look. */
const BLOCK_MS = (BLOCK_SECONDS + 5) * 1000;

/** A server on a Redis of its own. */
class Standalone implements AsyncDisposable {
  readonly redis: TestRedis;
  readonly server: Server;

  private constructor(redis: TestRedis, server: Server) {
    this.redis = redis;
    this.server = server;
  }

  static async open(environment: Record<string, string> = {}): Promise<Standalone> {
    const redis = await TestRedis.start();
    const limits = {
      REQUESTS_PER_SECOND: "1000000",
      LIMIT_CAPACITY: "1000000",
      MAX_HELD_PER_ADDRESS: "10000",
      HEARTBEAT_SECONDS: "60",
    };
    return new Standalone(redis, await startServer({ ...limits, ...environment, REDIS_URL: redis.url }));
  }

  logged(message: string): readonly Record<string, unknown>[] {
    return this.server.log().filter(({ msg }) => String(msg).startsWith(message));
  }

  async readiness(): Promise<number> {
    return (await ask(`${this.server.baristas}/readyz`)).status;
  }

  async search(query: string): Promise<WireOrder[]> {
    const { body } = await ask(`${this.server.baristas}/order/?limit=200&${query}`);
    return (body as { orders: WireOrder[] }).orders;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop("SIGKILL");
    await this.redis.stop();
  }
}

/** Customers who order again as soon as they have their coffee, until the shop closes. */
class HttpClients {
  readonly got: WireOrder[] = [];
  readonly #customers: Promise<void>[];
  readonly #visits: number[];
  #isClosing = false;

  constructor(server: Server, count: number) {
    this.#visits = Array.from({ length: count }, () => 0);
    this.#customers = this.#visits.map((_, index) => this.#frequent(server, index));
  }

  /** Resolves once each of them got so many more coffees; rejects with what went wrong for any. */
  async enjoy(coffees: number): Promise<void> {
    const wanted = this.#visits.map((visits) => visits + coffees);
    const all = () => wanted.every((visits, index) => (this.#visits[index] ?? 0) >= visits);
    await this.#unlessWrong(until(all, `each gets ${coffees} more`, 60_000));
  }

  /** As long as `meanwhile` takes; rejects with what went wrong for any. */
  async during(meanwhile: Promise<unknown>): Promise<void> {
    await this.#unlessWrong(meanwhile);
  }

  /** Lets all have the coffee they ordered. */
  async goHome(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#customers);
  }

  async #unlessWrong(meanwhile: Promise<unknown>): Promise<void> {
    await Promise.race([meanwhile, Promise.all(this.#customers)]);
  }

  async #frequent(server: Server, index: number): Promise<void> {
    while (!this.#isClosing) {
      const note = `guest ${index}, visit ${this.#visits[index]}`;
      this.got.push(expectOrder(await order(server, { note }), { note, status: "ready" }));
      this.#visits[index] = (this.#visits[index] ?? 0) + 1;
    }
  }
}

async function expectEmpty({ server }: Standalone): Promise<void> {
  await untilHeld(server, 0);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
}

function expectUnavailable(answer: Answer): void {
  expect(expectProblem(answer, 503).type).toBe("urn:longpour:problem:redis_away");
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
}

test("Redis killed and started again under load: no customer notices, and each order is made once", async () => {
  await using standalone = await Standalone.open();
  const { server, redis } = standalone;
  // Who came before, and waits for an order that is made last.
  const early = await place(server, { note: "early" });
  const held = ask(`${server.customers}/order/${early.order_id}?wait`);
  await start(server, "barista=Grace");
  await untilHeld(server, 1);

  const clients = new HttpClients(server, 60);
  const staff = new Staff(server, { baristas: 10, brewMs: 5 });
  await clients.enjoy(3);
  await redis.kill();
  await clients.during(until(() => standalone.logged("Redis is away").length > 0, "the outage is logged"));
  // The length of the outage, with all still there.
  await clients.during(Bun.sleep(OUTAGE_MS));
  await redis.resume();
  await clients.enjoy(3);
  await clients.goHome();
  await staff.goHome();
  expectDelivered(clients.got, staff);

  expectOrder(await applyVerb(server, "finish", early.order_id, "barista=Grace"), { status: "ready" });
  expectOrder(await held, { order_id: early.order_id, note: "early", status: "ready" });
  await expectEmpty(standalone);
  expect(standalone.logged("Redis is away")).toHaveLength(1);
  const [back, ...more] = standalone.logged("Redis is back");
  expect(more).toEqual([]);
  expect(back?.outage_seconds).toBeGreaterThanOrEqual(OUTAGE_MS / 1000 - 1);
});

test("customers and baristas who wait while Redis is killed and back get theirs without asking again", async () => {
  await using standalone = await Standalone.open();
  const { server, redis } = standalone;
  const waiting = Array.from({ length: 5 }, (_, index) => order(server, { note: `held ${index}` }));
  await untilHeld(server, 5);
  for (let made = 0; made < 5; made += 1) await start(server, "barista=Grace");
  const barista = start(server, "wait=60&barista=Ada");
  await lookAtQueue(server);
  await redis.kill();
  await until(() => standalone.logged("Redis is away").length > 0, "the outage is logged");
  await redis.resume();
  await until(async () => (await standalone.readiness()) === 200, "Redis is back");
  for (const { order_id } of await standalone.search("status=brewing")) {
    expectOrder(await applyVerb(server, "finish", order_id, "barista=Grace"), { status: "ready" });
  }
  const answers = await Promise.all(waiting);
  for (const [index, answer] of answers.entries()) expectOrder(answer, { note: `held ${index}`, status: "ready" });
  const { order_id } = await place(server);
  expect(await barista).toMatchObject({ order_id, barista: "Ada" });
});

test("Redis unavailable for longer than the bound: new orders are refused and forgotten, held ones wait on", async () => {
  await using standalone = await Standalone.open({ OUTAGE_SECONDS: "2" });
  const { server, redis } = standalone;
  const waiting = Array.from({ length: 5 }, (_, index) => order(server, { note: `held ${index}` }));
  await untilHeld(server, 5);
  await redis.kill();
  for (let wave = 0; wave < 2; wave += 1) {
    const refused = Array.from({ length: 10 }, () => order(server, { note: "refused" }));
    for (const answer of await soon(Promise.all(refused), "new orders", TIMEOUT_MS)) expectUnavailable(answer);
  }
  const unready = await ask(`${server.customers}/readyz`);
  expectProblem(unready, 503);
  expect(unready.headers["retry-after"]).toBe("5");
  expect((await ask(`${server.customers}/livez`)).status).toBe(200);

  await redis.resume();
  await until(async () => (await standalone.readiness()) === 200, "Redis is back");
  expect(await lookAtQueue(server)).toMatchObject({ depth: 5, brewing: 0, held: 5 });
  for (let made = 0; made < 5; made += 1) await brew(server);
  const answers = await Promise.all(waiting);
  for (const [index, answer] of answers.entries()) expectOrder(answer, { note: `held ${index}`, status: "ready" });
  expectProblem(await ask(`${server.baristas}/start/`), 404);
  expect(await standalone.search("")).toHaveLength(5);
  expect(standalone.logged("Redis is away")).toHaveLength(1);
  expect(standalone.logged("Redis is back")).toHaveLength(1);
});

test("new orders are refused with 503 also where signs of life come sooner, as they do by default", async () => {
  await using standalone = await Standalone.open({ HEARTBEAT_SECONDS: "1", OUTAGE_SECONDS: "2" });
  await standalone.redis.kill();
  expectUnavailable(await soon(order(standalone.server, { note: "refused" }), "a new order", TIMEOUT_MS));
});

test("a server that is stopped while Redis hangs sends its customers on, and ends with 0", async () => {
  await using standalone = await Standalone.open({ OUTAGE_SECONDS: "2" });
  const { server, redis } = standalone;
  const waiting = [order(server), order(server)];
  await untilHeld(server, 2);
  process.kill(redis.pid, "SIGSTOP");
  expect(await soon(server.stop(), "the server's end", TIMEOUT_MS)).toBe(0);
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([303, 303]);
});

test("a Redis that hangs is unavailable as well: every call is answered, and afterwards all is as it was", async () => {
  await using standalone = await Standalone.open({ OUTAGE_SECONDS: "2" });
  const { server, redis } = standalone;
  const waiting = Array.from({ length: 5 }, (_, index) => order(server, { note: `held ${index}` }));
  await untilHeld(server, 5);
  const brewing = await start(server, "barista=Grace");
  const queued = await place(server, { note: "to be looked at" });

  process.kill(redis.pid, "SIGSTOP");
  // In the first wave Redis has just gone silent; in the second the connection has been given up; and so on.
  for (let wave = 0; wave < 4; wave += 1) {
    const calls = {
      place: order(server, { note: "refused" }),
      "place and not wait": order(server, { note: "refused" }, { headers: { Prefer: "respond-async" } }),
      find: ask(`${server.customers}/order/${queued.order_id}`),
      cancel: ask(`${server.customers}/order/${crypto.randomUUID()}`, {
        method: "PATCH",
        json: { status: "cancelled" },
      }),
      start: ask(`${server.baristas}/start/?wait=1&barista=Ada`),
      finish: applyVerb(server, "finish", brewing.order_id, "barista=Grace"),
      extend: applyVerb(server, "extend", brewing.order_id, "barista=Grace"),
      search: ask(`${server.baristas}/order/`),
      queue: ask(`${server.baristas}/queue`),
    };
    const ready = soon(ask(`${server.customers}/readyz`), "readyz", TIMEOUT_MS);
    const live = soon(ask(`${server.customers}/livez`), "livez", TIMEOUT_MS);
    expectProblem(await ready, 503);
    expect((await live).status).toBe(200);
    for (const [name, call] of Object.entries(calls))
      expectUnavailable(await soon(call, `${name}, wave ${wave}`, TIMEOUT_MS));
  }
  process.kill(redis.pid, "SIGCONT");

  await until(async () => (await standalone.readiness()) === 200, "Redis is back");
  // What was under way when it hung may have been placed or started once it went on; that is taken back.
  const mine = waiting.length + 1;
  await until(async () => {
    const { depth, brewing: atWork } = await lookAtQueue(server);
    return depth + atWork <= mine && atWork <= 1;
  }, "nothing is left of what was refused");
  for (const refused of (await standalone.search("")).filter(({ note }) => note === "refused")) {
    expect(refused).toMatchObject({ status: "cancelled", reason: "customer_timeout", attempts: 0 });
  }
  expectOrder(await applyVerb(server, "finish", brewing.order_id, "barista=Grace"), { status: "ready" });
  const made = [brewing.order_id];
  while (made.length < mine) made.push((await brew(server)).order_id);
  expect(new Set(made).size).toBe(mine);
  const answers = await Promise.all(waiting);
  for (const [index, answer] of answers.entries()) expectOrder(answer, { note: `held ${index}`, status: "ready" });
  expectProblem(await ask(`${server.baristas}/start/`), 404);
  const fresh = order(server, { note: "afterwards" });
  await brew(server);
  expectOrder(await fresh, { note: "afterwards", status: "ready" });
  await expectEmpty(standalone);
});

test("a Redis that hangs for less than the bound, under load: no customer notices", async () => {
  await using standalone = await Standalone.open();
  const { server, redis } = standalone;
  const clients = new HttpClients(server, 60);
  const staff = new Staff(server, { baristas: 10, brewMs: 5 });
  await clients.enjoy(3);
  process.kill(redis.pid, "SIGSTOP");
  await clients.during(Bun.sleep(OUTAGE_MS));
  process.kill(redis.pid, "SIGCONT");
  await clients.enjoy(3);
  await clients.goHome();
  await staff.goHome();
  expectDelivered(clients.got, staff);
  await expectEmpty(standalone);
});

test("every connection killed ten times a second under load: nothing is lost, and all are answered", async () => {
  await using standalone = await Standalone.open();
  const { server, redis } = standalone;
  const late = await place(server, { note: "late" });
  const held = ask(`${server.customers}/order/${late.order_id}?wait`);
  await start(server, "barista=Grace");
  await untilHeld(server, 1);
  const clients = new HttpClients(server, 60);
  const staff = new Staff(server, { baristas: 10, brewMs: 5 });
  await clients.enjoy(1);

  const client = redis.connect();
  for (let kills = 0; kills < 100; kills += 1) {
    await client.call("CLIENT", "KILL", "TYPE", "normal");
    await clients.during(Bun.sleep(100));
  }
  client.disconnect();
  await soon(clients.goHome(), "who was held when the last were killed", BLOCK_MS);
  await staff.goHome();
  expectDelivered(clients.got, staff);
  expectOrder(await applyVerb(server, "finish", late.order_id, "barista=Grace"), { status: "ready" });
  expectOrder(await held, { order_id: late.order_id, status: "ready" });
  await expectEmpty(standalone);
  // They were killed, and came back, again and again.
  expect(standalone.logged("Redis is back").length).toBeGreaterThan(10);
});
