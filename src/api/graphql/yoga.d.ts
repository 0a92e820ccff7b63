/**
 * Owns the types of graphql-yoga, as far as it is used here.
 *
 * Its own ask for the types of browsers. With them `Response` and `ReadableStream` would no longer mean Bun's, in all
 * of this project and in each that embeds the server.
 *
 * **Invariants**
 * - Nothing else imports graphql-yoga.
 */
import type { DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema } from "graphql";

interface Processing {
  readonly result: ExecutionResult;
  setResult(result: ExecutionResult): void;
}

export interface Plugin {
  readonly onResultProcess?: (processing: Processing) => void;
}

export interface YogaOptions {
  readonly schema: GraphQLSchema;
  /** Ours, and those for Envelop, on which it stands. */
  readonly plugins: readonly object[];
  readonly maskedErrors: { readonly maskError: (error: unknown) => Error };
  readonly graphiql: false;
  readonly landingPage: false;
  readonly cors: false;
  readonly multipart: false;
  readonly logging: false;
}

export interface Yoga<Context> {
  fetch(request: Request, context: Context): Promise<Response> | Response;
  /** What it parses and checks with: its plugins included. */
  getEnveloped(context: Context): {
    readonly parse: (query: string) => DocumentNode;
    readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  };
}

export declare function createYoga<Context>(options: YogaOptions): Yoga<Context>;
