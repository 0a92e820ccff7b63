/**
 * `bun run build`: writes what the package has beside its sources into `dist/`: the client as JavaScript for any
 * runtime, and the types of both entries.
 *
 * **Invariants**
 * - The client is one file that imports nothing.
 * - Of the types stand there only those that an entry leads to.
 */
import { existsSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");
const dist = join(root, "dist");
/** Where tsc writes all types: see tsconfig.types.json. */
const all = join(dist, "all/src");

await rm(dist, { recursive: true, force: true });
await buildClient();
await Bun.$`${process.execPath} node_modules/.bin/tsc -p tools/tsconfig.types.json`.cwd(root);
for (const file of await findReachable(["index.d.ts", "client/index.d.ts"].map((entry) => join(all, entry)))) {
  await cp(file, join(dist, "types", relative(all, file)));
}
await rm(join(dist, "all"), { recursive: true });

async function buildClient(): Promise<void> {
  const entrypoints = [join(root, "src/client/index.ts")];
  const { outputs } = await Bun.build({ entrypoints, target: "browser", outdir: dist, naming: "client.js" });
  const [client, ...others] = outputs;
  const text = (await client?.text()) ?? "";
  if (others.length > 0 || /^import\b/m.test(text)) throw new Error("the client is more than one file");
}

/** These files, and those that they import. */
async function findReachable(entries: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>(entries);
  for (const file of found) {
    const text = await Bun.file(file).text();
    for (const [, path = ""] of text.matchAll(/(?:from |import\()"(\.{1,2}\/[^"]+)\.ts"/g)) {
      const imported = join(dirname(file), `${path}.d.ts`);
      if (!existsSync(imported)) throw new Error(`${file} imports what is not there: ${path}`);
      found.add(imported);
    }
  }
  return found;
}
