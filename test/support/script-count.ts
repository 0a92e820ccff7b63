/**
 * Owns how many scripts Redis runs for a shop, as MONITOR shows them.
 *
 * It is a socket of its own: ioredis loses its place where another client's command comes with the answer to MONITOR.
 *
 * **Invariants**
 * - What Redis runs after `countScripts` has resolved is counted, until it is disposed of.
 */
import { connect } from "node:net";
import { createInterface } from "node:readline";
import type { TestRedis } from "./redis.ts";

export interface ScriptCount extends Disposable {
  readonly scripts: number;
}

/** Begins to count. The scripts of a shop are those whose key begins with its name. */
export async function countScripts({ port }: TestRedis, shop: string): Promise<ScriptCount> {
  const socket = connect(port, "127.0.0.1");
  const begun = Promise.withResolvers<void>();
  const count = { scripts: 0, [Symbol.dispose]: () => void socket.destroy() };
  socket.once("error", begun.reject);
  createInterface(socket).on("line", (line) => {
    if (line === "+OK") begun.resolve();
    else if (/ "(?:evalsha|fcall)" /i.test(line) && line.includes(` "{${shop}}:"`)) count.scripts += 1;
  });
  socket.write("MONITOR\r\n");
  await begun.promise;
  return count;
}
