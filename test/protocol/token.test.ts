/** Who may use the baristas' port: tokens, and guesses. Without a token: see sites.test.ts. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask } from "../support/http.ts";
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
