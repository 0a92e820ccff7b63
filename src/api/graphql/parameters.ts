/**
 * Owns what a request of GraphQL brings, in a body or in a query (GraphQL over HTTP).
 *
 * **Invariants**
 * - A body is bounded.
 */
import { Type, type Static } from "@sinclair/typebox";
import { createBodyReader, missingBody } from "../../http/input.ts";
import { InvalidInputError } from "../../problem.ts";

/** A query with a thousand aliases is read, and refused by its limit. */
const BODY_LIMIT_BYTES = 64 * 1024;

const Parameters = Type.Object(
  {
    query: Type.String({ description: "the text of the operation" }),
    operationName: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: "a name, or null" })),
    variables: Type.Optional(
      Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()], { description: "an object, or null" }),
    ),
  },
  { description: "an object with `query`" },
);
export type Parameters = Static<typeof Parameters>;

const readBody = createBodyReader(Parameters, { limitBytes: BODY_LIMIT_BYTES });

/** Rejects with a ProblemError. */
export async function readPosted(request: Request): Promise<Parameters> {
  const parameters = await readBody(request);
  if (parameters) return parameters;
  throw missingBody(Parameters.description);
}

/** Throws a ProblemError. */
export function readAsked({ url }: Request): Parameters {
  const given = new URL(url).searchParams;
  const query = given.get("query");
  if (query === null) throw new InvalidInputError([{ field: "query", detail: "is missing: it must be an operation" }]);
  const operationName = given.get("operationName");
  return { query, operationName, variables: readVariables(given.get("variables")) };
}

function readVariables(text: string | null): Parameters["variables"] {
  if (text === null) return null;
  try {
    const variables: unknown = JSON.parse(text);
    if (typeof variables === "object" && variables !== null && !Array.isArray(variables)) return { ...variables };
  } catch {
    // The same fault as any other value.
  }
  throw new InvalidInputError([{ field: "variables", detail: "must be a JSON object" }]);
}
