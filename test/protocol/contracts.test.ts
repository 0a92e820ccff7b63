/** A queue whose machine says what it takes and gives has a route of its own in the OpenAPI document. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { validate } from "@readme/openapi-parser";
import { Type } from "@sinclair/typebox";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { CALL_QUEUE, describeCall, LIST_QUEUES } from "../../src/api/customers/queue-descriptions.ts";
import { completeDocument, type Described } from "../../src/http/openapi.ts";
import { resolveReferences } from "../support/openapi.ts";

setDefaultTimeout(60_000);

const CONTRACTS = {
  work: {
    input: Type.Object({ add_up_to: Type.Integer({ minimum: 1, maximum: 99 }) }, { additionalProperties: false }),
    output: Type.Integer(),
  },
  "thumb-nails_2": {
    input: Type.Object({ url: Type.String() }, { $id: "Picture", examples: [{ url: "https://example.org/a.png" }] }),
    output: Type.Union([Type.Object({ width: Type.Number() }), Type.Null()]),
  },
};

interface Content {
  readonly schema?: object;
  readonly example?: unknown;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, { readonly post: Operation }>>;
}

let folder: string;
let file: string;
let document: Document;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpour-contracts-"));
  file = join(folder, "document.json");
  const calls = Object.entries(CONTRACTS).map(([name, schemas]) => [
    `/queue/${name}/`,
    { post: describeCall(name, { ...schemas, checkInput: () => [] }).detail },
  ]);
  const paths = {
    "/queue": { get: LIST_QUEUES.detail },
    ...Object.fromEntries(calls),
    "/queue/{queue}/": { post: CALL_QUEUE.detail },
  } as Described["paths"];
  const tags = { Machines: "Have code make something of any JSON." };
  const written = JSON.stringify(
    completeDocument({ paths }, { title: "Calls", description: "All of them.", tags, authorized: false }),
  );
  writeFileSync(file, written);
  document = resolveReferences(JSON.parse(written)) as Document;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const schemaOf = (part: { readonly content?: Readonly<Record<string, Content>> } | undefined): object =>
  part?.content?.["application/json"]?.schema ?? {};

function fits(schema: object, value: unknown): boolean {
  const ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  return ajv.compile(schema)(value);
}

test("the document is valid, to a validator and to a linter", async () => {
  expect(await validate(file)).toEqual({ valid: true, warnings: [], specification: "OpenAPI" });
  const packed = dirname(Bun.resolveSync("@redocly/cli/package.json", import.meta.dir));
  const child = Bun.spawn([process.execPath, join(packed, "bin/cli.js"), "lint", "--format=json", file], {
    cwd: folder,
    env: { PATH: process.env.PATH, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const found = JSON.parse(await child.stdout.text()) as { problems: { ruleId: string; message: string }[] };
  expect(found.problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
});

test("each queue has its own input, output and name; all other queues take and give any JSON", () => {
  const { post: work } = document.paths["/queue/work"] ?? {};
  expect(work?.operationId).toBe("call_work");
  expect(document.paths["/queue/thumb-nails_2"]?.post.operationId).toBe("call_thumb-nails_2");
  const input = schemaOf(work?.requestBody);
  expect([{ add_up_to: 3 }, { add_up_to: 0 }, {}, 3].map((value) => fits(input, value))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  const order = {
    order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a60",
    number: 1,
    queue: "work",
    status: "ready",
    attempts: 1,
    placed_at: "2026-11-20T09:30:00.120Z",
    input: { add_up_to: 3 },
  };
  const answer = schemaOf(work?.responses["200"]);
  const any = schemaOf(document.paths["/queue/{queue}"]?.post.responses["200"]);
  expect([6, "six"].map((result) => fits(answer, { ...order, result }))).toEqual([true, false]);
  expect([6, "six", null].map((result) => fits(any, { ...order, result }))).toEqual([true, true, true]);
  // One that failed, and one whose server had to end its answer.
  expect(fits(answer, { ...order, status: "cancelled", reason: "machine_error", error: "no" })).toBe(true);
  expect(fits(answer, { order_id: order.order_id, continue_at: "/order/…?wait" })).toBe(true);
});

test("the examples fit", () => {
  for (const { post } of Object.values(document.paths).filter((path) => "post" in path)) {
    for (const part of [post.requestBody, ...Object.values(post.responses)]) {
      const { schema = {}, example } = part.content?.["application/json"] ?? {};
      if (example !== undefined) expect([post.operationId, fits(schema, example)]).toEqual([post.operationId, true]);
    }
  }
});
