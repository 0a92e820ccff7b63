/**
 * Owns that tests can import `.svelte.ts` files: Svelte's compiler makes JavaScript of their runes, as for a browser.
 *
 * It is loaded with the first such file: most tests import none.
 */
import { plugin } from "bun";

export function compileRunes(): void {
  const types = new Bun.Transpiler({ loader: "ts", target: "browser" });
  plugin({
    name: "runes",
    setup: (build) => {
      build.onLoad({ filter: /\.svelte\.ts$/ }, async ({ path }) => {
        const { compileModule } = await import("svelte/compiler");
        const source = types.transformSync(await Bun.file(path).text());
        const { js } = compileModule(source, { filename: path, generate: "client" });
        return { contents: js.code, loader: "js" };
      });
    },
  });
}
