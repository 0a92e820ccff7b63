/**
 * Runs the test files that the arguments name by a part of their path, or all: first side by side, as most of them
 * mostly wait, then one after the other those named `*.quiet.test.ts`, which need the machine to themselves.
 *
 * **Invariants**
 * - The last line counts what ran: `N passed, N failed`, and `, N skipped` where any was.
 * - A file that the report lacks counts as failed: it can't be loaded, has no test, or ended its process.
 * - The exit code is 0 only if a test passed and none failed.
 * - No temporary file of a test is left behind.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const TIMEOUT_MS = 60_000;
/**
 * Twice the cores, within bounds: with fewer the tests wait one after the other, with more they outwait their limits.
 */
const WORKERS = Math.min(8, Math.max(4, availableParallelism() * 2));

/** All temporary files of the tests, and their reports. */
const folder = mkdtempSync(join(tmpdir(), "longpour-tests-"));
try {
  // Nginx works as another user, who has to come to its files.
  chmodSync(folder, 0o711);
  const wanted = process.argv.slice(2);
  const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(".")]
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .toSorted();
  const quiet = files.filter((file) => file.endsWith(".quiet.test.ts"));
  const others = files.filter((file) => !quiet.includes(file));
  const counts = [run(others, "parallel", [`--parallel=${WORKERS}`]), run(quiet, "quiet", ["--isolate"])];
  const sum = (of: keyof Count): number => counts.reduce((total, count) => total + count[of], 0);
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  console.log(`${sum("passed")} passed, ${sum("failed")} failed${skipped}`);
  process.exitCode = sum("passed") > 0 && sum("failed") === 0 ? 0 : 1;
} finally {
  // (What a test has killed may still be writing.)
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** Runs these files in one run of `bun test`, and counts by its report. */
function run(files: readonly string[], name: string, flags: readonly string[]): Count {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const path = join(folder, `${name}.xml`);
  const report = ["--reporter=junit", `--reporter-outfile=${path}`];
  const paths = files.map((file) => `./${file}`);
  const command = [process.execPath, "test", `--timeout=${TIMEOUT_MS}`, ...flags, ...report, ...paths];
  const env = { ...process.env, TMPDIR: folder };
  const { exitCode } = Bun.spawnSync(command, { env, stdio: ["ignore", "inherit", "inherit"] });
  const count = readReport(existsSync(path) ? readFileSync(path, "utf8") : "", files);
  return { ...count, failed: Math.max(count.failed, exitCode === 0 ? 0 : 1) };
}

/** What a JUnit report says of these files. */
function readReport(xml: string, files: readonly string[]): Count {
  const [root = ""] = /<testsuites\b[^>]*>/.exec(xml) ?? [];
  const number = (name: string): number => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(root)?.[1] ?? 0);
  const reported = new Set(Array.from(xml.matchAll(/<testsuite\b[^>]*\sfile="([^"]*)"/g), ([, file]) => file));
  const missing = files.filter((file) => !reported.has(file));
  for (const file of missing) console.log(`${file}: no test of it was reported`);
  const [failures, skipped] = [number("failures"), number("skipped")];
  return { passed: number("tests") - failures - skipped, failed: failures + missing.length, skipped };
}
