/**
 * Owns the GraphQL schemas in `docs/graphql/`, as a running server answers to introspection.
 *
 * **Invariants**
 * - They are sorted: nothing but a change of a schema changes a file.
 */
import { join } from "node:path";
import { buildClientSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from "graphql";
import type { IntrospectionQuery } from "graphql";
import { ask, expectStatus, type Ports } from "../support/http.ts";
import { ROOT } from "./documents.ts";

export const SCHEMA_FILES = {
  customers: join(ROOT, "docs/graphql/customers.graphql"),
  baristas: join(ROOT, "docs/graphql/baristas.graphql"),
};

export async function readSchemas(ports: Ports) {
  return { customers: await readSchema(ports.customers), baristas: await readSchema(ports.baristas) };
}

async function readSchema(base: string): Promise<string> {
  const answer = await ask(`${base}/graphql`, { method: "POST", json: { query: getIntrospectionQuery() } });
  expectStatus(answer, 200);
  const { data } = answer.body as { data: IntrospectionQuery };
  return `${printSchema(lexicographicSortSchema(buildClientSchema(data)))}\n`;
}
