/**
 * Owns how tests run a program with the rights that compose.yaml leaves to its containers: no capability, and none to
 * be had. Where the tests do not run as root, they have none to give away.
 */
import { chownSync } from "node:fs";
import { userInfo } from "node:os";
import { installProgram } from "../../src/redis/install.ts";
import { SETPRIV } from "./programs.ts";
import { silent } from "./redis.ts";

const NOBODY = 65_534;

export function isRoot(): boolean {
  return userInfo().uid === 0;
}

/** What to put before a command so that it runs without rights; it may write to `folder`. */
export async function withoutRights(folder: string): Promise<readonly string[]> {
  if (!isRoot()) return [];
  chownSync(folder, NOBODY, NOBODY);
  const setpriv = await installProgram(SETPRIV, { log: silent });
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return [setpriv, ...user, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
}
