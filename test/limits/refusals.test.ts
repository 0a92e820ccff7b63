/** Owns the tests of refusals.ts. */
import { expect, test } from "bun:test";
import pino from "pino";
import { Refusals } from "../../src/limits/refusals.ts";

test("refusals are logged as one line with their reasons, and none where there were none", () => {
  const lines: unknown[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const refusals = new Refusals(log);
  for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) refusals.count("too_many_orders", address);
  refusals.count("too_many_held", "192.0.2.2");
  expect(lines).toEqual([]);
  refusals.close();
  refusals.close();
  new Refusals(log).close();
  expect(lines).toEqual([expect.objectContaining({ too_many_orders: 3, too_many_held: 1, addresses: 2 })]);
});
