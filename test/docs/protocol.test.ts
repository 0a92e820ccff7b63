/** docs/protocol.md says what the routes take and answer: no more, and no less. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { exampleOf, type ProblemName } from "../../src/problem.ts";
import { PROTOCOL, readDocuments, ROOT } from "./documents.ts";
import { renderBlocks, writeBlocks, type Document } from "./render.ts";

setDefaultTimeout(60_000);

let documents: Record<"customers" | "baristas", Document>;
let blocks: Map<string, string>;
let text: string;

beforeAll(async () => {
  documents = await readDocuments();
  blocks = renderBlocks(documents);
  text = await Bun.file(PROTOCOL).text();
});

test("its generated parts are those of the OpenAPI documents: `bun run docs` writes them anew", () => {
  expect(writeBlocks(text, blocks)).toBe(text);
});

describe("the comparison notices", () => {
  test("a route that has no part", () => {
    const without = text.replace("<!-- generated: customers placeOrder -->", "");
    expect(() => writeBlocks(without, blocks)).toThrow("customers placeOrder has no block");
  });

  test("a part that is no route's", () => {
    const more = `${text}\n<!-- generated: customers brewOrder -->\n\n<!-- end -->\n`;
    expect(() => writeBlocks(more, blocks)).toThrow("customers brewOrder is no route and no schema");
  });

  test("a part that stands twice", () => {
    const twice = `${text}\n<!-- generated: schema Order -->\n\n<!-- end -->\n`;
    expect(() => writeBlocks(twice, blocks)).toThrow("schema Order has two blocks");
  });

  test("a status that a route has lost, has got, or gives with another problem", () => {
    const path = documents.customers.paths["/order/{id}"];
    if (!path?.get) throw new Error("there is no such route");
    const { 404: lost, ...others } = path.get.responses;
    for (const responses of [
      others,
      { ...path.get.responses, 418: { description: "A teapot." } },
      { ...others, 404: { description: "None." } },
    ]) {
      const get = { ...path.get, responses };
      const paths = { ...documents.customers.paths, "/order/{id}": { ...path, get } };
      const changed = renderBlocks({ ...documents, customers: { ...documents.customers, paths } });
      expect(writeBlocks(text, changed)).not.toBe(text);
    }
    expect(lost).toBeDefined();
  });
});

test("it explains each problem once, with its status", async () => {
  const source = await Bun.file(join(ROOT, "src/problem.ts")).text();
  const names = Array.from(source.matchAll(/^ {2}(\w+): kind\(/gm), ([, name = ""]) => name as ProblemName);
  const listed = Array.from(text.matchAll(/^- \*\*(\d{3}) `(\w+)`\*\*: /gm), ([, status, name]) => `${status} ${name}`);
  expect(names.length).toBeGreaterThan(25);
  expect(listed.toSorted()).toEqual(names.map((name) => `${exampleOf(name).status} ${name}`).toSorted());
});

test("it lists each type of event once", async () => {
  const { EVENT_TYPES } = await import("../../src/events/event.ts");
  const listed = Array.from(text.matchAll(/^\| `([a-z]+\.[a-z]+)` +\|/gm), ([, type = ""]) => type);
  expect(listed.toSorted()).toEqual([...EVENT_TYPES, "events.missed"].toSorted());
});
