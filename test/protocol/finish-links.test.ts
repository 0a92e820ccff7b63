/** Owns the tests of finish links: one ends the start of an order that it came with, and nothing else. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectOrder, expectProblem, expectStatus, order, place, type Answer } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { expectRefusal } from "../support/shop.ts";
import { soon, until } from "../support/until.ts";

setDefaultTimeout(60_000);

const TOKEN = "hush-hush-42";
const SHOP = `links-${crypto.randomUUID()}`;
const SETTINGS = {
  SHOP,
  STAFF_TOKEN: TOKEN,
  BARISTA_HOST: "127.0.0.1",
  TRUSTED_PROXIES: "127.0.0.1",
  LOG_LEVEL: "debug",
  MAX_ATTEMPTS: "3",
};
const AS_STAFF = { headers: { Authorization: `Bearer ${TOKEN}` } };

let server: Server;
let other: Server;

beforeAll(async () => {
  [server, other] = await Promise.all([startServer(SETTINGS), startServer(SETTINGS)]);
});
afterAll(async () => {
  await Promise.all([server.stop(), other.stop()]);
});

interface Linked {
  readonly order_id: string;
  readonly finish_url: string;
  readonly fail_url: string;
  readonly attempts: number;
}

function staff(path: string, method = "POST"): Promise<Answer> {
  return ask(`${server.baristas}${path}`, { method, ...AS_STAFF });
}

/** Starts an order with its link. */
async function startLinked(orderId: string, barista = "Grace"): Promise<Linked> {
  const answer = await staff(`/start/?link&order_id=${orderId}&barista=${barista}`, "GET");
  expectStatus(answer, 200);
  return answer.body as Linked;
}

async function placeAndStart(barista?: string): Promise<Linked> {
  const { order_id } = await place(server, { item: "latte" });
  return await startLinked(order_id, barista);
}

const post = (url: string, json?: unknown, headers?: Record<string, string>): Promise<Answer> =>
  ask(url, { method: "POST", ...(json === undefined ? undefined : { json }), ...(headers && { headers }) });

describe("a link that is right", () => {
  test("finishes the order without a token, with a result: its customer gets it, and twice is once", async () => {
    const held = order(server, { item: "latte" });
    const started = (await staff("/start/?link&wait=10&barista=Grace", "GET")).body as Linked;
    expect(started).toMatchObject({ status: "brewing", barista: "Grace" });
    expect(started.finish_url).toStartWith(`${server.baristas}/finish/`);
    expect(started.fail_url).toStartWith(`${server.baristas}/fail/`);
    const finished = expectOrder(await post(started.finish_url, { cups: 2 }), { status: "ready", result: { cups: 2 } });
    expect(expectOrder(await soon(held, "the customer is answered"))).toEqual(finished);
    expect(expectOrder(await post(started.finish_url, { cups: 3 }))).toEqual(finished);
    expect(expectOrder(await post(started.finish_url))).toEqual(finished);
  });

  test("works at every server of the shop, after a restart, and from a page of another origin", async () => {
    const { finish_url, order_id } = await placeAndStart();
    const elsewhere = await startServer(SETTINGS);
    const url = finish_url.replace(server.baristas, elsewhere.baristas);
    const headers = { Origin: "https://flows.example", "Sec-Fetch-Site": "cross-site" };
    expectOrder(await post(url, undefined, headers), { order_id, status: "ready" });
    await elsewhere.stop();
  });

  test("fails the order: it is queued again, and the same again answers the same", async () => {
    const { fail_url, finish_url, order_id } = await placeAndStart();
    const failure = { error: "the grinder is jammed", retry_after_seconds: 60 };
    const failed = expectOrder(await post(fail_url, failure), { order_id, status: "queued", error: failure.error });
    expectOrder(await post(fail_url, failure), { order_id, status: "queued", attempts: failed.attempts });
    // Another failure is not the same, and nothing is left to finish.
    for (const answer of [await post(fail_url, { error: "no milk" }), await post(finish_url)]) {
      expect(expectProblem(answer, 409).order_status).toBe("queued");
    }
    await staff(`/cancel/?order_id=${order_id}`);
  });

  test("fails it for good with retry false, again the same", async () => {
    const { fail_url, order_id } = await placeAndStart();
    const failure = { error: "no beans", retry: false };
    const cancelled = { order_id, status: "cancelled", reason: "machine_error", error: "no beans" } as const;
    const first = expectOrder(await post(fail_url, failure), cancelled);
    expect(expectOrder(await post(fail_url, failure))).toEqual(first);
  });

  test("looking shows the order and changes nothing, however often", async () => {
    const { finish_url, fail_url, order_id } = await placeAndStart();
    for (const url of [finish_url, fail_url, finish_url]) {
      expectOrder(await ask(url), { order_id, status: "brewing" });
      expect((await ask(url, { method: "HEAD" })).status).toBe(200);
    }
    expectOrder(await post(finish_url), { status: "ready" });
    expectOrder(await ask(finish_url), { order_id, status: "ready" });
  });

  test("comes with the next order of a finish, too", async () => {
    const [first, { order_id: second }] = [await placeAndStart(), await place(server)];
    const answer = await staff(`/finish/?order_id=${first.order_id}&barista=Grace&next=0&link`);
    expectStatus(answer, 200);
    const { finished, started } = answer.body as { finished: object; started: Linked };
    expect(Object.keys(finished)).not.toContain("finish_url");
    expect(started.order_id).toBe(second);
    expectOrder(await post(started.finish_url), { order_id: second, status: "ready" });
  });

  test("of a barista whose name needs quotes, and after an extension", async () => {
    const barista = encodeURIComponent('Zoë "Z" O’Hara.');
    const { order_id, finish_url } = await placeAndStart(barista);
    await staff(`/extend/?order_id=${order_id}`);
    expectOrder(await post(finish_url), { status: "ready", barista: 'Zoë "Z" O’Hara.' });
  });
});

