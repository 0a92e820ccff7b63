/** The schemas in the documents are those that the ports serve. */
import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readSchemas, SCHEMA_FILES } from "../docs/schemas.ts";
import { startServer, type Server } from "../support/server.ts";

setDefaultTimeout(60_000);

let server: Server;

beforeAll(async () => {
  server = await startServer();
});

test.each(["customers", "baristas"] as const)("of the %s' port (`bun run docs` writes it)", async (port) => {
  const schemas = await readSchemas(server);
  expect(await Bun.file(SCHEMA_FILES[port]).text()).toBe(schemas[port]);
});
