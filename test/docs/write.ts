/**
 * `bun run docs` writes the generated parts of the documents anew: from the OpenAPI documents of a server, and from the
 * commands.
 */
import { stopSharedRedis } from "../support/redis.ts";
import { stopServers } from "../support/server.ts";
import { renderCommands } from "./commands.ts";
import { COMMAND_LINE, PROTOCOL, readDocuments } from "./documents.ts";
import { renderBlocks, writeBlocks } from "./render.ts";

try {
  await Bun.write(COMMAND_LINE, writeBlocks(await Bun.file(COMMAND_LINE).text(), renderCommands()));
  const blocks = renderBlocks(await readDocuments());
  await Bun.write(PROTOCOL, writeBlocks(await Bun.file(PROTOCOL).text(), blocks));
} finally {
  await stopServers();
  await stopSharedRedis();
}
