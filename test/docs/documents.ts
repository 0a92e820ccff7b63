/**
 * Owns where the documents for people stand, and the OpenAPI documents that they are compared with.
 *
 * **Invariants**
 * - They come from a server that runs, and whose baristas' port asks for a token.
 */
import { join } from "node:path";
import { startServer } from "../support/server.ts";
import type { Document } from "./render.ts";

export const ROOT = join(import.meta.dir, "../..");
export const PROTOCOL = join(ROOT, "docs/protocol.md");
export const COMMAND_LINE = join(ROOT, "docs/command-line.md");
export const OPERATIONS = join(ROOT, "docs/operations.md");

/** The OpenAPI documents of both ports, by port. */
export async function readDocuments(): Promise<Record<"customers" | "baristas", Document>> {
  const server = await startServer({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
  const read = async (base: string): Promise<Document> =>
    (await (await fetch(`${base}/swagger/json`)).json()) as Document;
  const documents = { customers: await read(server.customers), baristas: await read(server.baristas) };
  await server.stop();
  return documents;
}
