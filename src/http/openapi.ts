/**
 * Owns how the OpenAPI document of a port is put together from what its routes say of themselves.
 *
 * **Invariants**
 * - A schema that has a name (`$id`) stands once, under `components`: everything else refers to it.
 * - A name stands for one schema: two that differ have no document.
 * - A refusal that several routes give in the same words stands once too.
 * - Paths have no last slash, as public linters want it: every route answers with and without.
 */
import type { TSchema } from "@sinclair/typebox";
import type { ProblemName } from "../problem.ts";
import { HEALTH_TAG, mapValues, PROBLEM_TYPE, problemResponses, problemSchema } from "./documented.ts";

interface DescribedResponse {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<
    Record<string, { readonly schema?: TSchema; readonly examples?: Readonly<Record<string, unknown>> }>
  >;
}

type DescribedResponses = Readonly<Record<string, DescribedResponse>>;

/** An operation by path and method, as far as it is looked at here. */
type Paths<Operation> = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

type DescribedPaths = Paths<{ readonly tags?: readonly string[]; readonly responses: DescribedResponses }>;

/** The document of a port as its routes alone make it. */
export interface Described {
  readonly paths: DescribedPaths;
}

/** The description of a port as a whole. */
export interface PortDescription {
  readonly title: string;
  readonly description: string;
  /** The purpose of the routes of each tag. */
  readonly tags: Readonly<Record<string, string>>;
  /** Whether the port asks for a bearer token. */
  readonly authorized: boolean;
  /** The problems that each route of the port but the probes may answer with, beside its own. */
  readonly everywhere?: readonly ProblemName[];
}

type JsonObject = Readonly<Record<string, unknown>>;

const BEARER = {
  type: "http",
  scheme: "bearer",
  description: "The staff token (STAFF_TOKEN), as `Authorization: Bearer …` (RFC 6750).",
};

/** The document as it is served (OpenAPI 3.1). */
export function completeDocument({ paths }: Described, port: PortDescription): object {
  const { title, description, tags, authorized, everywhere = [] } = port;
  const { referring, schemas } = nameSchemas(describeEverywhere(paths, everywhere));
  const { sharing, problems } = shareProblems(referring);
  return {
    openapi: "3.1.0",
    info: { title, description, version: "0.1.0", license: { name: "MIT", identifier: "MIT" } },
    // Behind a proxy the server does not know what it is called.
    servers: [{ url: "/", description: "The server that this document comes from" }],
    security: authorized ? [{ bearer: [] }] : [],
    tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
    paths: withoutLastSlash(sharing),
    components: { schemas, responses: problems, ...(authorized ? { securitySchemes: { bearer: BEARER } } : undefined) },
  };
}

/** The paths with these problems among those of every route. Probes say all themselves. */
function describeEverywhere(paths: DescribedPaths, names: readonly ProblemName[]): DescribedPaths {
  const added: DescribedResponses = problemResponses(names);
  return mapOperations(paths, (operation) => {
    if (operation.tags?.includes(HEALTH_TAG)) return operation;
    const { responses } = operation;
    return {
      ...operation,
      responses: {
        ...responses,
        ...mapValues(added, (more, status) => mergeResponses(Number(status), responses[status], more)),
      },
    };
  });
}

/** Problems of one status share a response here too. */
function mergeResponses(
  status: number,
  own: DescribedResponse | undefined,
  more: DescribedResponse,
): DescribedResponse {
  if (!own) return more;
  const examples = { ...own.content?.[PROBLEM_TYPE]?.examples, ...more.content?.[PROBLEM_TYPE]?.examples };
  return {
    description: `${own.description}; ${more.description}`,
    headers: { ...own.headers, ...more.headers },
    content: { [PROBLEM_TYPE]: { schema: problemSchema(status, Object.keys(examples)), examples } },
  };
}

/** The paths with references in place of named schemas, and those. */
function nameSchemas(paths: DescribedPaths) {
  const found = new Map<string, unknown>();
  const referring = refer(paths, found) as DescribedPaths;
  return { referring, schemas: fromSorted(found) };
}

/** The rest of a part of the document once its named schemas are in `found`. */
function refer(part: unknown, found: Map<string, unknown>): unknown {
  if (Array.isArray(part)) return part.map((member: unknown) => refer(member, found));
  if (typeof part !== "object" || part === null) return part;
  const { $id: name, ...own } = part as JsonObject;
  const schema = joinWords(
    mapValues(own, (member, key) => (key === "$ref" ? toPointer(member) : refer(member, found))),
  );
  if (typeof name !== "string") return schema;
  const other = found.get(name);
  if (other !== undefined && !Bun.deepEquals(other, schema)) throw new Error(`two schemas are called ${name}`);
  found.set(name, schema);
  return { $ref: `#/components/schemas/${name}` };
}

/** TypeBox refers by name, such as from within a schema to itself. */
function toPointer(reference: unknown): unknown {
  const isName = typeof reference === "string" && !reference.startsWith("#");
  return isName ? `#/components/schemas/${reference}` : reference;
}

/** A choice of words is an `enum` in OpenAPI. TypeBox makes a schema of each word instead. */
function joinWords({ anyOf, ...schema }: JsonObject): JsonObject {
  if (!Array.isArray(anyOf)) return anyOf === undefined ? schema : { anyOf, ...schema };
  const words = anyOf.flatMap(({ const: word }: JsonObject) => (typeof word === "string" ? [word] : []));
  return words.length === anyOf.length ? { type: "string", enum: words, ...schema } : { anyOf, ...schema };
}

/** The paths with references in place of problems that several operations answer with, and those. */
function shareProblems(paths: DescribedPaths) {
  const seen = new Set<string>();
  const shared = new Map<string, unknown>();
  for (const { responses } of Object.values(paths).flatMap((operations) => Object.values(operations))) {
    for (const response of Object.values(responses)) {
      const name = nameProblem(response);
      if (name === undefined) continue;
      if (seen.has(name)) shared.set(name, response);
      seen.add(name);
    }
  }
  const sharing = mapOperations(paths, ({ responses, ...operation }) => ({
    ...operation,
    responses: mapValues(responses, (response) => {
      const name = nameProblem(response);
      return name !== undefined && shared.has(name) ? { $ref: `#/components/responses/${name}` } : response;
    }),
  }));
  return { sharing, problems: fromSorted(shared) };
}

/** The name of an answer by its problems, which are all that it says; undefined for one that is no refusal. */
function nameProblem({ content }: DescribedResponse): string | undefined {
  const problems = Object.keys(content?.[PROBLEM_TYPE]?.examples ?? {});
  return problems.length === 0 ? undefined : problems.map(toPascalCase).join("Or");
}

function toPascalCase(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function fromSorted(named: ReadonlyMap<string, unknown>): JsonObject {
  return Object.fromEntries([...named].toSorted(([one], [other]) => one.localeCompare(other)));
}

function withoutLastSlash<Operations>(paths: Readonly<Record<string, Operations>>): Record<string, Operations> {
  return Object.fromEntries(Object.entries(paths).map(([path, operations]) => [path.replace(/\/$/, ""), operations]));
}

function mapOperations<Operation, Result>(
  paths: Paths<Operation>,
  map: (operation: Operation) => Result,
): Paths<Result> {
  return mapValues(paths, (operations) => mapValues(operations, map));
}
