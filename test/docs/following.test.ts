/** docs/following-an-order.md names functions that are there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { ROOT } from "./documents.ts";

const FOLDER = join(ROOT, "docs");
/** A row of a table: the file that it links to, and the names that the second cell says are in it. */
const ROW = /^\| \[[^\]]+\]\(([^)]+)\)\s*\| ([^|]+) \|/gm;

test("each function stands in the file beside it", () => {
  const rows = readFileSync(join(FOLDER, "following-an-order.md"), "utf8").matchAll(ROW);
  const named = Array.from(rows, ([, path = "", cell = ""]) =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => ({ path, name })),
  ).flat();
  expect(named.length).toBeGreaterThan(50);
  const missing = named.filter(
    ({ path, name }) => !new RegExp(`(?<![\\w#])${name}\\b`).test(readFileSync(join(FOLDER, path), "utf8")),
  );
  expect(missing).toEqual([]);
});
