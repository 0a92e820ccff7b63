/** The last answer to a question that is asked again and again. */
import { expect, test } from "bun:test";
import type { Answer } from "../../src/web/shared/staff/api.ts";
import { Latest } from "../../src/web/shared/staff/latest.svelte.ts";

/** A question whose answers are given by hand, and its last answer. */
function ask() {
  const asked: ((answer: Answer<number>) => void)[] = [];
  const latest = new Latest<number>(() => new Promise((resolve) => asked.push(resolve)));
  return { latest, asked };
}

const done = (value: number): Answer<number> => ({ kind: "done", value });

test("the newest question's answer counts, in whatever order answers come", async () => {
  const { latest, asked } = ask();
  const [first, second] = [latest.refresh(), latest.refresh()];
  asked[1]?.(done(2));
  await second;
  asked[0]?.(done(1));
  expect([await first, latest.value]).toEqual([done(1), 2]);
});

test("no answer leaves the one before", async () => {
  const { latest, asked } = ask();
  expect(latest.value).toBeUndefined();
  const first = latest.refresh();
  asked[0]?.(done(1));
  await first;
  const second = latest.refresh();
  asked[1]?.({ kind: "unreachable" });
  expect([await second, latest.value]).toEqual([{ kind: "unreachable" }, 1]);
});

test("the answer to another question that shows the same is taken", async () => {
  const { latest, asked } = ask();
  const old = latest.refresh();
  await latest.take(Promise.resolve(done(2)));
  asked[0]?.(done(1));
  await old;
  expect(latest.value).toBe(2);
});