describe("a link that is no more", () => {
  test("of a start that is another's now: 409, and the order stays with the other", async () => {
    const { order_id, finish_url, fail_url } = await placeAndStart();
    await staff(`/release/?order_id=${order_id}`);
    const again = await startLinked(order_id, "Ada");
    for (const answer of [await post(finish_url), await post(fail_url, { error: "late" })]) {
      const problem = expectProblem(answer, 409);
      expect(problem.order_status).toBe("brewing");
      expect(problem.detail).toContain("The start that this link is for has ended");
    }
    expectOrder(await post(again.finish_url), { status: "ready", barista: "Ada" });
    // What the other finished was not this link's.
    expectProblem(await post(finish_url), 409);
  });

  test("of a start by the same name, though its attempt has the same number", async () => {
    const { order_id, finish_url, attempts } = await placeAndStart("Grace");
    await staff(`/release/?order_id=${order_id}&uncounted`);
    const again = await startLinked(order_id, "Grace");
    expect(again.attempts).toBe(attempts);
    expect(expectProblem(await post(finish_url), 409).order_status).toBe("brewing");
    expectOrder(await post(again.finish_url), { status: "ready" });
  });

  test("of an order that is cancelled: 409", async () => {
    const { order_id, finish_url } = await placeAndStart();
    await staff(`/cancel/?order_id=${order_id}`);
    expect(expectProblem(await post(finish_url), 409).order_status).toBe("cancelled");
  });

  test("of an order that is no longer kept: 404", async () => {
    // Links of one shop are none of another: so the shop itself has to lose the order.
    const short = await startServer({ ...SETTINGS, SHOP: `short-${SHOP}`, QUEUES: "thumbs retention_seconds=1" });
    await ask(`${short.customers}/queue/thumbs/`, { method: "POST", json: 1, headers: { Prefer: "respond-async" } });
    const answer = await ask(`${short.baristas}/start/?link&queue=thumbs`, AS_STAFF);
    const { finish_url } = answer.body as Linked;
    expectStatus(await post(finish_url), 200);
    await until(async () => (await ask(finish_url)).status === 404, "the order is forgotten", 30_000);
    expectRefusal(await post(finish_url), 404, "order_unknown");
    await short.stop();
  });
});

describe("a link that is none", () => {
  test("altered in any part, cut off, or of another shop: 403", async () => {
    const { finish_url, order_id } = await placeAndStart();
    const [start = "", content = "", signature = ""] = /^(.*\/finish\/)([^.]+)\.(.+)$/.exec(finish_url)?.slice(1) ?? [];
    const forged = Buffer.from(content, "base64url").toString().replace("Grace", "Ada");
    expect(forged).toContain("Ada");
    const last = signature.slice(-1) === "A" ? "B" : "A";
    const altered = [
      content,
      `${content}.`,
      `.${signature}`,
      `${content}.${signature.slice(0, -1)}`,
      `${content}.${signature.slice(0, -1)}${last}`,
      `${content}.${signature}=`,
      `${content}.${signature}.`,
      `${content}x.${signature}`,
      `${Buffer.from(forged).toString("base64url")}.${signature}`,
      `${content}.${signature}${"x".repeat(2000)}`,
    ];
    for (const [index, link] of altered.entries()) {
      const headers = { "X-Forwarded-For": `203.0.113.${index + 20}` };
      expectRefusal(await ask(start + link, { headers }), 403, "link_forged");
      expectRefusal(await post(start + link, undefined, headers), 403, "link_forged");
    }
    expectOrder(await post(finish_url), { order_id, status: "ready" });
    const stranger = await startServer({ ...SETTINGS, SHOP: `other-${SHOP}` });
    expectRefusal(await post(finish_url.replace(server.baristas, stranger.baristas)), 403, "link_forged");
    await stranger.stop();
  });

  test("guessing is slowed as for tokens, and a right link passes all the same", async () => {
    const { finish_url } = await placeAndStart();
    const headers = { "X-Forwarded-For": "203.0.113.9" };
    for (let index = 0; index < 10; index += 1) {
      expectRefusal(await post(`${finish_url}${index}`, undefined, headers), 403, "link_forged");
    }
    const blocked = await post(`${finish_url}x`, undefined, headers);
    expectRefusal(blocked, 429, "too_many_tokens");
    expect(blocked.headers["retry-after"]).toMatch(/^([1-9]|[1-5]\d|60)$/);
    expectOrder(await post(finish_url, undefined, headers), { status: "ready" });
  });

  test("it opens nothing else of the port", async () => {
    const { finish_url, order_id } = await placeAndStart();
    for (const path of ["/finish/", `/finish/?order_id=${order_id}`, "/queue", `/order/${order_id}`]) {
      expectStatus(await ask(server.baristas + path, { method: path.startsWith("/finish") ? "POST" : "GET" }), 401);
    }
    expectStatus(await ask(finish_url, { method: "PUT" }), 401);
    expectStatus(await ask(`${finish_url}/more`, { method: "POST" }), 401);
    expectOrder(await post(finish_url), { status: "ready" });
  });
});

