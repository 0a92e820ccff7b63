/**
 * Installs the programs that the tests need, one after the other and before any test runs: files that run side by side
 * would stand in each other's way, as package managers lock their lists.
 */
import { StartError } from "../src/lifecycle.ts";
import { createLog } from "../src/log.ts";
import { REDIS } from "../src/redis/embedded/server.ts";
import { installProgram } from "../src/redis/install.ts";
import * as programs from "./support/programs.ts";
import { isRoot } from "./support/rights.ts";

const log = createLog({ level: "info", terminal: true });
for (const program of [REDIS, ...Object.values(programs)]) {
  if (program === programs.SETPRIV && !isRoot()) continue;
  try {
    await installProgram(program, { log });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    // The tests that need it are skipped.
    if (program === programs.PROMETHEUS) continue;
    process.exitCode = error.exitCode;
    break;
  }
}
