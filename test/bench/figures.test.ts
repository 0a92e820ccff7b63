/** Owns the tests of the bench's figures that are read from Redis: bytes appended, keys left. */
import { expect, test } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppendOnlyFile, sortKeys } from "../../bench/harness/redis.ts";

test("bytes appended count on through a rewrite, whose own file does not count", () => {
  const folder = mkdtempSync(join(tmpdir(), "longpour-figures-"));
  const parts = join(folder, "appendonlydir");
  const part = (name: string): string => join(parts, `appendonly.aof.${name}.aof`);
  mkdirSync(parts);
  const file = new AppendOnlyFile(folder);
  try {
    expect(file.appendedBytes).toBe(0);
    writeFileSync(part("1.base"), "x".repeat(500));
    writeFileSync(part("1.incr"), "x".repeat(100));
    expect(file.appendedBytes).toBe(100);
    writeFileSync(part("2.incr"), "x".repeat(10));
    expect(file.appendedBytes).toBe(110);
    unlinkSync(part("1.incr"));
    appendFileSync(part("2.incr"), "x".repeat(7));
    expect(file.appendedBytes).toBe(117);
  } finally {
    file.close();
    rmSync(folder, { recursive: true });
  }
});

test("of an order its record is no left-over, and any other key that names it is", () => {
  const [id, other] = [crypto.randomUUID(), crypto.randomUUID()];
  const keys = [`{bench}:order:${id}`, `{bench}:bell:${id}`, `{bench}:run:${other}:0`, "{bench}:events"];
  const orders = { ids: new Set([id]), recordPrefix: "{bench}:order:" };
  expect(sortKeys(keys, orders)).toEqual({ ofOrders: 1, others: 2 });
});
