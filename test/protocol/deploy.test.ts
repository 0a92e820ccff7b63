/**
 * Two replicas behind nginx, configured as compose.yaml ships it, that are stopped and started again, or killed, under
 * load.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createFetch } from "../../src/cli/fetch.ts";
import { createClient, type Retry } from "../../src/client/index.ts";
import {
  ask,
  brew,
  expectOrder,
  lookAtQueue,
  order,
  place,
  readWireOrder,
  type Ports,
  type WireOrder,
} from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type Server } from "../support/server.ts";
import { expectDelivered, Staff } from "../support/staff.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const GUESTS = 300;

/**
 * Bun's own runs 256 requests at once. This one bounds nothing; like any other, it follows redirects and tries nothing
 * again.
 */
const patientFetch = createFetch();

/** A server that comes back on the ports it had. */
class Replica {
  readonly #environment: Record<string, string>;
  server: Server;

  private constructor(server: Server, environment: Record<string, string>) {
    this.server = server;
    const ports = { CUSTOMER_PORT: new URL(server.customers).port, BARISTA_PORT: new URL(server.baristas).port };
    this.#environment = { ...environment, ...ports };
  }

  static async start(environment: Record<string, string>): Promise<Replica> {
    return new Replica(await startServer(environment), environment);
  }

  async start(): Promise<void> {
    this.server = await startServer(this.#environment);
  }

  /** As a supervisor does at a deploy. */
  async restart(): Promise<void> {
    expect(await this.server.stop()).toBe(0);
    await this.start();
  }
}

class Street implements AsyncDisposable {
  readonly nginx: TestNginx;
  readonly replicas: readonly [Replica, Replica];

  private constructor(nginx: TestNginx, replicas: readonly [Replica, Replica]) {
    this.nginx = nginx;
    this.replicas = replicas;
  }

  static async open(own: Record<string, string>): Promise<Street> {
    const environment = {
      SHOP: `deploy-${crypto.randomUUID()}`,
      TRUSTED_PROXIES: "127.0.0.1",
      LIMIT_CAPACITY: "100000",
      MAX_HELD_PER_ADDRESS: "10000",
      HEARTBEAT_SECONDS: "60",
      ...own,
    };
    const replicas = [await Replica.start(environment), await Replica.start(environment)] as const;
    return new Street(await TestNginx.start(replicas.map(({ server }) => server)), replicas);
  }

  /** How many customers each replica holds. */
  async held(): Promise<number[]> {
    const views = await Promise.all(this.replicas.map(({ server }) => lookAtQueue(server)));
    return views.map(({ held }) => held);
  }

