/** Owns how routes are described in the OpenAPI document. Always holds: every status that a route can answer is there, with an example. */
import type { TObject, TSchema } from "@sinclair/typebox";
import type { DocumentDecoration } from "elysia";
import { exampleOf, type ProblemName } from "../problem.ts";
import { OPEN } from "./gate.ts";

interface Answer {
  readonly description: string;
  readonly schema?: TSchema;
  readonly example?: unknown;
  /** Headers worth knowing, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface HeaderParameter {
  readonly name: string;
  readonly description: string;
}

export interface Documentation {
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly body?: { readonly schema: TSchema; readonly required: boolean };
  readonly headers?: readonly HeaderParameter[];
  readonly query?: TObject;
  readonly answers: Readonly<Record<number, Answer>>;
  readonly problems?: readonly ProblemName[];
  /** Whether a guarded port answers it without credentials. */
  readonly isOpen?: boolean;
}

const PROBLEM_TYPE = "application/problem+json";

/** What any route answers to a request that does not say plainly where it goes. */
const EDGE_PROBLEMS = ["malformed_host", "malformed_target"] as const satisfies readonly ProblemName[];

/** A route's options, with its description. Path parameters are described by their own schemas. */
export function documented({
  tag,
  summary,
  description,
  body,
  headers = [],
  query,
  answers,
  problems = [],
  isOpen = false,
}: Documentation) {
  const detail: DocumentDecoration = {
    tags: [tag],
    summary,
    description: description ?? summary,
    parameters: [...queryParameters(query), ...headers.map(headerParameter)],
    ...(body ? { requestBody: requestBody(body) } : undefined),
    ...(isOpen ? OPEN : undefined),
    responses: {
      ...mapValues(answers, toResponse),
      ...problemResponses([...EDGE_PROBLEMS, ...problems.flatMap(withCompany)]),
    },
  };
  return { detail };
}

/** Without an example: Swagger UI would send it unasked. */
function headerParameter({ name, description }: HeaderParameter) {
  return { name, in: "header" as const, required: false, description, schema: { type: "string" as const } };
}

function queryParameters(query: TObject | undefined) {
  return Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: "query" as const,
    required: query?.required?.includes(name) ?? false,
    description: schema.description ?? name,
    schema,
  }));
}

function requestBody({ schema, required }: { schema: TSchema; required: boolean }) {
  return { required, content: { "application/json": { schema, example: firstExample(schema) } } };
}

function toResponse({ description, schema, example, headers }: Answer) {
  const shown = example ?? (schema && firstExample(schema));
  return {
    description,
    ...(headers
      ? { headers: mapValues(headers, (text) => ({ description: text, schema: { type: "string" as const } })) }
      : undefined),
    ...(shown === undefined
      ? undefined
      : { content: { "application/json": { ...(schema ? { schema } : undefined), example: shown } } }),
  };
}

/** Who asks for a token refuses guesses too; who does not, other sites. */
function withCompany(name: ProblemName): ProblemName[] {
  return name === "unauthorized" ? [name, "too_many_tokens", "cross_site"] : [name];
}

/** Problems of one status share a response, with an example each. */
function problemResponses(names: readonly ProblemName[]) {
  const byStatus = Map.groupBy(names, (name) => exampleOf(name).status);
  const entries = [...byStatus].map(([status, group]) => {
    const titles = group.map((name) => exampleOf(name).title);
    const examples = Object.fromEntries(group.map((name) => [name, { value: exampleOf(name) }]));
    return [status, { description: titles.join("; "), content: { [PROBLEM_TYPE]: { examples } } }] as const;
  });
  return Object.fromEntries(entries);
}

interface DescribedResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly examples?: Readonly<Record<string, unknown>> }>>;
}

type DescribedResponses = Readonly<Record<string, DescribedResponse>>;

/** An OpenAPI document, as far as it is looked at here. */
export interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: DescribedResponses }>>>>;
}

/** The document with these problems among those of every route. */
export function describeEverywhere({ paths, ...document }: Described, names: readonly ProblemName[]): Described {
  const added: DescribedResponses = problemResponses(names);
  const described = mapValues(paths, (operations) =>
    mapValues(operations, ({ responses, ...operation }) => ({
      ...operation,
      responses: { ...responses, ...mapValues(added, (more, status) => mergeResponses(responses[status], more)) },
    })),
  );
  return { ...document, paths: described };
}

/** Problems of one status share a response here too. */
function mergeResponses(own: DescribedResponse | undefined, more: DescribedResponse): DescribedResponse {
  if (!own) return more;
  const examples = { ...own.content?.[PROBLEM_TYPE]?.examples, ...more.content?.[PROBLEM_TYPE]?.examples };
  return { description: `${own.description}; ${more.description}`, content: { [PROBLEM_TYPE]: { examples } } };
}

function firstExample(schema: TSchema): unknown {
  return Array.isArray(schema.examples) ? (schema.examples[0] as unknown) : undefined;
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
