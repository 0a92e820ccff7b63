/**
 * Owns how what goes wrong is said in GraphQL: as an error with the words of the problem, and its name as `code`.
 *
 * **Invariants**
 * - An error says what a problem would say over HTTP, and shows nothing internal.
 * - What is wrong with a whole request, and not with one field, is answered with 400.
 */
import { GraphQLError } from "graphql";
import { exampleOf, ProblemError, type FieldFault } from "../../problem.ts";
import type { Context } from "./builder.ts";

/** A problem that a resolver meets, as the answer that it would be over HTTP. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly answer: Response;

  constructor(answer: Response) {
    super("refused");
    this.answer = answer;
  }
}

interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly FieldFault[];
  readonly order_status?: string;
}

const TYPE = exampleOf("internal").type.slice(0, -"internal".length);

async function toGraphQLError(answer: Response): Promise<GraphQLError> {
  const { type, detail, ...members } = (await answer.json()) as ProblemBody;
  const retryAfter = answer.headers.get("retry-after");
  const waits = retryAfter === null ? undefined : { retry_after_seconds: Number(retryAfter) };
  return new GraphQLError(detail, { extensions: { code: type.slice(TYPE.length), ...members, ...waits } });
}

export type AnswerError = (error: unknown, request: Request) => Response;

/** Runs what a resolver does; what it throws becomes an error that its client may read. */
export type Guard = <Result>(context: Context, work: () => Promise<Result> | Result) => Promise<Result>;

export function createGuard(answerError: AnswerError): Guard {
  const answerTo = (error: unknown, request: Request): Response => {
    if (error instanceof RefusedError) return error.answer;
    return error instanceof ProblemError ? error.answer() : answerError(error, request);
  };
  return async (context, work) => {
    try {
      return await work();
    } catch (error) {
      throw await toGraphQLError(answerTo(error, context.request));
    }
  };
}

/** The errors of a request that was not executed, with a code, and 400 for their answer. */
export function describeRequestErrors(errors: readonly GraphQLError[]): GraphQLError[] {
  const { title, status } = exampleOf("malformed_query");
  return errors.map((error) => {
    const own = isOurs(error) ? error.extensions : undefined;
    const extensions = { code: "malformed_query", title, status, ...own, http: { status } };
    // The limits call what they refuse a syntax error: it is none.
    const message = error.message.replace(/^Syntax Error: (?=Aliases limit|Query)/, "");
    return new GraphQLError(message, {
      nodes: error.nodes,
      source: error.source,
      positions: error.positions,
      extensions,
    });
  });
}

/** Whether it has the name of a problem, and not a code of the library's. */
function isOurs({ extensions: { code } }: GraphQLError): boolean {
  return typeof code === "string" && /^[a-z_]+$/.test(code);
}

/** Makes what hides an error that no guard has met: it is a fault of ours. */
export function createMask(logError: (error: unknown) => void) {
  return (error: unknown): Error => {
    if (error instanceof GraphQLError && (error.originalError === undefined || error.extensions.code !== undefined)) {
      return error;
    }
    logError(error);
    const { title, status, detail } = exampleOf("internal");
    return new GraphQLError(detail, { extensions: { code: "internal", title, status } });
  };
}
