/** What replaying refuses, on a real Redis. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { MAX_PUT_BY } from "../../src/rules/tenure.ts";
import { until } from "../support/until.ts";
import { RuleFixture } from "./rules.ts";

setDefaultTimeout(60_000);

test("while as many as may be are put by, a dead letter stays one, and is not taken for none", async () => {
  await using fixture = await RuleFixture.open();
  const started = await fixture.runFromNow({ deliver: () => ({ kind: "dead", why: "a forbidden address" }) });
  const id = await fixture.append();
  const deliveries = fixture.deliveries(started);
  await until(async () => (await deliveries.measure(["test"]))[0]?.dead === 1, "it is dead");
  await started.runner.close();
  const others = Array.from({ length: MAX_PUT_BY }, (_, n) => [Date.now(), `5-${n + 1}`]).flat();
  await fixture.outside.zadd(fixture.retriedKey, ...others);
  expect(await deliveries.replay("test", [id])).toEqual({ replayed: 0, left: 1, refused: 1 });
  expect(await deliveries.replay("test", ["5-0"])).toEqual({ replayed: 0, left: 1, refused: 0 });
  await fixture.outside.zrem(fixture.retriedKey, "5-1");
  expect(await deliveries.replay("test", [id])).toEqual({ replayed: 1, left: 0, refused: 0 });
});
