/**
 * Owns how routes are described in the OpenAPI document.
 *
 * **Invariants**
 * - Every status that a route can answer is there, with an example.
 */
import { Type, type TObject, type TSchema } from "@sinclair/typebox";
import type { DocumentDecoration } from "elysia";
import { exampleOf, type ProblemName } from "../problem.ts";
import { OPEN } from "./gate.ts";

interface Answer {
  readonly description: string;
  readonly schema?: TSchema;
  readonly example?: unknown;
  /** Of its content, where it is no JSON. */
  readonly type?: string;
  /** An example of the same in each other content type. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Headers worth knowing, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface HeaderParameter {
  readonly name: string;
  readonly description: string;
}

export interface Documentation {
  /** The verb of the route, as code made from the document calls it. */
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly body?: { readonly schema: TSchema; readonly required: boolean };
  readonly headers?: readonly HeaderParameter[];
  /** Of the path. */
  readonly params?: TObject;
  readonly query?: TObject;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly problems?: readonly ProblemName[];
  /** Whether a guarded port answers it without credentials. */
  readonly isOpen?: boolean;
}

export const PROBLEM_TYPE = "application/problem+json";

/** The tag of the probes: they answer whatever else the port refuses. */
export const HEALTH_TAG = "Health";

/** The answers of any route to a request that does not say plainly where it goes. */
const EDGE_PROBLEMS = ["malformed_host", "malformed_target"] as const satisfies readonly ProblemName[];

/** A route's options, with its description. */
export function documented({
  operationId,
  tag,
  summary,
  description,
  body,
  headers = [],
  params,
  query,
  answers,
  problems = [],
  isOpen = false,
}: Documentation) {
  const detail: DocumentDecoration = {
    operationId,
    tags: [tag],
    summary,
    description: description ?? summary,
    parameters: [...describeFields("path", params), ...describeFields("query", query), ...headers.map(headerParameter)],
    ...(body ? { requestBody: requestBody(body) } : undefined),
    ...(isOpen ? OPEN : undefined),
    responses: {
      ...mapValues(answers, toResponse),
      ...problemResponses([...EDGE_PROBLEMS, ...(tag === HEALTH_TAG ? problems : problems.flatMap(withCompany))]),
    },
  };
  return { detail };
}

/** Without an example: Swagger UI would send it unasked. */
function headerParameter({ name, description }: HeaderParameter) {
  return { name, in: "header" as const, required: false, description, schema: { type: "string" as const } };
}

function describeFields(where: "path" | "query", fields: TObject | undefined) {
  return Object.entries(fields?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: where,
    required: fields?.required?.includes(name) ?? false,
    description: schema.description ?? name,
    schema,
  }));
}

function requestBody({ schema, required }: { schema: TSchema; required: boolean }) {
  return { required, content: { "application/json": { schema, example: firstExample(schema) } } };
}

function toResponse({ description, schema, example, type = "application/json", texts = {}, headers }: Answer) {
  const asText = mapValues(texts, (text) => ({ schema: { type: "string" as const }, example: text }));
  const shown = example ?? (schema && firstExample(schema));
  return {
    description,
    ...(headers
      ? { headers: mapValues(headers, (text) => ({ description: text, schema: { type: "string" as const } })) }
      : undefined),
    ...(shown === undefined
      ? undefined
      : { content: { [type]: { ...(schema ? { schema } : undefined), example: shown }, ...asText } }),
  };
}

/**
 * Problems that come with others: a route that can miss an order or Redis can find its record damaged too. A route that
 * reads orders may find that they belong to a newer version: then the server stops.
 */
const COMPANY: Readonly<Partial<Record<ProblemName, readonly ProblemName[]>>> = {
  // A port that asks for a token refuses guesses too; one that does not, other sites.
  unauthorized: ["too_many_tokens", "cross_site"],
  order_unknown: ["order_damaged", "closing"],
  payment_unknown: ["order_damaged", "closing"],
  redis_away: ["shop_damaged"],
};

function withCompany(name: ProblemName): ProblemName[] {
  return [name, ...(COMPANY[name] ?? [])];
}

/** Problems of one status share a response, with an example each. */
export function problemResponses(names: readonly ProblemName[]) {
  const byStatus = Map.groupBy(new Set(names.toSorted()), (name) => exampleOf(name).status);
  const entries = [...byStatus].map(([status, group]) => {
    const titles = group.map((name) => exampleOf(name).title);
    const examples = Object.fromEntries(group.map((name) => [name, { value: exampleOf(name) }]));
    const content = { [PROBLEM_TYPE]: { schema: problemSchema(status, group), examples } };
    return [status, { description: titles.join("; "), ...PROBLEM_HEADERS[status], content }] as const;
  });
  return Object.fromEntries(entries);
}

/** The body of a problem (RFC 9457). */
const Problem = Type.Object(
  {
    type: Type.String({ format: "uri", description: "urn:longpour:problem: and the problem's name" }),
    title: Type.String(),
    status: Type.Integer({ description: "the status of the answer" }),
    detail: Type.String({ description: "what to do" }),
    errors: Type.Optional(
      Type.Array(Type.Object({ field: Type.String(), detail: Type.String() }, { additionalProperties: false }), {
        description: "each faulty field",
      }),
    ),
    order_status: Type.Optional(Type.String({ description: "the state that the order is in" })),
  },
  { $id: "Problem", additionalProperties: false },
);

/** One of these problems. */
export function problemSchema(status: number, names: readonly string[]): TSchema {
  const type = Type.Union(names.map((name) => Type.Literal(`urn:longpour:problem:${name}`)));
  return Type.Intersect([Problem, Type.Object({ type, status: Type.Literal(status) })]);
}

const headers = (name: string, description: string) => ({
  headers: { [name]: { description, required: true, schema: { type: "string" as const } } },
});

/** The headers that come with every problem of a status. */
const PROBLEM_HEADERS: Readonly<Record<number, ReturnType<typeof headers>>> = {
  401: headers("WWW-Authenticate", "Bearer"),
  429: headers("Retry-After", "seconds after which to ask again"),
  503: headers("Retry-After", "seconds after which to ask again"),
};

function firstExample(schema: TSchema): unknown {
  return Array.isArray(schema.examples) ? (schema.examples[0] as unknown) : undefined;
}

export function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