describe("input", () => {
  test("a failure without words, and a result that is no JSON: 422 and 400, and the order is as it was", async () => {
    const { finish_url, fail_url, order_id } = await placeAndStart();
    expectProblem(await post(fail_url), 422, "body");
    expectProblem(await post(fail_url, { error: "" }), 422, "error");
    const headers = { "Content-Type": "application/json" };
    expectProblem(await ask(finish_url, { method: "POST", body: "{", headers }), 400);
    expectOrder(await ask(finish_url), { order_id, status: "brewing" });
    expectOrder(await post(finish_url), { status: "ready" });
  });

  test("a link for a finish that starts nothing is no use: 422", async () => {
    const { order_id, finish_url } = await placeAndStart();
    expectProblem(await staff(`/finish/?order_id=${order_id}&link`), 422, "link");
    expectProblem(await staff("/start/?link=yes", "GET"), 422, "link");
    expectOrder(await post(finish_url), { status: "ready" });
  });

  test("PUBLIC_STAFF_URL is what links begin with", async () => {
    const behind = await startServer({ ...SETTINGS, PUBLIC_STAFF_URL: "https://staff.example.org/" });
    const { order_id } = await place(behind);
    const answer = await ask(`${behind.baristas}/start/?link&order_id=${order_id}`, AS_STAFF);
    const { finish_url } = answer.body as Linked;
    expect(finish_url).toStartWith("https://staff.example.org/finish/");
    expectOrder(await post(finish_url.replace("https://staff.example.org", behind.baristas)), { status: "ready" });
    await behind.stop();
  });
});

test("without a staff token links work, too, under whatever name the port is reached", async () => {
  const open = await startServer();
  const { order_id } = await place(open);
  const { finish_url } = (await ask(`${open.baristas}/start/?link&order_id=${order_id}`)).body as Linked;
  expectOrder(await post(finish_url, undefined, { Host: "shop.example.org" }), { status: "ready" });
  expectStatus(await ask(`${open.baristas}/queue`, { headers: { Host: "shop.example.org" } }), 403);
  await open.stop();
});

test("no link stands in the log, at its most talkative", async () => {
  const { finish_url } = await placeAndStart();
  await post(`${finish_url}x`, undefined, { "X-Forwarded-For": "203.0.113.77" });
  await post(finish_url);
  const said = JSON.stringify(server.log());
  const link = finish_url.split("/finish/")[1] ?? "";
  const [content = "", signature = ""] = link.split(".");
  expect(content.length).toBeGreaterThan(50);
  expect(said).toContain('"path":"/finish/#');
  expect(said).not.toContain(content);
  expect(said).not.toContain(signature);
});

test("where the key of the links is damaged no order is started for one", async () => {
  const shop = `damaged-${SHOP}`;
  const key = `{${shop}}:link-key`;
  const redis = (await sharedRedis()).connect();
  const damaged = await startServer({ SHOP: shop });
  const { order_id } = await place(damaged);
  await redis.lpush(key, "no key");
  const startIt = () => ask(`${damaged.baristas}/start/?link`);
  expectRefusal(await startIt(), 500, "shop_damaged");
  const { keys } = (await ask(`${damaged.baristas}/damaged`)).body as { keys: unknown };
  expect(keys).toEqual([{ key, type: "list", expected_type: "string" }]);
  expectOrder(await ask(`${damaged.customers}/order/${order_id}`), { status: "queued" });
  await redis.del(key);
  const { finish_url } = (await startIt()).body as Linked;
  expect(await redis.get(key)).toMatch(/^[\w-]{43}$/);
  expectOrder(await post(finish_url), { order_id, status: "ready" });
  await damaged.stop();
  redis.disconnect();
});
