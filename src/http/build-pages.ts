/**
 * Owns how pages become files: a program of its own, `bun src/http/build-pages.ts customer`, that prints them as JSON.
 *
 * **Invariants**
 * - The same sources make the same files under the same names, so that replicas can serve one another's pages.
 *
 * It does not run in the server: compiler and bundler would stay in its memory.
 */
import { join } from "node:path";
import { SveltePlugin } from "bun-plugin-svelte";

/** One file that a browser asks for. */
export interface PageFile {
  /** A page: its HTML. An asset: what it needs, under a name that changes with the content. */
  readonly kind: "page" | "asset";
  /** Of a page its folder in `src/web`, such as `customer`; of an asset such as `index-xdcp6g1d.js`. */
  readonly name: string;
  /** Media type. */
  readonly type: string;
  readonly text: string;
}

const web = join(import.meta.dir, "../web");

/** Builds one page. Throws an AggregateError that says what is wrong in its sources. */
async function buildPage(page: string): Promise<PageFile[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(web, page, "index.html")],
    root: web,
    target: "browser",
    minify: true,
    // Of libraries that have two, the build without checks for developers.
    conditions: ["production"],
    publicPath: "/",
    naming: { entry: "[dir].[ext]", chunk: "assets/[name]-[hash].[ext]", asset: "assets/[name]-[hash].[ext]" },
    plugins: [SveltePlugin({ forceSide: "client", runes: true })],
  });
  return await Promise.all(outputs.map(readOutput));
}

async function readOutput(output: Bun.BuildArtifact): Promise<PageFile> {
  const { path, type } = output;
  const kind = path.includes("assets/") ? "asset" : "page";
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.html$/, "");
  return { kind, name, type, text: await output.text() };
}

// Nothing imports this but its type.
if (import.meta.main) {
  const built = await Promise.all(Bun.argv.slice(2).map(buildPage));
  await Bun.write(Bun.stdout, JSON.stringify(built.flat()));
}
