/** Which address the server says it sees: directly, and behind proxies that it trusts, or not. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { ask, type Answer, type Asking } from "../support/http.ts";
import { TestNginx } from "../support/nginx.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(60_000);

const CLIENT = "127.0.0.2";
const FORGED = { "X-Forwarded-For": "203.0.113.77", Forwarded: "for=203.0.113.77" };

let wary: Server;
let trusting: Server;
/** Trusts the proxy, and reads the header that it does not set. */
let misled: Server;

beforeAll(async () => {
  [wary, trusting, misled] = await Promise.all([
    startServer(),
    startServer({ TRUSTED_PROXIES: "127.0.0.1" }),
    startServer({ TRUSTED_PROXIES: "127.0.0.1", PROXY_HEADER: "Forwarded" }),
  ]);
});

afterAll(async () => {
  await Promise.all([wary, trusting, misled].map((server) => server.stop()));
});

/** The answer to a client of that address. */
async function seen(base: string, asking: Asking = {}): Promise<unknown> {
  const answer: Answer = await ask(`${base}/address`, { localAddress: CLIENT, ...asking });
  expect(answer).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
  return answer.body;
}

async function seenBehindNginx(server: Server, asking?: Asking): Promise<unknown> {
  await using nginx = await TestNginx.start([server]);
  return await seen(nginx.customers, asking);
}

test("without a proxy it is the connection's; headers of the client's own are not believed", async () => {
  const direct = { address: CLIENT, source: "connection" };
  expect(await seen(wary.customers)).toEqual(direct);
  expect(await seen(trusting.customers)).toEqual(direct);
  expect(await seen(trusting.customers, { headers: FORGED })).toEqual({ source: "untrusted_proxy" });
});

test("a trusted proxy's header names the client, whatever the client wrote there", async () => {
  const named = { address: CLIENT, source: "trusted_proxy" };
  expect(await seenBehindNginx(trusting)).toEqual(named);
  expect(await seenBehindNginx(trusting, { headers: FORGED })).toEqual(named);
});

test("the address of a proxy that is not trusted, or that names nobody, is not told", async () => {
  expect(await seenBehindNginx(wary)).toEqual({ source: "untrusted_proxy" });
  expect(await seenBehindNginx(misled)).toEqual({ source: "unnamed" });
});
