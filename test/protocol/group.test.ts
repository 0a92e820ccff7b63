/** Many at once: a group of 200 from one address, the clients that were there before, and the caps on who may wait. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import {
  ask,
  brew,
  expectOrder,
  expectProblem,
  lookAtQueue,
  order,
  place,
  applyVerb,
  untilHeld,
  type Answer,
  type WireOrder,
} from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(120_000);

/** Works until the queue stayed empty for two seconds; resolves to what it finished. */
async function work(server: Server, barista: string): Promise<WireOrder[]> {
  const finished: WireOrder[] = [];
  for (;;) {
    const answer = await ask(`${server.baristas}/start/?wait=2&barista=${barista}`);
    if (answer.status === 404) return finished;
    const { order_id } = expectOrder(answer, { status: "brewing", barista, attempts: 1 });
    finished.push(
      expectOrder(await applyVerb(server, "finish", order_id, `barista=${barista}`), { status: "ready", barista }),
    );
  }
}

test("200 customers at once from one address and 10 baristas: each gets one 200, in the order placed", async () => {
  const server = await startServer();
  const waiting = Array.from({ length: 200 }, (_, index) => order(server, { customer_name: `guest ${index}` }));
  await untilHeld(server, 200);
  const shifts = Array.from({ length: 10 }, (_, index) => work(server, `barista-${index}`));
  const answers = await Promise.all(waiting);
  const got = answers.map((answer, index) => expectOrder(answer, { status: "ready", customer_name: `guest ${index}` }));
  const finished = (await Promise.all(shifts)).flat();

  const ids = new Set(got.map(({ order_id }) => order_id));
  expect(ids.size).toBe(200);
  expect(finished.map(({ order_id }) => order_id).toSorted()).toEqual([...ids].toSorted());
  const byNumber = got.toSorted((one, other) => one.number - other.number);
  expect(byNumber.map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  const starts = byNumber.map(({ started_at = "" }) => started_at);
  expect(starts).toEqual(starts.toSorted());
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0, held: 0 });
  await server.stop();
});

test("the clients that were there before need no change", async () => {
  const server = await startServer();

  /** POST /order, without a slash, a body, or a length. */
  const oldCustomer = (): Promise<{ status: number; answer: WireOrder }> =>
    new Promise((resolve, reject) => {
      const sent = request(`${server.customers}/order`, { method: "POST" }, (response) => {
        text(response).then(
          (got) => resolve({ status: response.statusCode ?? 0, answer: JSON.parse(got) as WireOrder }),
          reject,
        );
      });
      sent.on("error", reject);
      sent.end();
    });

  /** Loops over GET /start/, sleeps a second on 404 only, and finishes what it got. */
  const oldBarista = async (orders: number): Promise<string[]> => {
    const made: string[] = [];
    while (made.length < orders) {
      const response = await fetch(`${server.baristas}/start/`);
      if (response.status === 404) {
        await Bun.sleep(1000);
        continue;
      }
      expect(response.status).toBe(200);
      const { order_id } = (await response.json()) as { order_id: string };
      const finish = await fetch(`${server.baristas}/finish/?order_id=${order_id}`, { method: "POST" });
      expect(finish.status).toBe(200);
      made.push(order_id);
    }
    return made;
  };

  const shift = oldBarista(5);
  const got = await Promise.all(Array.from({ length: 5 }, oldCustomer));
  expect(got.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect(got.map(({ answer }) => answer.order_id).toSorted()).toEqual((await shift).toSorted());
  await server.stop();
});

describe("caps on who may wait", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ MAX_HELD: "3", MAX_HELD_PER_ADDRESS: "2" });
  });

  test("an address that has its share waiting is refused more, others are not, until the room is full", async () => {
    const from = (localAddress: string) => order(server, {}, { localAddress });
    const waiting = [from("127.0.0.2"), from("127.0.0.2")];
    await untilHeld(server, 2);
    const refused = await from("127.0.0.2");
    expectProblem(refused, 429);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);

    waiting.push(from("127.0.0.3"));
    await untilHeld(server, 3);
    const full = await from("127.0.0.4");
    expectProblem(full, 503);
    expect(Number(full.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(await lookAtQueue(server)).toMatchObject({ depth: 3, brewing: 0, held: 3 });

    // Who left makes room.
    await brew(server);
    await Promise.race(waiting);
    await untilHeld(server, 2);
    waiting.push(from("127.0.0.4"));
    await untilHeld(server, 3);
    for (let made = 0; made < 3; made += 1) await brew(server);
    for (const answer of await Promise.all(waiting)) expectOrder(answer, { status: "ready" });
    await untilHeld(server, 0);
  });

  test("who is given signs of life waits still, and counts", async () => {
    const lively = await startServer({ MAX_HELD_PER_ADDRESS: "1", HEARTBEAT_SECONDS: "1" });
    const began = Promise.withResolvers<void>();
    const waiting = fetch(`${lively.customers}/order/`, { method: "POST" }).then((response) => {
      began.resolve();
      return response.json();
    });
    await began.promise;
    expectProblem(await order(lively), 429);
    await brew(lively);
    expect(await waiting).toMatchObject({ status: "ready" });
    const next = order(lively);
    await untilHeld(lively, 1);
    await brew(lively);
    expectOrder(await next, { status: "ready" });
    await lively.stop();
  });

  test("who only looks is not held, and who waits by GET counts as well", async () => {
    const waiting = [order(server), order(server)];
    await untilHeld(server, 2);
    const page = await ask(`${server.baristas}/order/?status=queued`);
    const [{ order_id } = { order_id: "" }] = (page.body as { orders: WireOrder[] }).orders;
    expectOrder(await ask(`${server.customers}/order/${order_id}`), { status: "queued" });
    expectProblem(await ask(`${server.customers}/order/${order_id}?wait`), 429);
    const elsewhere = ask(`${server.customers}/order/${order_id}?wait`, { localAddress: "127.0.0.9" });
    await untilHeld(server, 3);
    expectProblem(await ask(`${server.customers}/order/${order_id}?wait`, { localAddress: "127.0.0.10" }), 503);
    await brew(server);
    await brew(server);
    for (const answer of await Promise.all([...waiting, elsewhere])) expectOrder(answer, { status: "ready" });
  });

  test("with the room full, who is not held orders all the same, and who only looks is answered", async () => {
    const waiting = [2, 3, 4].map((end) => order(server, {}, { localAddress: `127.0.0.${end}` }));
    await untilHeld(server, 3);
    expectProblem(await order(server, {}, { localAddress: "127.0.0.9" }), 503);
    for (const prefer of ["respond-async", "wait=0"]) {
      const { order_id } = await place(server, {}, { localAddress: "127.0.0.9", headers: { Prefer: prefer } });
      expectOrder(await ask(`${server.customers}/order/${order_id}?wait=0`), { status: "queued" });
    }
    for (let made = 0; made < 5; made += 1) await brew(server);
    for (const answer of await Promise.all(waiting)) expectOrder(answer, { status: "ready" });
  });
});

