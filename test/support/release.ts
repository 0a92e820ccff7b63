/**
 * Owns the next release of the server, made for the tests of data formats: the same but for its format and its version.
 *
 * **Invariants**
 * - Each change that it makes is found exactly once in the source, or making it fails.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

export const NEXT_VERSION = "99.0.0";

/** A folder with a release that writes format 3, and reads format 2. */
export class NextRelease implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "longpour-release-"));

  constructor() {
    for (const part of ["src", "redis", "package.json"]) {
      cpSync(join(root, part), join(this.folder, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"));
    this.#change("redis/lib/order.lua", "local FORMAT = '2'", "local FORMAT = '3'");
    this.#change(
      "redis/lib/order.lua",
      "local function upgrade_record(record)\n",
      "local function upgrade_record(record)\n  if string.sub(record, 1, 2) == '2\\n' then return '3' .. string.sub(record, 2) end\n",
    );
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    this.#change("package.json", `"version": "${version}"`, `"version": "${NEXT_VERSION}"`);
  }

  #change(path: string, before: string, after: string): void {
    const file = join(this.folder, path);
    const parts = readFileSync(file, "utf8").split(before);
    if (parts.length !== 2) throw new Error(`${path} holds this ${parts.length - 1} times: ${before}`);
    writeFileSync(file, parts.join(after));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
