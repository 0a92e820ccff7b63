/**
 * `bun run docs` writes the generated parts of the documents anew: from the OpenAPI documents of a server, and from the
 * commands.
 */
import { stopSharedRedis } from "../support/redis.ts";
import { startServer, stopServers } from "../support/server.ts";
import { renderCommands } from "./commands.ts";
import { COMMAND_LINE, PROTOCOL, readDocuments } from "./documents.ts";
import { renderBlocks, writeBlocks } from "./render.ts";
import { readSchemas, SCHEMA_FILES } from "./schemas.ts";

try {
  await Bun.write(COMMAND_LINE, writeBlocks(await Bun.file(COMMAND_LINE).text(), renderCommands()));
  const blocks = renderBlocks(await readDocuments());
  const schemas = await readSchemas(await startServer());
  await Promise.all([
    Bun.write(SCHEMA_FILES.customers, schemas.customers),
    Bun.write(SCHEMA_FILES.baristas, schemas.baristas),
  ]);
  await Bun.write(PROTOCOL, writeBlocks(await Bun.file(PROTOCOL).text(), blocks));
} finally {
  await stopServers();
  await stopSharedRedis();
}
