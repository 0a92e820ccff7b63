/**
 * The OpenAPI documents as other people's programs read them: validators, linters, generators of types.
 * None of these needs the internet.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { validate } from "@readme/openapi-parser";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import openapiTS, { astToString } from "openapi-typescript";
import { resolveReferences } from "../support/openapi.ts";
import { ask, expectOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(120_000);

const TOKEN = "hush-hush-42";
const root = join(import.meta.dir, "../..");

interface Content {
  readonly schema?: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string; readonly license: { readonly identifier: string } };
  readonly servers: readonly { readonly url: string }[];
  readonly security: readonly object[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<"schemas" | "responses" | "securitySchemes", Readonly<Record<string, object>>>>;
}

let folder: string;
let server: Server;
const documents = {} as Record<"customers" | "baristas" | "guarded", Document>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpour-openapi-"));
  server = await startServer();
  const guarded = await startServer({ STAFF_TOKEN: TOKEN, BARISTA_HOST: "127.0.0.1" });
  const bases = { customers: server.customers, baristas: server.baristas, guarded: guarded.baristas };
  for (const name of NAMES) {
    const { text } = await ask(`${bases[name]}/swagger/json`);
    documents[name] = JSON.parse(text) as Document;
    writeFileSync(fileOf(name), text);
  }
  await guarded.stop();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The customers' port, and the baristas' without a token and with one. */
const NAMES = ["customers", "baristas", "guarded"] as const;

const fileOf = (name: string): string => join(folder, `${name}.json`);

function operationsOf({ paths }: Document): Operation[] {
  return Object.values(paths).flatMap((operations) => Object.values(operations));
}

