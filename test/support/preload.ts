/** Prepares each process of tests, and ends what the tests started, after the last of them. */
import { afterAll } from "bun:test";
import { stopSharedRedis } from "./redis.ts";
import { compileRunes } from "./runes.ts";
import { stopServers } from "./server.ts";

compileRunes();

afterAll(async () => {
  await stopServers();
  await stopSharedRedis();
});
