/**
 * Owns what all of the GraphQL schemas is built with: the builder, its scalars, and what a resolver knows of a request.
 *
 * **Invariants**
 * - A field is non-null unless it says otherwise.
 */
import SchemaBuilder from "@pothos/core";
import type { EventId } from "../../events/event.ts";

/** The request that an operation came with. */
export interface Context {
  readonly request: Request;
  /** The sender, as limits count it. */
  readonly address: string;
  /** Of the request, where something is traced. */
  readonly traceparent: string | undefined;
  /** The last event that a subscriber has. */
  readonly after: EventId | undefined;
}

/** Makes an empty schema, with scalars for times and for what machines take and give. */
export function createBuilder() {
  const builder = new SchemaBuilder<{
    Context: Context;
    DefaultFieldNullability: false;
    Scalars: {
      ID: { Input: string; Output: string };
      DateTime: { Input: string; Output: string };
      JSON: { Input: unknown; Output: unknown };
    };
  }>({ defaultFieldNullability: false });
  builder.scalarType("DateTime", {
    description: "A time such as 2026-11-20T09:30:00.120Z (RFC 3339).",
    serialize: (value) => value,
  });
  builder.scalarType("JSON", { description: "Any JSON.", serialize: (value) => value });
  return builder;
}

export type Builder = ReturnType<typeof createBuilder>;
