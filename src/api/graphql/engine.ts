/**
 * Owns how operations are parsed, checked and executed: graphql-yoga, with our limits and our words.
 *
 * **Invariants**
 * - An operation that is too deep, too costly or has too many aliases is never executed.
 * - Without an answer of ours, no error says what went wrong inside.
 */
import { costLimitPlugin } from "@escape.tech/graphql-armor-cost-limit";
import { maxAliasesPlugin } from "@escape.tech/graphql-armor-max-aliases";
import { maxDepthPlugin } from "@escape.tech/graphql-armor-max-depth";
import type { GraphQLSchema } from "graphql";
import type { Log } from "../../log.ts";
import type { Context } from "./builder.ts";
import { createMask, describeRequestErrors } from "./errors.ts";
import { createYoga, type Plugin } from "./yoga.js";

/** The deepest field of the schema stands at 5; fragments count too. */
const MAX_DEPTH = 10;
const MAX_ALIASES = 15;
/** A list of 200 whole orders costs 17,000. */
const MAX_COST = 20_000;

export type Engine = ReturnType<typeof createEngine>;

export function createEngine(schema: GraphQLSchema, log: Log) {
  const maskError = createMask((error) => log.error({ err: error }, "a GraphQL operation failed"));
  return createYoga<Context>({
    schema,
    plugins: [
      maxDepthPlugin({ n: MAX_DEPTH }),
      maxAliasesPlugin({ n: MAX_ALIASES }),
      costLimitPlugin({ maxCost: MAX_COST }),
      describing,
    ],
    maskedErrors: { maskError },
    // What the port itself does: its pages, its probes, its origins, its log.
    graphiql: false,
    landingPage: false,
    cors: false,
    multipart: false,
    logging: false,
  });
}

/** A result without data was not executed: it is the request that is wrong. */
const describing: Plugin = {
  onResultProcess: (processing) => {
    const { result } = processing;
    if (!result.errors || "data" in result) return;
    processing.setResult({ ...result, errors: describeRequestErrors(result.errors) });
  },
};
