/** Owns the tests of rejection-log.ts. */
import { expect, test } from "bun:test";
import pino from "pino";
import { RejectionLog } from "../../src/limits/rejection-log.ts";

test("rejections are logged as one line with their reasons, and none where there were none", () => {
  const lines: unknown[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const rejectionLog = new RejectionLog(log);
  for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) rejectionLog.count("too_many_orders", address);
  rejectionLog.count("too_many_held", "192.0.2.2");
  expect(lines).toEqual([]);
  rejectionLog.close();
  rejectionLog.close();
  new RejectionLog(log).close();
  expect(lines).toEqual([expect.objectContaining({ too_many_orders: 3, too_many_held: 1, addresses: 2 })]);
});
