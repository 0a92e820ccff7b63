/**
 * Owns how a call of a script is written to Redis, in its protocol
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/).
 *
 * A run has hundreds of arguments: ioredis would count the bytes of each, and put its text together from five.
 *
 * **Invariants**
 * - Before each argument stands its length in bytes, whatever its characters.
 */
import { Command } from "ioredis";
import type { Argument, Script } from "./script.ts";

/** EVALSHA or FCALL with one key, which is the prefix of all that a script touches. */
export class ScriptCall extends Command {
  readonly #text: string;

  constructor({ command, id }: Script, prefix: string, args: readonly Argument[]) {
    super(command, [], { replyEncoding: "utf8" });
    const words = [command, id, "1", prefix, ...args];
    const text = write(words, ({ length }) => length);
    // Where they differ some character has several bytes.
    this.#text = Buffer.byteLength(text) === text.length ? text : write(words, (word) => Buffer.byteLength(word));
  }

  override toWritable(): string {
    return this.#text;
  }
}

function write(words: readonly Argument[], bytesOf: (word: string) => number): string {
  const parts = [`*${words.length}`];
  for (const word of words) {
    const text = String(word);
    parts.push(`$${bytesOf(text)}`, text);
  }
  parts.push("");
  return parts.join("\r\n");
}
