/** The runner of the tests: which files run side by side, which alone, and how it counts. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const runner = join(import.meta.dir, "run.ts");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpour-run-"));
  mkdirSync(join(folder, "test"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(file: string, content: string): void {
  writeFileSync(join(folder, "test", file), `import { expect, test } from "bun:test";\n${content}`);
}

async function run(...parts: readonly string[]): Promise<{ lastLine: string; exitCode: number }> {
  const child = Bun.spawn([process.execPath, runner, ...parts], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const output = await new Response(child.stdout).text();
  return { lastLine: output.trimEnd().split("\n").at(-1) ?? "", exitCode: await child.exited };
}

/** A test that notes when it begins and ends; in between it waits until `others` have begun, too. */
const noting = (name: string, others: readonly string[]): string => `
  import { appendFileSync, readFileSync } from "node:fs";
  test("notes", async () => {
    appendFileSync("notes", "${name} begins\\n");
    const begun = (other) => readFileSync("notes", "utf8").includes(other + " begins");
    while (!${JSON.stringify(others)}.every(begun)) await Bun.sleep(5);
    appendFileSync("notes", "${name} ends\\n");
  });`;

test("files run side by side, and quiet ones alone after them", async () => {
  for (const name of ["a", "b"]) write(`${name}.test.ts`, noting(name, ["a", "b"]));
  for (const name of ["c", "d"]) write(`${name}.quiet.test.ts`, noting(name, []));
  expect(await run()).toEqual({ lastLine: "4 passed, 0 failed", exitCode: 0 });
  const notes = readFileSync(join(folder, "notes"), "utf8").trimEnd().split("\n");
  expect(notes.slice(0, 4).toSorted()).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  expect(notes.slice(4)).toEqual(["c begins", "c ends", "d begins", "d ends"]);
});

const PASSING = `test("passes", () => expect(1).toBe(1));`;
const FAULTS = {
  "fails a test": `${PASSING} test("fails", () => expect(1).toBe(2));`,
  "can't be loaded": `import "./none.ts"; ${PASSING}`,
  "has no test": ``,
  "fails to prepare": `import { beforeAll } from "bun:test"; beforeAll(() => expect(1).toBe(2)); ${PASSING}`,
  "ends its process": `test("ends", () => process.exit(0)); ${PASSING}`,
};

for (const kind of ["test.ts", "quiet.test.ts"]) {
  for (const [fault, content] of Object.entries(FAULTS)) {
    test(`a ${kind} that ${fault} counts as failed`, async () => {
      write("good.test.ts", PASSING);
      write("other.test.ts", PASSING);
      write(`bad.${kind}`, content);
      const { lastLine, exitCode } = await run();
      expect(lastLine).toMatch(/^[23] passed, 1 failed$/);
      expect(exitCode).toBe(1);
    });
  }
}

test("skipped tests are counted, and a run in which none passed fails", async () => {
  write("a.test.ts", `test.skip("later", () => {});`);
  expect(await run()).toEqual({ lastLine: "0 passed, 0 failed, 1 skipped", exitCode: 1 });
  expect(await run("no-such-file")).toEqual({ lastLine: "0 passed, 0 failed", exitCode: 1 });
});

test("a part of a path chooses files", async () => {
  write("one.test.ts", PASSING);
  write("two.test.ts", `test("fails", () => expect(1).toBe(2));`);
  write("one.quiet.test.ts", PASSING);
  expect(await run("one")).toEqual({ lastLine: "2 passed, 0 failed", exitCode: 0 });
});
