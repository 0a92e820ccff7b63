/**
 * Owns the comparison of each operation's two halves: its descriptor (src/orders/operations) and its script
 * (redis/operations).
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Operation } from "../../src/redis/operation.ts";

const root = join(import.meta.dir, "../..");
const namesIn = (pattern: string, ending: string): string[] =>
  [...new Bun.Glob(pattern).scanSync(root)].map((path) => basename(path, ending)).toSorted();

const scripts = namesIn("redis/operations/*.lua", ".lua");
const source = (name: string): string => readFileSync(join(root, "redis/operations", `${name}.lua`), "utf8");

/** The fields in the header: `-- Fields   order_id, barista (JSON; '' is any) | result`, and the lines after it. */
function fieldsOf(text: string): { always: string[]; optional: string[] } {
  const [, listed = ""] = /^-- Fields +((?:.*\n)(?:-- {10}.*\n)*)/m.exec(text) ?? [];
  const plain = withoutParentheses(listed.replaceAll(/\n-- +/g, " "));
  const [always = [], optional = []] = plain.split("|").map((part) => part.split(",").map((each) => each.trim()));
  return { always, optional };
}

function withoutParentheses(text: string): string {
  let [depth, plain] = [0, ""];
  for (const character of text) {
    if (character === "(") depth += 1;
    if (depth === 0) plain += character;
    if (character === ")") depth -= 1;
  }
  return plain;
}

/** `operation('place', function(id, …) … end, 10)`: its name, its parameters, and where its Idempotency-Key is. */
function registrationOf(text: string) {
  const [, name = "", parameters = ""] = /^operation\('(\w+)', function\(([^)]*)\)$/m.exec(text) ?? [];
  const [, keyAt] = /^end, (\d+)\)$/m.exec(text) ?? [];
  const names = parameters.split(",").map((each) => each.trim());
  return { name, parameters: names, keyAt: keyAt === undefined ? undefined : Number(keyAt) };
}

async function descriptorOf(name: string): Promise<Operation<unknown, unknown>> {
  const exported = (await import(join(root, "src/orders/operations", `${name}.ts`))) as Record<string, unknown>;
  return exported[name] as Operation<unknown, unknown>;
}

test("each script has a descriptor, and each descriptor a script", () => {
  expect(namesIn("src/orders/operations/*.ts", ".ts")).toEqual(scripts);
  expect(scripts.length).toBeGreaterThan(0);
});

describe.each(scripts)("%s", (script) => {
  test("has one name, and the same fields in the same order, everywhere", async () => {
    const { name, fields, optional: count = 0 } = await descriptorOf(script);
    const registered = registrationOf(source(script));
    expect(name as string).toBe(script);
    expect(registered.name).toBe(script);
    const { always, optional } = fieldsOf(source(script));
    expect([...always, ...optional]).toEqual([...fields]);
    expect(optional).toHaveLength(count);
    expect(registered.parameters).toHaveLength(fields.length);
    expect(new Set(fields).size).toBe(fields.length);
  });

  test("is read ahead: its order's id comes first, and its Idempotency-Key stands where it says", async () => {
    const { fields } = await descriptorOf(script);
    // A start has no order yet.
    expect(fields[0]).toBe(script === "start" ? "barista" : "order_id");
    const at = fields.indexOf("idempotency_key");
    expect(registrationOf(source(script)).keyAt).toBe(at < 0 ? undefined : at + 1);
  });
});