describe.each(NAMES)("the document of the %s' port", (name) => {
  test("passes a public validator without a warning", async () => {
    expect(await validate(fileOf(name))).toEqual({ valid: true, warnings: [], specification: "OpenAPI" });
  });

  test("passes a public linter as it comes, without an error or a warning", async () => {
    const { exitCode, output } = await run("@redocly/cli/bin/cli.js", ["lint", "--format=json", fileOf(name)]);
    const totals = /"totals": (\{[^}]*\})/.exec(output)?.[1] ?? output;
    expect(totals.replaceAll(/\s/g, "")).toBe('{"errors":0,"warnings":0,"ignored":0}');
    expect(exitCode).toBe(0);
  });

  test("says what it is, whose it is, and where to ask", () => {
    const { openapi, info, servers, security, components } = documents[name];
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;
    expect(openapi).toBe("3.1.0");
    expect([info.version, info.license.identifier]).toEqual([String(manifest.version), String(manifest.license)]);
    // Relative: a proxy's own name for the port holds too.
    expect(servers.map(({ url }) => url)).toEqual(["/"]);
    expect(security).toEqual(name === "guarded" ? [{ bearer: [] }] : []);
    expect(Object.keys(components.securitySchemes ?? {})).toEqual(name === "guarded" ? ["bearer"] : []);
  });

  test("has a verb for each operation, and a word on each tag", () => {
    const operations = operationsOf(documents[name]);
    const ids = operations.map(({ operationId }) => operationId ?? "");
    expect(new Set(ids).size).toBe(operations.length);
    const VERBS =
      /^(place|call|reserve|complete|find|search|start|finish|fail|release|extend|progress|cancel|retry|pay|hear|listen|list|read|change|put|remove|measure|inspect|check|replay|resume)[A-Z][A-Za-z]+$/;
    expect(ids.filter((id) => !VERBS.test(id))).toEqual([]);
    const { tags } = documents[name];
    expect(new Set(operations.flatMap((operation) => operation.tags ?? []))).toEqual(
      new Set(tags.map((tag) => tag.name)),
    );
    for (const { description } of tags) expect(description).toBeTruthy();
  });

  test("names its schemas once, and refers to them", () => {
    const { schemas } = documents[name].components;
    const shared = ["Coffee", "Menu", "Modifier", "Order", "OrderStatus", "Problem"];
    const own = name === "customers" ? ["OrderDraft", "ReservationDraft", "Shop"] : ["ShopPatch", "ShopSettings"];
    expect([...shared, ...own].filter((each) => !(each in schemas))).toEqual([]);
    const text = JSON.stringify(documents[name]);
    for (const each of Object.keys(schemas)) expect(text).toContain(`"#/components/schemas/${each}"`);
    // What only an order has, and what only a problem has.
    expect(text.match(/"eta_seconds":\{"minimum"/g)?.length).toBe(name === "customers" ? 2 : 1);
    expect(text.match(/"order_status":\{/g)?.length).toBe(1);
    expect(text).not.toContain('"$id"');
    expect(text).not.toContain('"nullable"');
  });

  test("lists what a route answers while Redis can't serve it, and nothing that a probe never answers", () => {
    const problemsOf = ({ responses }: Operation): string[] =>
      Object.values(responses).flatMap(({ content }) =>
        Object.keys(content?.["application/problem+json"]?.examples ?? {}),
      );
    const operations = operationsOf(resolveReferences(documents[name]) as Document);
    const isProbe = ({ tags }: Operation): boolean => tags?.includes("Health") ?? false;
    // They say what the request's own headers say, and what the server knows by itself.
    const asksRedis = ({ operationId }: Operation): boolean => !/^read(Address|Metrics)$/.test(operationId ?? "");
    for (const operation of operations.filter((each) => !isProbe(each) && asksRedis(each))) {
      const problems = problemsOf(operation);
      expect(problems).toContain("redis_away");
      expect(problems).toContain("shop_damaged");
      expect(problems.includes("too_many_requests")).toBe(name === "customers");
      // The orders may be in a newer version's format by now.
      const ofOthers = operation.tags?.some((tag) => ["Shop", "Rules"].includes(tag)) ?? false;
      const readsOrders = !ofOthers && !/^measure(Queue|States)$/.test(operation.operationId ?? "");
      expect([operation.operationId, problems.includes("closing")]).toEqual([operation.operationId, readsOrders]);
    }
    const edge = ["malformed_host", "malformed_target"];
    expect(operations.filter(isProbe).map(problemsOf)).toEqual([edge, [...edge, "closing", "redis_away"]]);
  });

  test("has examples that fit their schemas", () => {
    const ajv = new Ajv2020({ strict: false });
    addFormats(ajv);
    ajv.addFormat("at-most-200-characters", true);
    ajv.addFormat("1-to-500-characters", true);
    const resolved = resolveReferences(documents[name]) as Document;
    const contents = operationsOf(resolved).flatMap(({ requestBody, responses }) =>
      [requestBody, ...Object.values(responses)].flatMap((part) => Object.values(part?.content ?? {})),
    );
    const { schemas } = resolved.components;
    const pairs = [
      ...contents.flatMap(({ schema, example, examples }) =>
        [...(example === undefined ? [] : [example]), ...Object.values(examples ?? {}).map(({ value }) => value)].map(
          (value) => ({ schema, value }),
        ),
      ),
      ...Object.values(schemas).flatMap((schema) =>
        "examples" in schema ? (schema.examples as unknown[]).map((value) => ({ schema, value })) : [],
      ),
    ];
    expect(pairs.length).toBeGreaterThan(40);
    for (const { schema, value } of pairs) {
      const check = ajv.compile(schema ?? false);
      check(value);
      expect({ value, errors: check.errors }).toEqual({ value, errors: null });
    }
  });
});

describe("an example, sent as it is", () => {
  const exampleOf = (name: "customers" | "baristas", method: string, path: string): unknown =>
    documents[name].paths[path]?.[method]?.requestBody?.content["application/json"]?.example;

  test("changes nothing of a shop that was never changed", async () => {
    const before = (await ask(`${server.baristas}/shop`)).body;
    const json = exampleOf("baristas", "patch", "/shop");
    const answer = await ask(`${server.baristas}/shop`, { method: "PATCH", json });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(before);
    expect(json).not.toHaveProperty("open");
  });

  test("orders a drink with its modifiers", async () => {
    const json = exampleOf("customers", "post", "/order") as { modifiers: object };
    const headers = { Prefer: "respond-async" };
    const answer = await ask(`${server.customers}/order/`, { method: "POST", json, headers });
    expect(expectOrder(answer, { status: "queued" }, 202).modifiers).toEqual({ milk: "oat" });
    expect(json.modifiers).toEqual({ milk: "oat" });
  });

  test("puts a coffee on the menu that was not there, and leaves the others", async () => {
    const readMenu = async () =>
      ((await ask(`${server.baristas}/coffees`)).body as { coffees: { name: string }[] }).coffees;
    const before = await readMenu();
    const json = exampleOf("baristas", "put", "/coffees/{id}") as { name: string };
    const answer = await ask(`${server.baristas}/coffees/example`, { method: "PUT", json });
    expect(answer.status).toBe(201);
    const after = await readMenu();
    expect(before.map(({ name }) => name)).not.toContain(json.name);
    expect(after.filter(({ name }) => name !== json.name)).toEqual(before);
  });

  test("names no preference that a route does not obey", () => {
    const preferenceOf = (path: string, method: string): string => {
      const operation = documents.customers.paths[path]?.[method] as {
        parameters?: { name: string; description: string }[];
      };
      return operation.parameters?.find((parameter) => parameter.name === "Prefer")?.description ?? "";
    };
    expect(preferenceOf("/order", "post")).toContain("202");
    expect(preferenceOf("/order/{id}", "get")).not.toMatch(/202|respond-async/);
  });

  test("names no order and no coffee: Swagger UI would send it unasked", () => {
    const prefilled = NAMES.flatMap((name) => operationsOf(documents[name]))
      .flatMap((operation) => ("parameters" in operation ? (operation.parameters as Record<string, unknown>[]) : []))
      .filter((parameter) => "example" in parameter || "examples" in parameter);
    expect(prefilled).toEqual([]);
  });
});

/** What a reader of both documents writes: every name in it comes from them. */
const CLIENT = `
import type { components as Customers, operations as CustomerOperations } from "./customers.d.ts";
import type { components as Baristas, paths } from "./guarded.d.ts";

type Order = Customers["schemas"]["Order"];
type Problem = Customers["schemas"]["Problem"];
type PlaceOrder = CustomerOperations["placeOrder"]["responses"];

export async function order(draft: Customers["schemas"]["OrderDraft"]): Promise<Order | Problem> {
  const answer = await fetch("/order", { method: "POST", body: JSON.stringify(draft) });
  return (await answer.json()) as Order | Problem;
}

export function say(answer: Order | Problem): string {
  if ("title" in answer) return answer.title + ": " + answer.detail;
  switch (answer.status) {
    case "reserved":
    case "unpaid":
    case "scheduled":
    case "queued":
      return "position " + (answer.position ?? 1).toFixed();
    case "brewing":
      return answer.barista ?? "a barista";
    case "ready":
    case "cancelled":
      return answer.reason ?? "here you are";
  }
}

export const accepted = (body: PlaceOrder[202]["content"]["application/json"]): Order => body;
export const refused = (body: PlaceOrder[429]["content"]["application/problem+json"]): 429 => body.status;
export const patch: Baristas["schemas"]["ShopPatch"] = { capacity: null };
export const isOpen = ({ open, lease_seconds }: Baristas["schemas"]["StaffShop"]): boolean => open && lease_seconds > 0;
export const names = ({ coffees }: Baristas["schemas"]["Menu"]): string[] => coffees.map(({ name }: Baristas["schemas"]["Coffee"]) => name);
export const barista: NonNullable<paths["/start"]["get"]["parameters"]["query"]>["barista"] = "Grace";

export const latte: Customers["schemas"]["OrderDraft"] = { item: "latte", modifiers: { milk: "oat" } };
// @ts-expect-error the menu names drinks, not numbers
export const seven: Customers["schemas"]["OrderDraft"] = { item: 7 };
// @ts-expect-error an order is never "lost"
export const lost: Order["status"] = "lost";
// @ts-expect-error what must be there
export const nameless: Baristas["schemas"]["Coffee"] = { id: "latte" };
`;

test("types made from the documents compile in a client, by name", async () => {
  for (const name of ["customers", "guarded"]) {
    const types = astToString(await openapiTS(readFileSync(fileOf(name), "utf8")));
    writeFileSync(join(folder, `${name}.d.ts`), types);
  }
  writeFileSync(join(folder, "client.ts"), CLIENT);
  const options = ["--noEmit", "--strict", "--target", "esnext", "--module", "preserve", "--lib", "esnext,dom"];
  const { exitCode, output } = await run("@typescript/native/bin/tsc", [
    ...options,
    "--types",
    "",
    "--noUncheckedIndexedAccess",
    join(folder, "client.ts"),
  ]);
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" });
});

/** Runs a program of a package, which asks for nothing. */
async function run(path: string, options: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const [scope = "", name = "", ...rest] = path.split("/");
  const packed = dirname(Bun.resolveSync(`${scope}/${name}/package.json`, import.meta.dir));
  const child = Bun.spawn([process.execPath, join(packed, ...rest), ...options], {
    cwd: folder,
    env: { PATH: process.env.PATH, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, complaints, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode, output: output || (exitCode === 0 ? "" : complaints) };
}
