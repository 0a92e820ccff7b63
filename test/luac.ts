/**
 * Compiles every Lua script without running it, as part of `bun run check`. Prints one line a fault, and exits with 1
 * if there is any. Redis runs Lua 5.1, so that is the compiler looked for first.
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { StartError } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";
import { installProgram } from "../src/redis/install.ts";

const LUAC = {
  names: ["luac5.1", "luac-5.1", "luac"],
  packages: { "apt-get": "lua5.1", dnf: "compat-lua", apk: "lua5.1", pacman: "lua51", zypper: "lua51", brew: "lua" },
  byHand: "install Lua 5.1, which brings luac",
} as const;

const cwd = dirname(import.meta.dir);

try {
  const luac = await installProgram(LUAC, { log: createLog({ level: "info", terminal: true }) });
  for (const script of [...new Bun.Glob("redis/**/*.lua").scanSync(cwd)].toSorted()) {
    const { status, stderr, error } = spawnSync(luac, ["-p", script], { cwd, encoding: "utf8" });
    if (status === 0) continue;
    console.error(error?.message ?? stderr.trim());
    process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
