/** Who may use the baristas' port: tokens, guesses, and pages of other sites. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, exchange } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { expectRefusal } from "../support/shop.ts";

setDefaultTimeout(60_000);

const TOKEN = "hush-hush-42";

test("after ten wrong tokens an address gets 429 for more of them, and the right one passes all the same", async () => {
  const server = await startServer({ STAFF_TOKEN: TOKEN, BARISTA_HOST: "127.0.0.1", TRUSTED_PROXIES: "127.0.0.1" });
  const guess = (token: string, address: string) =>
    ask(`${server.baristas}/queue`, { headers: { Authorization: `Bearer ${token}`, "X-Forwarded-For": address } });
  for (let index = 0; index < 10; index += 1) {
    const answer = await guess(`guess-${index}`, "203.0.113.5");
    expectRefusal(answer, 401, "unauthorized");
    expect(answer.headers["www-authenticate"]).toContain("Bearer");
  }
  for (const token of ["guess-10", `${TOKEN}x`, TOKEN.slice(0, -1)]) {
    const answer = await guess(token, "203.0.113.5");
    expectRefusal(answer, 429, "too_many_tokens");
    expect(answer.headers["retry-after"]).toMatch(/^([1-9]|[1-5]\d|60)$/);
    expect((await guess(TOKEN, "203.0.113.5")).status).toBe(200);
  }
  // Another address has its own count.
  expectRefusal(await guess("guess-11", "203.0.113.6"), 401, "unauthorized");
  // Who sends none has not guessed.
  expectRefusal(await ask(`${server.baristas}/queue`), 401, "unauthorized");
  expect((await ask(`${server.baristas}/livez`)).status).toBe(200);
  await server.stop();
});

test("without a token, pages of other sites in this machine's browsers are refused, and nobody else", async () => {
  const server = await startServer();
  const from = (site: string, path: string, method = "GET") =>
    ask(server.baristas + path, { method, headers: { "Sec-Fetch-Site": site } });
  expectRefusal(await from("cross-site", "/start/"), 403, "cross_site");
  expectRefusal(await from("cross-site", "/shop", "PATCH"), 403, "cross_site");
  for (const path of ["/", "/board", "/swagger", "/livez"]) expect((await from("cross-site", path)).status).toBe(200);
  for (const site of ["same-origin", "same-site", "none"]) expect((await from(site, "/queue")).status).toBe(200);
  expect((await ask(`${server.baristas}/queue`)).status).toBe(200);
  await server.stop();
});

test("without a token, nothing is told to who asks by the name of another site, which may have been made to mean us", async () => {
  const server = await startServer();
  const askAs = (host: string, path = "/queue") =>
    exchange(server.baristas, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  for (const host of ["coffee.test", "coffee.test:8001", "127.0.0.1.coffee.test", "localhost.coffee.test"]) {
    const got = await askAs(host);
    expect(got).toStartWith("HTTP/1.1 403 ");
    expect(got).toContain("urn:longpour:problem:cross_site");
    expect(await askAs(host, "/livez")).toStartWith("HTTP/1.1 200 ");
  }
  for (const host of ["localhost:8001", "LOCALHOST", "127.0.0.1:8001", "[::1]:8001", "app", "shop.localhost:8001"]) {
    expect(await askAs(host)).toStartWith("HTTP/1.1 200 ");
  }
  await server.stop();
});
