/** How the pages are served: complete, under a strict policy, cached as long as they may be, and without a token. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { ask, expectProblem } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(180_000);

let server: Server;

beforeAll(async () => {
  server = await startServer({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
});

afterAll(async () => {
  await server.stop();
});

const PAGES = [
  ["customers", "/"],
  ["customers", "/?code=7QK2M9XWTR3B"],
  ["baristas", "/"],
  ["baristas", "/board"],
  ["baristas", "/board/"],
  ["baristas", "/flow"],
  ["baristas", "/orders"],
] as const;

/** What a page names. */
function linksOf(html: string): string[] {
  return [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => link);
}

describe.each(PAGES)("%s %s", (port, path) => {
  test("is a page that names files of this server only, all of which are there", async () => {
    const page = await ask(server[port] + path);
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toBe("text/html;charset=utf-8");
    // Nothing inline: the policy would keep it from running.
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:/);
    const links = linksOf(page.text);
    expect(links.map((link) => link.slice(link.lastIndexOf("."))).toSorted()).toEqual([".css", ".js", ".svg"]);
    for (const link of links) {
      expect(link).toMatch(/^\/assets\/[\w-]+\.\w+$/);
      const file = await ask(server[port] + link);
      expect(file.status).toBe(200);
      expect(file.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
      expect(file.headers["x-content-type-options"]).toBe("nosniff");
    }
  });

  test("comes under a policy that lets nothing else run or load", async () => {
    const { headers } = await ask(server[port] + path);
    expect(String(headers["content-security-policy"]).split("; ").toSorted()).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self' data:",
      "manifest-src 'self'",
      "script-src 'self'",
      "style-src 'self'",
    ]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    // The address may hold a code.
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["cache-control"]).toBe("no-cache");
  });

  test("is not sent again to who has it", async () => {
    const { etag = "" } = (await ask(server[port] + path)).headers;
    const again = await ask(server[port] + path, { headers: { "If-None-Match": `"other", ${etag}` } });
    expect(again).toMatchObject({ status: 304, text: "" });
    expect((await ask(server[port] + path, { headers: { "If-None-Match": '"other"' } })).status).toBe(200);
  });
});

describe("the policy of the customers' page", () => {
  const policiesOf = async (environment: Readonly<Record<string, string>>): Promise<string[]> => {
    const shop = await startServer({
      STRIPE_SECRET_KEY: "sk_test_1",
      STRIPE_WEBHOOK_SECRET: "whsec_1",
      ...environment,
    });
    const pages = [`${shop.customers}/`, `${shop.baristas}/`, `${shop.baristas}/board`];
    const policies = await Promise.all(
      pages.map(async (page) => String((await ask(page)).headers["content-security-policy"])),
    );
    await shop.stop();
    return policies;
  };
  const elsewhere = (policy = ""): string[] => policy.split("; ").filter((part) => part.includes("://"));

  test("lets Stripe's own form in where its key is set, and the staff's pages stay as they are", async () => {
    const [customers, ...staff] = await policiesOf({ STRIPE_PUBLISHABLE_KEY: "pk_test_1" });
    expect(elsewhere(customers)).toEqual([
      "script-src 'self' https://js.stripe.com",
      "connect-src 'self' https://api.stripe.com",
      "frame-src https://js.stripe.com",
    ]);
    expect(staff.flatMap(elsewhere)).toEqual([]);
  });

  test("lets nothing in without that key, nor where another server speaks Stripe's API", async () => {
    const other = { STRIPE_PUBLISHABLE_KEY: "pk_test_1", STRIPE_API: "http://127.0.0.1:9" };
    const policies = [...(await policiesOf({})), ...(await policiesOf(other))];
    expect(policies.flatMap(elsewhere)).toEqual([]);
  });
});

test("what a page needs is squeezed for who can unpack it, and for no other", async () => {
  const [, script = ""] = /src="([^"]+)"/.exec((await ask(`${server.customers}/`)).text) ?? [];
  const plain = await ask(server.customers + script);
  expect(plain.headers["content-encoding"]).toBeUndefined();
  const refused = await ask(server.customers + script, { headers: { "Accept-Encoding": "br, gzip;q=0" } });
  expect(refused.text).toBe(plain.text);
  const response = await fetch(server.customers + script, {
    headers: { "Accept-Encoding": "br, gzip" },
    decompress: false,
  });
  expect(response.headers.get("content-encoding")).toBe("gzip");
  expect(response.headers.get("vary")).toBe("Accept-Encoding");
  const squeezed = await response.bytes();
  expect(squeezed.length).toBeLessThan(plain.text.length / 2);
  expect(gunzipSync(squeezed).toString()).toBe(plain.text);
});

test("a file that no page has is a problem, and the token check lets nothing else through", async () => {
  for (const path of ["/assets/none.js", "/assets/..%2f..%2fpackage.json"]) {
    expectProblem(await ask(server.customers + path), 404);
    expectProblem(await ask(server.baristas + path), 401);
    expectProblem(await ask(server.baristas + path, { headers: { Authorization: "Bearer hush-hush-42" } }), 404);
  }
  for (const path of ["/assets", "/assets/a/b", "/board/x", "//", "/code", "/shop", "/events"]) {
    expectProblem(await ask(server.baristas + path), 401);
  }
});

test("a customer can't load the staff's pages, and pages are in no OpenAPI document", async () => {
  expectProblem(await ask(`${server.customers}/board`), 404);
  const [, script = ""] = /src="([^"]+)"/.exec((await ask(`${server.baristas}/`)).text) ?? [];
  expectProblem(await ask(server.customers + script), 404);
  for (const base of [server.customers, server.baristas]) {
    const { paths } = (await ask(`${base}/swagger/json`)).body as { paths: Record<string, unknown> };
    expect(Object.keys(paths).filter((path) => path === "/" || /^\/(assets|board)/.test(path))).toEqual([]);
  }
});

test("two servers make the same files under the same names", async () => {
  const other = await startServer();
  for (const path of ["/", "/board", "/flow", "/orders"]) {
    expect((await ask(other.baristas + path)).text).toBe((await ask(server.baristas + path)).text);
  }
  await other.stop();
});

/** Linux lists a process's children. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

/** Bun closes a connection that is silent for 10 s. */
const LONGER_THAN_IDLE_MS = 13_000;

test.if(existsSync(`/proc/self/task/${process.pid}/children`))(
  "a page that a slow machine builds for longer than the idle timeout is served",
  async () => {
    const slow = await startServer();
    const page = ask(`${slow.customers}/`);
    page.catch(() => {});
    await until(() => childrenOf(slow.process.pid).length > 0, "the builder runs");
    const [builder = 0] = childrenOf(slow.process.pid);
    process.kill(builder, "SIGSTOP");
    await Bun.sleep(LONGER_THAN_IDLE_MS);
    process.kill(builder, "SIGCONT");
    expect((await page).status).toBe(200);
    await slow.stop();
  },
);
