/**
 * Owns how a document is held against published types: the compiler finds fields that its type lacks, too.
 *
 * **Invariants**
 * - The folder that it is compiled in is gone afterwards.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./files.ts";

export interface Typed {
  /** The type's name, and the package's part that exports it. */
  readonly type: string;
  readonly from: string;
  readonly document: unknown;
}

const COMPILER_OPTIONS = {
  target: "ESNext",
  module: "ESNext",
  moduleResolution: "bundler",
  strict: true,
  noEmit: true,
  // They are others' types: theirs to mend.
  skipLibCheck: true,
  types: [],
};

/** As JSON spells a type: members of enumerations are texts. */
const AS_JSON = `type AsJson<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: AsJson<T[K]> } : T;`;

/** What the compiler says of them: nothing where each fits its type. */
export async function typeFaults(documents: readonly Typed[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "longpour-types-"));
  try {
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    documents.forEach(({ type, from, document }, index) => {
      const text = JSON.stringify(document, undefined, 2);
      const imported = `import type { ${type} } from ${JSON.stringify(from)};`;
      const lines = [imported, AS_JSON, `export const it: AsJson<${type}> = ${text};\n`];
      writeFileSync(join(folder, `${index}-${type}.ts`), lines.join("\n"));
    });
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
    const child = Bun.spawn([process.execPath, join(ROOT, "node_modules/.bin/tsc"), "-p", folder], {
      cwd: folder,
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return (await child.exited) === 0 ? "" : said.join("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
