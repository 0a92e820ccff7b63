/** The API's description on both ports: served from here alone, complete, and usable in a real browser. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { useBrowser } from "../support/browser.ts";
import { ask, lookAtQueue, place } from "../support/http.ts";
import { resolveReferences } from "../support/openapi.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(180_000);

const TOKEN = "hush-hush-42";

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema?: object; readonly example?: unknown }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, Record<string, unknown>>> }
    >
  >;
}

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly securitySchemes?: Readonly<Record<string, object>> };
  readonly security?: readonly object[];
}

async function readDocument(base: string): Promise<OpenApi> {
  const answer = await ask(`${base}/swagger/json`);
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toStartWith("application/json");
  return resolveReferences(answer.body) as OpenApi;
}

/** Every route, and the statuses that it is known to answer with. */
const ROUTES: Readonly<Record<"customers" | "baristas", Readonly<Record<string, readonly number[]>>>> = {
  customers: {
    "POST /order": [200, 202, 303, 400, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /order/{id}": [200, 303, 400, 404, 422, 429, 500, 503],
    "PATCH /order/{id}": [200, 400, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "PUT /order/{id}": [200, 400, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "POST /queue/{queue}": [200, 202, 303, 400, 403, 404, 413, 415, 422, 429, 500, 503],
    "GET /queue": [200, 400, 429, 500, 503],
    "POST /reservation": [201, 400, 403, 409, 413, 415, 422, 429, 500, 503],
    "GET /order/{id}/events": [200, 204, 400, 404, 422, 429, 500, 503],
    "POST /payment": [200, 202, 400, 402, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /payment/{id}": [200, 400, 404, 422, 429, 500, 503],
    "POST /payment/webhook": [200, 400, 403, 409, 413, 429, 500, 503],
    "GET /shop": [200, 400, 429, 500, 503],
    "GET /coffees": [200, 304, 400, 429, 500, 503],
    "GET /address": [200, 400, 429],
    "GET /livez": [200, 400],
    "GET /readyz": [200, 400, 503],
  },
  baristas: {
    "GET /start": [200, 400, 401, 403, 404, 409, 422, 429, 500, 503],
    "POST /finish": [200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "POST /fail": [200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /finish/{link}": [200, 400, 403, 404, 429, 500, 503],
    "POST /finish/{link}": [200, 400, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /fail/{link}": [200, 400, 403, 404, 429, 500, 503],
    "POST /fail/{link}": [200, 400, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "POST /release": [200, 400, 401, 403, 404, 409, 422, 429, 500, 503],
    "POST /extend": [200, 400, 401, 403, 404, 409, 422, 429, 500, 503],
    "POST /progress": [200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /dead": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /rules": [200, 400, 401, 403, 429, 500, 503],
    "GET /rules/{name}/dead": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "POST /rules/{name}/replay": [202, 400, 401, 403, 404, 422, 429, 500, 503],
    "POST /rules/{name}/resume": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "POST /retry": [200, 201, 400, 401, 403, 404, 409, 422, 429, 500, 503],
    "POST /cancel": [200, 400, 401, 403, 404, 409, 422, 429, 500, 503],
    "GET /order": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /order/{id}/journey": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "GET /states": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /states/{state}": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /stats": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /order/{id}": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "GET /fulfilment": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /fulfilment/{id}": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "PATCH /fulfilment/{id}": [200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /payment": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /payment/{id}": [200, 400, 401, 403, 404, 422, 429, 500, 503],
    "PATCH /payment/{id}": [200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503],
    "GET /queue": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /metrics": [200, 400, 401, 403, 429],
    "GET /damaged": [200, 400, 401, 403, 429, 500, 503],
    "GET /events": [200, 400, 401, 403, 422, 429, 500, 503],
    "GET /shop": [200, 400, 401, 403, 429, 500, 503],
    "PATCH /shop": [200, 400, 401, 403, 413, 415, 422, 429, 500, 503],
    "GET /coffees": [200, 400, 401, 403, 429, 500, 503],
    "PUT /coffees/{id}": [200, 201, 400, 401, 403, 409, 413, 415, 422, 429, 500, 503],
    "DELETE /coffees/{id}": [204, 400, 401, 403, 404, 422, 429, 500, 503],
    "GET /code": [200, 400, 401, 403, 429, 500, 503],
    "GET /livez": [200, 400],
    "GET /readyz": [200, 400, 503],
  },
};

describe.each(["customers", "baristas"] as const)("the %s' port", (port) => {
  test("serves the page and its files itself, under a strict policy", async () => {
    const page = await ask(`${server[port]}/swagger`);
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toStartWith("text/html");
    expect(page.text).not.toMatch(/https?:|["'(]\/\/|unpkg|jsdelivr|cdn/);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThanOrEqual(3);
    for (const link of links) {
      expect(link).toStartWith("/swagger/");
      expect((await ask(server[port] + link)).status).toBe(200);
    }
    const policy = String(page.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-eval|https?:|\*/);
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
  });

  test("describes every route, and no other, in a valid OpenAPI document", async () => {
    const { openapi, info, paths } = await readDocument(server[port]);
    expect(openapi).toBe("3.1.0");
    expect([info.title, info.version, info.description].every(Boolean)).toBe(true);
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(Object.keys(ROUTES[port]).toSorted());
    for (const [path, operations] of Object.entries(paths)) {
      for (const operation of Object.values(operations)) {
        const parameters = operation.parameters ?? [];
        const inPath = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => `{${name}}`);
        expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
        expect(new Set(parameters.map(({ name, in: where }) => `${where} ${name}`)).size).toBe(parameters.length);
        for (const parameter of parameters) {
          expect(["path", "query", "header"]).toContain(parameter.in);
          expect(parameter.schema).toBeObject();
        }
      }
    }
  });

  test.each(Object.entries(ROUTES[port]))(
    "%s has a description, examples, and every status",
    async (route, statuses) => {
      const [method = "", path = ""] = route.split(" ");
      const { paths } = await readDocument(server[port]);
      const operation = paths[path]?.[method.toLowerCase()];
      expect(operation?.summary).toBeTruthy();
      expect(operation?.description).toBeTruthy();
      const described = Object.keys(operation?.responses ?? {});
      expect(statuses.map(String).filter((status) => !described.includes(status))).toEqual([]);
      for (const [status, response] of Object.entries(operation?.responses ?? {})) {
        expect(response.description).toBeTruthy();
        const [type, content] = Object.entries(response.content ?? {})[0] ?? [];
        // These have no body.
        if (["204", "303", "304"].includes(status)) continue;
        const other = path === "/metrics" ? "text/plain" : "application/json";
        const right = path.endsWith("/events") ? "text/event-stream" : other;
        expect(type).toBe(Number(status) >= 400 ? "application/problem+json" : right);
        const example = content?.example ?? content?.examples;
        if (type === "text/plain") expect(example).toBeString();
        else expect(example).toBeObject();
      }
      for (const content of Object.values(operation?.requestBody?.content ?? {})) {
        expect(content.schema).toBeObject();
        expect(content.example).toBeObject();
      }
    },
  );
});

describe("a real browser", () => {
  const browser = useBrowser();

  /** Opens a port's page, on a device of its own: what goes wrong on it, or leaves for elsewhere, fails the test. */
  async function open(base: string): Promise<Page> {
    const device = await browser.newDevice("desktop");
    const page = await device.open(`${base}/swagger`);
    await page.setViewportSize({ width: 1280, height: 1600 });
    await page.locator(".opblock").first().waitFor();
    return page;
  }

  /** Opens a route's panel and its form. */
  async function tryOut(page: Page, method: string, path: string) {
    const panel = page
      .locator(`.opblock-${method}`)
      .filter({ has: page.locator(`.opblock-summary-path[data-path="${path}"]`) });
    await panel.locator(".opblock-summary-control").first().click();
    await panel.getByRole("button", { name: "Try it out" }).click();
    return panel;
  }

  /** Sends the form; the status of the answer, and all that the panel shows of it. */
  async function execute(panel: Locator) {
    await panel.getByRole("button", { name: "Execute" }).click();
    const status = panel.locator(".live-responses-table tbody .response-col_status").first();
    await status.waitFor();
    return {
      status: await status.innerText(),
      table: await panel.locator(".live-responses-table").innerText(),
    };
  }

  test("a customer orders from the page: 202, and nothing is asked of elsewhere", async () => {
    const page = await open(server.customers);
    const panel = await tryOut(page, "post", "/order");
    await panel.locator('tr[data-param-name="Prefer"] input').fill("respond-async");
    await panel.locator('tr[data-param-name="Idempotency-Key"] input').fill("");
    const answer = await execute(panel);
    expect(answer.status).toContain("202");
    expect(answer.table).toContain('"status": "queued"');
    await shoot(page, "customers");
    expect((await lookAtQueue(server)).depth).toBe(1);
  });

  test("a barista starts the oldest order from the page: 200", async () => {
    await place(server);
    const page = await open(server.baristas);
    const panel = await tryOut(page, "get", "/start");
    const answer = await execute(panel);
    expect(answer.status).toContain("200");
    expect(answer.table).toContain('"status": "brewing"');
    await shoot(page, "baristas");
  });

  test("the example of a change of the shop, sent at a click, leaves it open", async () => {
    const page = await open(server.baristas);
    const panel = await tryOut(page, "patch", "/shop");
    const answer = await execute(panel);
    expect(answer.status).toContain("200");
    expect(answer.table).toContain('"open": true');
    await shoot(page, "shop");
  });

  test("what an order is can be read on the page", async () => {
    const page = await open(server.customers);
    const title = page.locator(".json-schema-2020-12__title", { hasText: /^Order$/ });
    const order = page.locator("article.json-schema-2020-12").filter({ has: title });
    await order.locator("button.json-schema-2020-12-accordion").first().click();
    await order.getByText("eta_seconds").waitFor();
    await shoot(page, "schemas");
  });

  test("with a staff token: 401 without it, 200 once it is given through Authorize", async () => {
    const guarded = await startServer({ STAFF_TOKEN: TOKEN, BARISTA_HOST: "127.0.0.1" });
    await place(guarded);
    const page = await open(guarded.baristas);
    await page.getByRole("button", { name: "Authorize" }).click();
    await page.locator(".auth-container input").fill(TOKEN);
    await page.locator(".auth-btn-wrapper button.authorize").click();
    await page.locator(".auth-btn-wrapper button.btn-done").click();
    const panel = await tryOut(page, "get", "/start");
    expect((await execute(panel)).status).toContain("200");
    await page.close();
    await guarded.stop();
  });

  /** Where a picture is wanted: `SCREENSHOTS=<folder>`. */
  async function shoot(page: Page, name: string): Promise<void> {
    const where = process.env.SCREENSHOTS;
    if (where) await page.screenshot({ path: join(where, `swagger-${name}.png`), fullPage: true });
  }
});
