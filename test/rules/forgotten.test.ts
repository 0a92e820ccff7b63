/** What becomes of a rule that no server has had for long, on a real Redis. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { DeliveryOutcome } from "../../src/rules/rule.ts";
import { soon, until } from "../support/until.ts";
import { RuleFixture } from "./rules.ts";

setDefaultTimeout(60_000);

describe("a rule that no server has had for long", () => {
  test("is forgotten, and what it had put by is dead", async () => {
    await using fixture = await RuleFixture.open();
    const first = await fixture.runFromNow({ deliver: () => ({ kind: "failed", why: "status 500" }) });
    const ids = await fixture.appendMany(2);
    await until(async () => (await fixture.outside.zcard(fixture.retriedKey)) === 2, "they are put by");
    await first.runner.close();
    const deliveries = fixture.deliveries(first);
    expect(await deliveries.forget()).toEqual([]);
    await fixture.leaveForLong();
    expect(await deliveries.forget()).toEqual(["test"]);
    expect(await fixture.groups()).toEqual([]);
    expect(await deliveries.measure(["test"])).toMatchObject([{ lag: 0, retried: 0, dead: 2, last: undefined }]);
    const page = await deliveries.listDead("test", { most: 10 });
    expect(page).toMatchObject({ dead: [{ event_id: ids[1] }, { event_id: ids[0], why: "status 500" }] });
    expect(await fixture.outside.pttl(`${fixture.prefix}deliveries:test`)).toBeGreaterThan(0);
    expect(await deliveries.forget()).toEqual([]);
  });

  test("is not one that has ended: a server that has it keeps it so", async () => {
    await using fixture = await RuleFixture.open();
    const deliver = (): DeliveryOutcome => ({ kind: "ended", why: "410" });
    const first = await fixture.runFromNow({ deliver });
    const deliveries = fixture.deliveries(first);
    await fixture.append();
    await until(async () => (await deliveries.measure(["test"]))[0]?.ended !== undefined, "it has ended");
    await first.runner.close();
    await fixture.leaveForLong();
    const second = await fixture.run({ deliver });
    await soon(second.runner.begun, "it has asked");
    expect(await deliveries.forget()).toEqual([]);
    expect(await deliveries.measure(["test"])).toMatchObject([{ ended: { why: "410" } }]);
    expect(second.tried).toEqual([]);
  });
});
