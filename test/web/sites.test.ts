/** Pages of other sites in a real browser: what they try on both ports, and what one may that ALLOWED_ORIGINS names. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { brew, expectOrder, ask, lookAtQueue, place, untilHeld } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { useBrowser } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
let site: Bun.Server<undefined>;

beforeAll(async () => {
  site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("<title>Another site</title>", { headers: { "Content-Type": "text/html" } }),
  });
});

afterAll(() => site.stop(true));

/** Opens the other site's page under a name of this machine, for what it will try. */
async function openSite(name: string) {
  const device = await browser.newDevice();
  // It asks for what is not its own, and is refused: that is what these tests are about.
  device.expectFault(/^elsewhere: /, /^failed: /, /^console: (Access to fetch|Failed to load resource)/);
  return await device.open(`http://${name}:${site.port}/`);
}

/** What a page can send without leave: whatever comes of it is hidden from it. */
const sendBlindly = (url: string, method: string): string =>
  `fetch(${JSON.stringify(url)}, { method: "${method}", mode: "no-cors", body: ${method === "POST" ? '"{}"' : "undefined"} }).then(() => "sent", () => "blocked")`;

async function tryEverything(server: Server, name: string, orderId: string): Promise<void> {
  const page = await openSite(name);
  const { port } = new URL(server.baristas);
  for (const host of ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "127.0.0.2"]) {
    for (const path of ["/start/?barista=Mallory", `/start/?order_id=${orderId}`]) {
      await page.evaluate(sendBlindly(`http://${host}:${port}${path}`, "GET"));
    }
    for (const path of [`/finish/?order_id=${orderId}`, `/cancel/?order_id=${orderId}`]) {
      await page.evaluate(sendBlindly(`http://${host}:${port}${path}`, "POST"));
    }
  }
  await page.evaluate(sendBlindly(`${server.customers}/order/`, "POST"));
  await page.evaluate(sendBlindly(`${server.customers}/reservation`, "POST"));
}

test.each(["127.0.0.1", "localhost"])("a page at another port of %s drives neither port", async (name) => {
  const server = await startServer();
  const { order_id } = await place(server);
  await tryEverything(server, name, order_id);
  expect(await lookAtQueue(server)).toMatchObject({ depth: 1, brewing: 0, held: 0 });
  expectOrder(await ask(`${server.customers}/order/${order_id}`), { status: "queued", attempts: 0 });
  await server.stop();
});

interface Placed {
  readonly status: number;
  readonly order_id: string;
  readonly location: string;
  readonly limit: string;
}

test("a front end of one's own, named in ALLOWED_ORIGINS, orders, waits, listens and reads all of the answer", async () => {
  const server = await startServer({ ALLOWED_ORIGINS: `http://localhost:${site.port}`, HEARTBEAT_SECONDS: "1" });
  const page = await openSite("localhost");
  const headers = JSON.stringify({
    "Content-Type": "application/json",
    "Idempotency-Key": crypto.randomUUID(),
    Prefer: "respond-async",
  });
  const placed = await page.evaluate<Placed>(`(async () => {
    const answer = await fetch("${server.customers}/order/", { method: "POST", headers: ${headers}, body: '{"item":"latte"}' });
    const { order_id } = await answer.json();
    return { status: answer.status, order_id, location: answer.headers.get("Location"), limit: answer.headers.get("RateLimit") };
  })()`);
  expect(placed).toMatchObject({ status: 202, location: `/order/${placed.order_id}` });
  expect(placed.limit).toContain("r=");
  // It waits long enough for the answer to begin before it is there, and hears of it as well.
  const waiting = page.evaluate(`(async () => {
    const heard = new Promise((resolve, reject) => {
      const events = new EventSource("${server.customers}/order/${placed.order_id}/events");
      events.addEventListener("order.finished", () => { events.close(); resolve("finished"); });
      events.onerror = () => reject(new Error("no events"));
    });
    const answer = await fetch("${server.customers}/order/${placed.order_id}?wait");
    return { status: answer.status, order: await answer.json(), heard: await heard };
  })()`);
  await untilHeld(server, 1);
  await brew(server);
  expect(await waiting).toMatchObject({ status: 200, heard: "finished", order: { status: "ready", item: "latte" } });
  const stranger = await openSite("127.0.0.1");
  const refused = await stranger.evaluate(
    `fetch("${server.customers}/order/", { method: "POST", headers: ${headers}, body: "{}" }).then(() => "sent", () => "blocked")`,
  );
  expect(refused).toBe("blocked");
  expect(await lookAtQueue(server)).toMatchObject({ depth: 0, brewing: 0 });
  await server.stop();
});
