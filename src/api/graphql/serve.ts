/**
 * Owns how a request to `/graphql` becomes an answer. It is loaded with the first one.
 *
 * **Invariants**
 * - A GET changes nothing.
 * - An operation that takes long has signs of life, and no idle timeout.
 */
import type { GraphQLSchema } from "graphql";
import { createErrorAnswer } from "../../http/app.ts";
import { createEventStreams, readLastEventId } from "../../http/events.ts";
import { Heartbeat, type HttpConnection } from "../../http/hold.ts";
import type { ReadTraceparent } from "../../http/traceparent.ts";
import type { Log } from "../../log.ts";
import type { Tally } from "../../tally.ts";
import type { Context } from "./builder.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createGuard, type Guard } from "./errors.ts";
import { HeldExecution } from "./held-execution.ts";
import { readAsked, readPosted, type Parameters } from "./parameters.ts";
import { subscribe } from "./subscribe.ts";

export interface ServeOptions {
  readonly createSchema: (guard: Guard) => GraphQLSchema;
  readonly heartbeatSeconds: number;
  readonly readTraceparent: ReadTraceparent;
  readonly faults: Tally;
  readonly log: Log;
}

/** Answers a request; `address` is its sender's. Rejects with a ProblemError. */
export type Serve = (connection: HttpConnection, address: string) => Promise<Response>;

const RESULT = "application/graphql-response+json";

export function createServe({ createSchema, heartbeatSeconds, readTraceparent, faults, log }: ServeOptions): Serve {
  const answerError = createErrorAnswer(log, faults);
  const schema = createSchema(createGuard(answerError));
  const engine = createEngine(schema, log);
  const heartbeat = new Heartbeat(heartbeatSeconds);
  const streamEvents = createEventStreams();

  return async (connection, address) => {
    const { request } = connection;
    const parameters = request.method === "POST" ? await readPosted(request) : readAsked(request);
    const { headers } = request;
    const context = { request, address, traceparent: readTraceparent(headers), after: readLastEventId(headers) };
    const stream = await subscribe({ engine, schema, streamEvents }, connection, context, parameters);
    if (stream) return stream;
    const execution = execute(engine, context, parameters).catch((error: unknown) => answerError(error, request));
    return await new HeldExecution(connection, heartbeat, execution).answer;
  };
}

async function execute(engine: Engine, context: Context, { query, ...others }: Parameters): Promise<Response> {
  const { method, headers, signal } = context.request;
  const accept = headers.get("accept")?.includes(RESULT) ? RESULT : "application/json";
  const url = new URL("http://localhost/graphql");
  const isPost = method === "POST";
  if (!isPost) {
    url.searchParams.set("query", query);
    if (others.operationName) url.searchParams.set("operationName", others.operationName);
    if (others.variables) url.searchParams.set("variables", JSON.stringify(others.variables));
  }
  const body = isPost ? { method, body: JSON.stringify({ query, ...others }) } : undefined;
  const asked = new Request(url.href, { headers: { accept, "content-type": "application/json" }, signal, ...body });
  const answer = await engine.fetch(asked, context);
  answer.headers.set("Cache-Control", "no-store");
  return answer;
}