describe("a room of 200", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ MAX_HELD: "200" });
  });

  const waitFor = (orderId: string, localAddress: string, signal: AbortSignal): Promise<Answer> =>
    ask(`${server.customers}/order/${orderId}?wait`, { localAddress, signal });

  /** So many, all of whom hang up when `signal` aborts. */
  const comeTo = (count: number, orderId: string, address: string, signal: AbortSignal): Promise<Answer | Error>[] =>
    Array.from({ length: count }, () => waitFor(orderId, address, signal).catch((error: Error) => error));

  test("holds 100 on one order, from whatever address: the next learns which, and may look", async () => {
    const { order_id } = await place(server);
    const other = await place(server);
    const hangUp = new AbortController();
    const waiting = [2, 3, 4, 5].flatMap((end) => comeTo(25, order_id, `127.0.0.${end}`, hangUp.signal));
    await untilHeld(server, 100);
    const refused = await ask(`${server.customers}/order/${order_id}?wait=5`, { localAddress: "127.0.0.9" });
    expect(expectProblem(refused, 429)).toMatchObject({ type: "urn:longpour:problem:too_many_held" });
    expect(refused.text).toContain("this order");
    expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expectOrder(await ask(`${server.customers}/order/${order_id}`), { status: "queued" });

    // Others are held on theirs, and who leaves makes room.
    const elsewhere = waitFor(other.order_id, "127.0.0.2", hangUp.signal);
    await untilHeld(server, 101);
    hangUp.abort();
    await Promise.all(waiting);
    await elsewhere.catch(() => {});
    await untilHeld(server, 0);
    const back = ask(`${server.customers}/order/${order_id}?wait`);
    await untilHeld(server, 1);
    await brew(server);
    await brew(server);
    expectOrder(await back, { order_id, status: "ready" });
  });

  test("counts who joins an order by its key as well", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const late = { headers: { ...headers, Prefer: "wait=5" }, localAddress: "127.0.200.2" };
    const waiting = Array.from({ length: 100 }, (_, index) =>
      order(server, {}, { headers, localAddress: `127.0.${index}.2` }),
    );
    await untilHeld(server, 100);
    const refused = await order(server, {}, late);
    expect(expectProblem(refused, 429)).toMatchObject({ type: "urn:longpour:problem:too_many_held" });
    const { order_id } = await brew(server);
    for (const answer of await Promise.all(waiting)) expectOrder(answer, { order_id, status: "ready" });
    await untilHeld(server, 0);
  });

  test("keeps a quarter of its slots for orders being placed", async () => {
    const placed = [await place(server), await place(server)];
    const hangUp = new AbortController();
    const returners = placed.flatMap(({ order_id }, index) =>
      comeTo(75, order_id, `127.0.0.${index + 2}`, hangUp.signal),
    );
    await untilHeld(server, 150);
    const [{ order_id } = { order_id: "" }] = placed;
    expectProblem(await ask(`${server.customers}/order/${order_id}?wait=5`, { localAddress: "127.0.0.9" }), 503);
    const ordering = Array.from({ length: 50 }, (_, index) =>
      order(server, {}, { localAddress: `127.0.1.${index + 1}` }),
    );
    await untilHeld(server, 200);
    expectProblem(await order(server, {}, { localAddress: "127.0.2.1" }), 503);
    hangUp.abort();
    await Promise.all(returners);
    for (let made = 0; made < 52; made += 1) await brew(server);
    for (const answer of await Promise.all(ordering)) expectOrder(answer, { status: "ready" });
    await untilHeld(server, 0);
  });
});
