/** Ends what the tests started, after the last of them. */
import { afterAll } from "bun:test";
import { stopSharedRedis } from "./redis.ts";
import { stopServers } from "./server.ts";

afterAll(async () => {
  await stopServers();
  await stopSharedRedis();
});
