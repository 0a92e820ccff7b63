/** The customers' OpenAPI document where machines serve queues: each has a path of its own. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { validate } from "@readme/openapi-parser";
import { defineMachine } from "../../src/machines/machine.ts";
import { ask } from "../support/http.ts";
import { MachineServer } from "../support/machines.ts";
import { resolveReferences } from "../support/openapi.ts";

setDefaultTimeout(60_000);

interface Call {
  readonly requestBody: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Readonly<Record<string, { readonly content: Record<string, { readonly schema: object }> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, { readonly post?: Call }>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

async function documentOf({ customers }: MachineServer): Promise<Document> {
  const { body } = await ask(`${customers}/swagger/json`);
  return body as Document;
}

const make = (): never => {
  throw new Error("not called here");
};

test("a machine's schemas stand as the request and the result of its queue's own path", async () => {
  const machine = defineMachine({
    queue: "adder",
    input: Type.Object({ a: Type.Number() }, { additionalProperties: false }),
    output: Type.Object({ sum: Type.Number() }),
    make,
  });
  await using server = await MachineServer.open({ machines: [machine] });
  const { paths } = resolveReferences(await documentOf(server)) as Document;
  expect(Object.keys(paths)).toContain("/queue/{queue}");
  const call = paths["/queue/adder"]?.post;
  expect(call?.requestBody.content["application/json"]?.schema).toEqual({
    type: "object",
    additionalProperties: false,
    required: ["a"],
    properties: { a: { type: "number" } },
  });
  expect(call?.responses[200]?.content["application/json"]?.schema).toMatchObject({
    anyOf: [{ properties: { result: { properties: { sum: { type: "number" } } } } }, {}],
  });
});

test("the document is valid where schemas of machines have names: the same as others, or in themselves", async () => {
  const Order = Type.Object({ drink: Type.String() }, { $id: "Order" });
  const Tree = Type.Recursive((Self) => Type.Object({ nodes: Type.Array(Self) }));
  const machines = [
    defineMachine({ queue: "one", input: Order, output: Tree, make }),
    defineMachine({
      queue: "two",
      input: Type.Object({ size: Type.Number() }, { $id: "Order" }),
      output: Type.Any(),
      make,
    }),
    defineMachine({ queue: "three", input: Tree, output: Type.Null(), make }),
  ];
  await using server = await MachineServer.open({ machines });
  const document = await documentOf(server);
  expect(document.components.schemas).toContainKeys(["Order", "one.Order", "two.Order"]);
  expect(await validate(structuredClone(document) as Parameters<typeof validate>[0])).toMatchObject({ valid: true });
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]*)"/g);
  for (const [, name = ""] of references) expect(document.components.schemas).toHaveProperty([name]);
  expect(JSON.stringify(document)).not.toMatch(/"\$ref":"[^#]/);
});
