/**
 * Owns the GraphQL clients of the tests: those of public libraries, pointed at a running server.
 *
 * **Invariants**
 * - A client caches nothing: each operation is a request.
 */
import { Client, fetchExchange } from "@urql/core";
import { expect } from "bun:test";
import { createClient, type Client as StreamClient } from "graphql-sse";
import { unmark } from "../support/words.ts";

type Variables = Readonly<Record<string, unknown>>;
type Headers = Readonly<Record<string, string>>;

/** An error as our schemas give it. */
export interface SaidError {
  readonly message: string;
  readonly path?: readonly unknown[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>>;
}

export interface Result<Data> {
  readonly data: Data | null | undefined;
  readonly errors: readonly SaidError[];
}

/** Runs queries and mutations with urql. */
export class Operations {
  readonly #client: Client;

  constructor(base: string, headers: Headers = {}) {
    const url = `${base}/graphql`;
    this.#client = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false, fetchOptions: { headers } });
  }

  async run<Data>(operation: string, variables: Variables = {}): Promise<Result<Data>> {
    const isMutation = operation.trimStart().startsWith("mutation");
    const client = this.#client;
    const sent = isMutation ? client.mutation<Data>(operation, variables) : client.query<Data>(operation, variables);
    const { data, error } = await sent.toPromise();
    if (error?.networkError) throw error.networkError;
    const read = data && (JSON.parse(unmark(JSON.stringify(data))) as Data);
    return { data: read, errors: error?.graphQLErrors ?? [] };
  }

  /** The one field of an operation that must succeed. */
  async get<Data>(operation: string, variables: Variables = {}): Promise<Data> {
    const { data, errors } = await this.run<Record<string, Data>>(operation, variables);
    expect(errors).toEqual([]);
    const [value] = Object.values(data ?? {});
    if (value === undefined) throw new Error("the operation answered nothing");
    return value;
  }

  /** The error of an operation that must fail in one field. */
  async getError(operation: string, variables: Variables = {}): Promise<SaidError> {
    const { errors } = await this.run(operation, variables);
    expect(errors).toHaveLength(1);
    const [error] = errors;
    if (!error) throw new Error("the operation did not fail");
    return error;
  }
}

/** Runs subscriptions with graphql-sse, without trying again. */
export function openStreams(base: string, headers: Headers = {}): StreamClient {
  return createClient({ url: `${base}/graphql`, headers, retryAttempts: 0 });
}
