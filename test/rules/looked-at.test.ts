/** What rules of one server need not look at again: never more than what another one has looked at, whole. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { LookedAt } from "../../src/rules/looked-at.ts";
import { until } from "../support/until.ts";
import { idsOf, RuleFixture } from "./rules.ts";

setDefaultTimeout(60_000);

test("a stretch is passed over by who is in it and wants none of its types", () => {
  const lookedAt = new LookedAt();
  lookedAt.note({ after: "5-10", upTo: "5-20", types: ["order.placed", "order.started"] });
  lookedAt.note({ after: "5-20", upTo: "6-30", types: ["order.started"] });
  const pass = (position: string, ...wanted: string[]) => lookedAt.passOver(position, wanted);
  expect(pass("5-10", "order.failed", "payment.*")).toBe("6-30");
  expect(pass("5-15", "order.placed")).toBe("5-15");
  expect(pass("5-20", "order.placed")).toBe("6-30");
  expect(pass("5-10", "order.*")).toBe("5-10");
  expect(pass("5-9", "order.failed")).toBe("5-9");
  expect(pass("6-30", "order.failed")).toBe("6-30");
  expect(pass("4-15", "order.failed")).toBe("4-15");
  expect(lookedAt.passOver("5-10", undefined)).toBe("5-10");
  expect(lookedAt.passOver("", ["order.failed"])).toBe("");
});

test("rules that share what they have looked at miss nothing, in a rush neither", async () => {
  await using fixture = await RuleFixture.open();
  const [lookedAt, types] = [new LookedAt(), ["order.placed", "order.started", "order.failed"]];
  const rules = await Promise.all(
    types.map((type) => fixture.runFromNow({ lookedAt, rule: { name: type.replace(".", "-"), types: [type] } })),
  );
  const wanted: string[][] = types.map(() => []);
  for (let n = 0; n < 600; n += 1) {
    const which = n % 97 === 0 ? 2 : n % 2;
    wanted[which]?.push(await fixture.append({ type: types[which] ?? "", orderId: `o-${n}` }));
  }
  await until(() => rules.every(({ got }, at) => got.length === wanted[at]?.length), "all are delivered");
  for (const [at, { got, runner }] of rules.entries()) {
    expect(idsOf(got).toSorted()).toEqual((wanted[at] ?? []).toSorted());
    expect(runner.tally.lost).toBe(0);
  }
});
