/** `bun run docs` writes the generated parts of docs/protocol.md anew, from the OpenAPI documents of a server. */
import { stopSharedRedis } from "../support/redis.ts";
import { stopServers } from "../support/server.ts";
import { PROTOCOL, readDocuments } from "./documents.ts";
import { renderBlocks, writeBlocks } from "./render.ts";

try {
  const blocks = renderBlocks(await readDocuments());
  await Bun.write(PROTOCOL, writeBlocks(await Bun.file(PROTOCOL).text(), blocks));
} finally {
  await stopServers();
  await stopSharedRedis();
}
