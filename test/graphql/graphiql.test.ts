/** GraphiQL on both ports: served from here alone, under a strict policy, and usable in a real browser. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { useBrowser } from "../support/browser.ts";
import { ask, brew, place } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(180_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

const WORKERS = ["editorWorkerService", "json", "graphql"].map((name) => `/graphiql/${name}.worker.js`);

test.each(["customers", "baristas"] as const)("the %s' port serves the page and its files itself", async (port) => {
  const page = await ask(`${server[port]}/graphiql`);
  expect(page.status).toBe(200);
  expect(page.headers["content-type"]).toStartWith("text/html");
  expect(page.text).not.toMatch(/https?:|["'(]\/\/|unpkg|jsdelivr|cdn/);
  const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, link = ""]) => link)
    .filter((link) => link !== "data:,");
  expect(links).toHaveLength(4);
  for (const link of [...links, ...WORKERS]) {
    expect(link).toStartWith("/graphiql/");
    const { status, headers } = await ask(server[port] + link);
    expect([status, headers["x-content-type-options"]]).toEqual([200, "nosniff"]);
  }
  const policy = String(page.headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'; script-src 'self'; ");
  expect(policy).not.toMatch(/unsafe-eval|https?:|\*|blob:/);
});

test("with a staff token the page opens without it, and `/graphql` does not", async () => {
  const guarded = await startServer({ STAFF_TOKEN: "hush-hush-42" });
  expect((await ask(`${guarded.baristas}/graphiql`)).status).toBe(200);
  expect((await ask(`${guarded.baristas}/graphql?query={__typename}`)).status).toBe(401);
  await guarded.stop();
});

describe("a real browser", () => {
  const browser = useBrowser();

  test("a person asks for the menu, and sees it", async () => {
    const page = await (await browser.newDevice("desktop")).open(`${server.customers}/graphiql`);
    await page.getByRole("button", { name: /Execute query/i }).click();
    await page.locator(".result-window", { hasText: "espresso" }).waitFor();
    const where = process.env.SCREENSHOTS;
    if (where) await page.screenshot({ path: `${where}/graphiql.png` });
  });

  test("a person listens to an order, and sees it become ready", async () => {
    const { order_id } = await place(server);
    const query = `subscription { orderUpdated(id: "${order_id}") { state } }`;
    const device = await browser.newDevice("desktop");
    const page = await device.open(`${server.customers}/graphiql?${new URLSearchParams({ query }).toString()}`);
    const listens = page.waitForResponse(isStream);
    await page.getByRole("button", { name: /Execute query/i }).click();
    await listens;
    await brew(server, `order_id=${order_id}`);
    await page.locator(".result-window", { hasText: "ready" }).waitFor();
  });

  function isStream(response: { headers(): Record<string, string> }): boolean {
    return response.headers()["content-type"]?.startsWith("text/event-stream") ?? false;
  }
});
