/**
 * Owns how a subscription is answered: by a stream of its own, on the same machinery as all streams of events.
 *
 * **Invariants**
 * - A subscription passes the same checks as any operation before it is executed.
 * - A client that reads nothing is cut off, as every listener.
 */
import {
  createSourceEventStream,
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
} from "graphql";
import { concatBytes } from "../../events/sse-frame.ts";
import { answerFrames, answerHead, type StreamEvents } from "../../http/events.ts";
import type { HttpConnection } from "../../http/hold.ts";
import { answerJson } from "../../http/json.ts";
import type { Context } from "./builder.ts";
import type { Engine } from "./engine.ts";
import { describeRequestErrors } from "./errors.ts";
import { FeedSource, type Heard } from "./feed-source.ts";
import type { Parameters } from "./parameters.ts";
import { COMPLETE, encodeResult, TranslatingListener, Translation } from "./subscription-frames.ts";

interface Subscribing {
  readonly engine: Engine;
  readonly schema: GraphQLSchema;
  readonly streamEvents: StreamEvents;
}

const NO_STREAM = new GraphQLError("A subscription is a stream: send Accept: text/event-stream.");

/** Also where it takes anything. */
function takesStream({ headers }: Request): boolean {
  return /\btext\/event-stream\b|\*\/\*/i.test(headers.get("accept") ?? "*/*");
}

/** Undefined: the operation is no subscription, or no GraphQL at all. */
export async function subscribe(
  { engine, schema, streamEvents }: Subscribing,
  connection: HttpConnection,
  context: Context,
  { query, variables, operationName }: Parameters,
): Promise<Response | undefined> {
  const { parse, validate } = engine.getEnveloped({ ...context });
  const document = parseOrNothing(parse, query);
  if (!document || getOperationAST(document, operationName)?.operation !== OperationTypeNode.SUBSCRIPTION)
    return undefined;
  if (!takesStream(connection.request)) return answerFaults([NO_STREAM]);
  if (connection.request.method === "HEAD") return answerHead();
  const faults = validateAll(() => validate(schema, document));
  if (faults.length > 0) return answerFaults(faults);
  const operation: ExecutionArgs = {
    schema,
    document,
    contextValue: context,
    variableValues: variables,
    operationName,
  };
  const source = await createSourceEventStream(operation);
  if (source instanceof FeedSource) return answerSource(source, operation, connection, context, streamEvents);
  if (!("errors" in source)) throw new TypeError("a subscription listens to no feed");
  const { errors = [] } = source;
  // Without a path it is the request that is wrong, such as a variable.
  if (errors.every(({ path }) => path === undefined)) return answerFaults(errors);
  return answerFrames(concatBytes([encodeResult({ errors, data: null }), COMPLETE]));
}

function answerSource(
  { heard }: { readonly heard: Heard<unknown> },
  operation: ExecutionArgs,
  connection: HttpConnection,
  { after }: Context,
  streamEvents: StreamEvents,
): Response {
  if (heard.kind !== "live") {
    const translation = new Translation(operation, {});
    const last = heard.kind === "over" ? translation.translate(heard.frames) : translation.show(heard.data);
    return answerFrames(concatBytes([last, COMPLETE]));
  }
  const { subscription, wanted, longestMs, release } = heard;
  let cutting: ReturnType<typeof setTimeout> | undefined;
  return streamEvents({
    connection,
    subscription: {
      follow: ({ listener: stream, ...following }) => {
        const listener = new TranslatingListener(stream, new Translation(operation, wanted));
        if (longestMs !== undefined) cutting = setTimeout(() => listener.end(), longestMs);
        subscription.follow({ ...following, listener });
      },
      unsubscribe: () => subscription.unsubscribe(),
    },
    wanted,
    after,
    onOver: () => {
      clearTimeout(cutting);
      release();
    },
  });
}

function parseOrNothing(parse: (query: string) => DocumentNode, query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch (error) {
    // Its execution says what is wrong.
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
}

/** A limit throws what it finds. */
function validateAll(validate: () => readonly GraphQLError[]): readonly GraphQLError[] {
  try {
    return validate();
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function answerFaults(errors: readonly GraphQLError[]): Response {
  const said = describeRequestErrors(errors).map((error) => {
    const { message, locations, extensions } = error.toJSON();
    const { http: _, ...shown } = extensions ?? {};
    return { message, locations, extensions: shown };
  });
  return answerJson(JSON.stringify({ errors: said }), { status: 400 });
}