  async untilHeld(count: number): Promise<void> {
    const all = async () => (await this.held()).reduce((sum, held) => sum + held, 0);
    await until(async () => (await all()) === count, `${count} customers are held`, 30_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nginx[Symbol.asyncDispose]();
    await Promise.all(this.replicas.map(({ server }) => server.stop("SIGKILL")));
  }
}

/** Orders as a plain client does: one request, redirects followed, nothing tried again. */
async function orderPlainly(
  { customers }: Pick<Ports, "customers">,
  note: string,
  send: (url: string, init: RequestInit) => Promise<Response> = patientFetch,
): Promise<WireOrder> {
  const headers = { "Content-Type": "application/json" };
  const response = await send(`${customers}/order/`, { method: "POST", headers, body: JSON.stringify({ note }) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${note} was answered ${response.status}: ${text}`);
  const got = readWireOrder(JSON.parse(text));
  expect(got.note).toBe(note);
  return got;
}

const guests = (count: number) => Array.from({ length: count }, (_, index) => `guest ${index}`);

/** Resolves once no order waits or is brewing, and no customer is held. */
async function expectEmpty(street: Street): Promise<void> {
  await street.untilHeld(0);
  expect(await lookAtQueue(street.nginx)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
}

test("each of 300 held customers gets their own coffee, though each replica is restarted in turn", async () => {
  await using street = await Street.open({});
  const waiting = guests(GUESTS).map((note, index) =>
    // Most are Bun's own fetch, as many as it runs at once with some to spare.
    orderPlainly(
      street.nginx,
      note,
      index < 200 ? (url, init) => fetch(url, { ...init, keepalive: false }) : patientFetch,
    ),
  );
  await street.untilHeld(GUESTS);
  expect(Math.min(...(await street.held()))).toBeGreaterThan(0);

  const staff = new Staff(street.nginx, { baristas: 8, brewMs: 20, mayMake: 0 });
  for (const replica of street.replicas) {
    // Most are still there when it is stopped, and while it stops, orders are finished.
    staff.mayMake += GUESTS / 4;
    const held = (await street.held())[street.replicas.indexOf(replica)];
    expect(held).toBeGreaterThan(0);
    await replica.restart();
  }
  staff.mayMake = Infinity;
  const got = await Promise.all(waiting);
  await staff.goHome();
  expectDelivered(got, staff);
  await expectEmpty(street);
});

test("behind nginx no customer sees the redirect: each gets one 200, though each replica is restarted twice", async () => {
  await using street = await Street.open({});
  const notes = guests(100);
  // Nothing here follows a redirect.
  const ordering = notes.map((note) => order(street.nginx, { note }));
  const placed = await Promise.all(notes.map((note) => place(street.nginx, { note: `${note}, back` })));
  const backAgain = placed.map(({ order_id }) => ask(`${street.nginx.customers}/order/${order_id}?wait=600`));
  const waiting = [...ordering, ...backAgain];
  await street.untilHeld(waiting.length);
  for (const replica of [...street.replicas, ...street.replicas]) {
    expect((await street.held())[street.replicas.indexOf(replica)]).toBeGreaterThan(0);
    await replica.restart();
    await street.untilHeld(waiting.length);
  }
  const staff = new Staff(street.nginx, { baristas: 8 });
  const got = (await Promise.all(waiting)).map((answer) => expectOrder(answer, { status: "ready" }));
  await staff.goHome();
  expect(got.map(({ note }) => note)).toEqual([...notes, ...notes.map((note) => `${note}, back`)]);
  expectDelivered(got, staff);
  await expectEmpty(street);
});

test("behind nginx with no other replica left, customers get the redirect, and can follow it once a replica is back", async () => {
  await using street = await Street.open({});
  const [first, second] = street.replicas;
  await second.server.stop();
  const waiting = order(street.nginx, { note: "alone" });
  await until(async () => (await lookAtQueue(first.server)).held === 1, "the customer is held");
  await first.server.stop();
  const { status, headers } = await waiting;
  expect(status).toBe(303);
  expect(headers.location).toMatch(/^\/order\/[0-9a-f-]{36}\?wait$/);
  await first.start();
  const back = ask(street.nginx.customers + String(headers.location));
  await brew(street.nginx, "wait=10");
  expectOrder(await back, { note: "alone", status: "ready" });
});

test("who orders while the replicas are restarted gets their coffee too", async () => {
  await using street = await Street.open({});
  const got: WireOrder[] = [];
  let isClosing = false;
  const regulars = guests(20).map(async (name) => {
    for (let visit = 0; !isClosing; visit += 1) got.push(await orderPlainly(street.nginx, `${name}, visit ${visit}`));
  });
  const staff = new Staff(street.nginx, { baristas: 8, brewMs: 5 });
  const failed = Promise.all(regulars);
  for (let round = 0; round < 3; round += 1) {
    for (const replica of street.replicas) {
      await Promise.race([failed, replica.restart()]);
      const served = got.length;
      await Promise.race([failed, until(() => got.length >= served + 20, "customers are served after the restart")]);
    }
  }
  isClosing = true;
  await failed;
  await staff.goHome();
  expectDelivered(got, staff);
  await expectEmpty(street);
});

test("customers whose answers have begun get them from the replica that stops", async () => {
  await using street = await Street.open({ HEARTBEAT_SECONDS: "1", DRAIN_SECONDS: "60" });
  const begun = guests(100).map((note) => begin(street.nginx, note));
  await Promise.all(begun.map(({ hasBegun }) => hasBegun));
  expect(Math.min(...(await street.held()))).toBeGreaterThan(0);
  const staff = new Staff(street.nginx, { baristas: 8, brewMs: 20 });
  for (const replica of street.replicas) await replica.restart();
  const got = await Promise.all(begun.map((one) => one.order));
  await staff.goHome();
  expectDelivered(got, staff);
  await expectEmpty(street);
});

test("customers whose answers the replica can't finish in time come back by the client, and get their own coffee", async () => {
  await using street = await Street.open({ HEARTBEAT_SECONDS: "1", DRAIN_SECONDS: "1" });
  let begun = 0;
  const noticing = async (url: string, init: RequestInit): Promise<Response> => {
    const response = await patientFetch(url, init);
    // No order is made, so it is no more than the beginning of an answer.
    if (response.ok) begun += 1;
    return response;
  };
  const retries: Retry["reason"][] = [];
  const client = createClient({
    url: street.nginx.customers,
    fetch: noticing,
    onRetry: ({ reason }) => retries.push(reason),
  });
  const notes = guests(100);
  const waiting = notes.map((note) => client.order({ note }));
  await until(() => begun === notes.length, "all answers have begun");
  for (const replica of street.replicas) await replica.restart();
  // No customer has their order yet: all of them were cut off once at least.
  expect(retries.length).toBeGreaterThanOrEqual(notes.length);
  const staff = new Staff(street.nginx, { baristas: 8 });
  const got = await Promise.all(waiting);
  await staff.goHome();
  expect(got.map(({ note }) => note)).toEqual(notes);
  expectDelivered(got.map(readWireOrder), staff);
  await expectEmpty(street);
});

test("kill -9 of a replica under load: nginx sends its customers on to the other, to the orders they have", async () => {
  await using street = await Street.open({});
  const waiting = guests(200).map((note) => orderPlainly(street.nginx, note));
  await street.untilHeld(waiting.length);
  const [killed, other] = street.replicas;
  expect((await street.held())[0]).toBeGreaterThan(50);
  const staff = new Staff(street.nginx, { baristas: 8, brewMs: 10, mayMake: 100 });
  await until(() => staff.finished.length > 20, "some orders are finished");
  await killed.server.stop("SIGKILL");
  await until(() => staff.finished.length >= 100, "orders are finished at the other");
  const left = waiting.length - staff.mayMake;
  await until(async () => (await lookAtQueue(other.server)).held === left, "all who wait are at the other");
  await killed.start();
  staff.mayMake = Infinity;
  const got = await Promise.all(waiting);
  await staff.goHome();
  expectDelivered(got, staff);
  await expectEmpty(street);
});

/** Orders, and notes when the answer has begun. */
function begin(ports: Pick<Ports, "customers">, note: string): { hasBegun: Promise<void>; order: Promise<WireOrder> } {
  const begun = Promise.withResolvers<void>();
  const ordered = orderPlainly(ports, note, async (url, init) => {
    const response = await patientFetch(url, init);
    begun.resolve();
    return response;
  });
  return { hasBegun: begun.promise, order: ordered };
}
