/** The nginx site with TLS, as deploy/ ships it, before two replicas. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { brew, lookAtQueue, place, type WireOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { Site, staffAuthority } from "./site.ts";

setDefaultTimeout(120_000);

const POST = ["--request", "POST", "--header", "Content-Type: application/json"];
const STAFF_TOKEN = "hush-hush-42";
const AUTHORIZED = ["--header", `Authorization: Bearer ${STAFF_TOKEN}`];

/** Two replicas of one shop, that believe nginx. */
async function startReplicas(environment: Record<string, string> = {}): Promise<[Server, Server]> {
  const shared = { SHOP: `test-${crypto.randomUUID()}`, TRUSTED_PROXIES: "127.0.0.1", ...environment };
  return await Promise.all([startServer(shared), startServer(shared)]);
}

async function heldBy(servers: readonly Server[]): Promise<number[]> {
  return (await Promise.all(servers.map((server) => lookAtQueue(server)))).map(({ held }) => held);
}

const readOrder = (body: string): WireOrder => JSON.parse(body) as WireOrder;

test("a held order over HTTP/2 gets its one answer, though the replica that holds it stops", async () => {
  const replicas = await startReplicas();
  await using site = await Site.start(replicas);
  const written = ["--http2", "--write-out", "\n%{http_version} %{num_redirects}\n%{http_code}"];
  const waiting = site.ask("/order/", [...POST, "--data", '{"item":"espresso"}', ...written]);
  await until(async () => Math.max(...(await heldBy(replicas))) === 1, "the customer is held");
  const [first] = await heldBy(replicas);
  const [stopping, other] = first === 1 ? replicas : [replicas[1], replicas[0]];
  await stopping.stop();
  await until(async () => (await lookAtQueue(other)).held === 1, "the other holds them on");
  const { order_id } = await brew(other);
  const { exitCode, status, body } = await waiting;
  expect([exitCode, status]).toEqual([0, 200]);
  const [answer = "", seen] = body.split("\n");
  expect(readOrder(answer)).toMatchObject({ order_id, status: "ready", item: "espresso" });
  expect(seen).toBe("2 0");
  // An order's id is the right to it.
  await site.askPlainly(`/order/${order_id}`);
  expect(site.logged()).toBe("");
  await other.stop();
});

test("signs of life and events come as they are sent", async () => {
  const replicas = await startReplicas({ HEARTBEAT_SECONDS: "1" });
  await using site = await Site.start(replicas);
  const { order_id } = await place(replicas[0]);
  // They end after this many seconds: what came until then was not kept back.
  const briefly = ["--no-buffer", "--max-time", "6"];
  const [held, events] = await Promise.all([
    site.ask(`/order/${order_id}?wait`, briefly),
    site.ask(`/order/${order_id}/events`, [...briefly, "--header", "Last-Event-ID: 0-0"]),
  ]);
  expect(held.body).toMatch(/^ {2,}$/);
  expect(events.body).toContain("event: order.placed\n");
  await Promise.all(replicas.map((replica) => replica.stop()));
});

test("what speaks no TLS is sent on, HSTS binds the rest, and no client chooses its own address", async () => {
  const replicas = await startReplicas();
  await using site = await Site.start(replicas);
  const heads = ["--head"];
  const plain = await site.askPlainly("/order/x?wait", heads);
  expect(plain.status).toBe(308);
  expect(plain.body).toContain("Location: https://coffee.example.org/order/x?wait\r\n");
  const secure = await site.ask("/livez", heads);
  expect(secure.status).toBe(200);
  expect(secure.body.toLowerCase()).toContain("strict-transport-security: max-age=31536000\r\n");
  const claims = ["--header", "X-Forwarded-For: 203.0.113.9", "--header", "Forwarded: for=203.0.113.9"];
  expect(JSON.parse((await site.ask("/address", claims)).body)).toMatchObject({ address: "127.0.0.1" });
  const old = await site.ask("/livez", ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"]);
  expect(old.status).toBe(0);
  await Promise.all(replicas.map((replica) => replica.stop()));
});

test("staff come by their own name, with their token, and wait there", async () => {
  const replicas = await startReplicas({ STAFF_TOKEN, BARISTA_HOST: "127.0.0.1" });
  await using site = await Site.start(replicas);
  expect((await site.askStaff("/queue")).status).toBe(401);
  const waiting = site.askStaff("/start/?wait=30", AUTHORIZED);
  const placed = await place(replicas[0]);
  const { status, body } = await waiting;
  expect([status, readOrder(body).order_id]).toEqual([200, placed.order_id]);
  const { status: finished } = await site.askStaff(`/finish/?order_id=${placed.order_id}`, [...AUTHORIZED, ...POST]);
  expect(finished).toBe(200);
  // Nothing of staff is on the customers' site.
  expect((await site.ask("/start/", AUTHORIZED)).status).toBe(404);
  await Promise.all(replicas.map((replica) => replica.stop()));
});

test("with its comment's two lines, staff are asked for certificates, and customers are not", async () => {
  const replicas = await startReplicas({ STAFF_TOKEN, BARISTA_HOST: "127.0.0.1" });
  await using site = await Site.start(replicas, { asksCertificates: true });
  const clientOnly = { extensions: "extendedKeyUsage=clientAuth" };
  expect((await site.askStaff("/livez")).status).toBe(400);
  expect((await site.askStaff("/queue", AUTHORIZED, staffAuthority.issue("ann", clientOnly))).status).toBe(200);
  expect((await site.ask("/livez")).status).toBe(200);
  await Promise.all(replicas.map((replica) => replica.stop()));
});
