/**
 * Owns the generated parts of docs/protocol.md: a block for each route and for each named schema, rendered from the
 * OpenAPI documents that a server serves.
 *
 * **Invariants**
 * - A block stands between `<!-- generated: NAME -->` and `<!-- end -->`. All other text is left as it is.
 * - Each route and each schema has one block, and no block stands for anything else.
 */

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

type Contents = Readonly<
  Record<string, { readonly schema?: Schema; readonly examples?: Readonly<Record<string, unknown>> }>
>;

interface Response {
  readonly $ref?: string;
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Contents;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description: string;
  }[];
  readonly requestBody?: { readonly required: boolean; readonly content: Contents };
  readonly responses: Readonly<Record<string, Response>>;
}

/** An OpenAPI document, as far as it is read here. */
export interface Document {
  readonly security?: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

/** The blocks by name: `customers placeOrder`, `schema Order`. */
export function renderBlocks(documents: Readonly<Record<string, Document>>): Map<string, string> {
  const blocks = new Map<string, string>();
  for (const [port, document] of Object.entries(documents)) {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const title = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
        blocks.set(`${port} ${operation.operationId}`, renderOperation(title, operation, document));
      }
    }
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      blocks.set(`schema ${name}`, renderSchema(name, schema));
    }
  }
  return blocks;
}

const BLOCK = /<!-- generated: (.+?) -->\n.*?<!-- end -->/gs;

/** The text with its blocks written anew. Throws where a block is missing, stands twice or stands for nothing. */
export function writeBlocks(text: string, blocks: ReadonlyMap<string, string>): string {
  const names = Array.from(text.matchAll(BLOCK), ([, name = ""]) => name);
  const faults = [
    ...[...blocks.keys()].filter((name) => !names.includes(name)).map((name) => `${name} has no block`),
    ...names.filter((name) => !blocks.has(name)).map((name) => `${name} is no route and no schema`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} has two blocks`),
  ];
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return text.replaceAll(BLOCK, (_, name: string) => {
    return `<!-- generated: ${name} -->\n\n${blocks.get(name)}\n\n<!-- end -->`;
  });
}

function renderOperation(title: string, operation: Operation, document: Document): string {
  const { operationId, summary, parameters = [], requestBody, responses } = operation;
  const isGuarded = (operation.security ?? document.security ?? []).length > 0;
  const sent = parameters.map(
    ({ name, in: where, required, description }) =>
      `- ${where} \`${name}\`${required ? "" : " (optional)"}: ${withoutStop(description)}`,
  );
  if (requestBody) {
    sent.push(`- body${requestBody.required ? "" : " (optional)"}: ${nameBody(requestBody.content)}`);
  }
  return [
    `#### \`${title}\``,
    `${withStop(summary)} Operation \`${operationId}\`${isGuarded ? "; asks for the staff token, where there is one" : ""}.`,
    ...(sent.length > 0 ? ["Send:", sent.join("\n")] : []),
    "Expect:",
    Object.entries(responses)
      .map(([status, response]) => renderResponse(status, follow(response, document)))
      .join("\n"),
  ].join("\n\n");
}

function renderResponse(status: string, { description, headers = {}, content = {} }: Response): string {
  const problems = Object.keys(content["application/problem+json"]?.examples ?? {});
  const said = problems.length > 0 ? codes(problems) : withoutStop(description);
  const body = problems.length > 0 || Object.keys(content).length === 0 ? "" : ` ${nameBody(content)}`;
  const names = Object.keys(headers);
  return `- **${status}**${body}: ${said}${names.length > 0 ? `. Headers: ${codes(names)}` : ""}`;
}

/** A reference to a shared refusal leads to it. */
function follow(response: Response, { components }: Document): Response {
  return response.$ref === undefined ? response : (components.responses[lastOf(response.$ref)] ?? response);
}

function nameBody(content: Contents): string {
  const json = content["application/json"];
  return json ? nameType(json.schema ?? {}) : codes(Object.keys(content));
}

function renderSchema(name: string, schema: Schema): string {
  const about = schema.properties || schema.allOf ? "" : `\n\n${nameType(schema)}`;
  const fields = fieldsOf(schema);
  return `#### \`${name}\`${about}${fields.length > 0 ? `\n\n${fields.join("\n")}` : ""}`;
}

/** A line a field; the fields of what has no name stand below it. */
function fieldsOf({ properties = {}, required = [], allOf = [] }: Schema, indent = ""): string[] {
  const inherited = allOf.flatMap((part) =>
    part.$ref ? [`${indent}- all of ${nameType(part)}`] : fieldsOf(part, indent),
  );
  const own = Object.entries(properties).flatMap(([name, schema]) => {
    const about = schema.description === undefined || schema.enum ? "" : `: ${withoutStop(schema.description)}`;
    const line = `${indent}- \`${name}\` (${nameType(schema)}${required.includes(name) ? "" : ", optional"})${about}`;
    return [line, ...fieldsOf(schema.items ?? schema, `${indent}  `)];
  });
  return [...inherited, ...own];
}

function nameType({
  $ref: reference,
  type,
  format,
  const: only,
  enum: words,
  anyOf,
  allOf,
  items,
  ...schema
}: Schema): string {
  if (reference !== undefined) return `\`${lastOf(reference)}\``;
  if (words) return `one of ${codes(words)}`;
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (allOf) return allOf.map(nameType).join(" and ");
  if (anyOf) return anyOf.map(nameType).join(" or ");
  if (items) return `list of ${nameType(items)}`;
  const values = Object.values(schema.patternProperties ?? {})[0];
  if (values) return `object whose members are each: ${nameType(values)}`;
  if (type === undefined) return "any JSON";
  return format === "uuid" || format === "date-time" || format === "uri" ? `${type}, ${format}` : type;
}

function codes(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

function lastOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

function withStop(sentence: string): string {
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`;
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, "");
}
