/** When the board asks for the code again. */
import { afterEach, expect, test } from "bun:test";
import { CodeWatch } from "../../src/web/board/code-watch.svelte.ts";
import type { CodeView } from "../../src/shop/codes.ts";
import type { Answer } from "../../src/web/shared/staff/api.ts";
import { until } from "../support/until.ts";

let watch: CodeWatch;
let requests = 0;

afterEach(() => {
  watch.stop();
  requests = 0;
});

/** Answers each question with what `answer` makes of its number, from 1. */
function open(answer: (count: number) => Answer<CodeView> | Promise<Answer<CodeView>>): void {
  watch = new CodeWatch({
    ask: async () => {
      requests += 1;
      return answer(requests);
    },
    now: Date.now,
  });
  watch.refresh();
}

function code(remaining: number, lastsMs = 60_000): Answer<CodeView> {
  const changes_at = new Date(Date.now() + lastsMs).toISOString();
  return { kind: "done", value: { code: "x", url: "", qr_svg: "", remaining, changes_at } };
}

const untilRemaining = (remaining: number) => until(() => watch.code?.remaining === remaining, `${remaining} remain`);

test("a burst of orders is one question", async () => {
  open((count) => code(count));
  await untilRemaining(1);
  for (let orders = 0; orders < 20; orders += 1) watch.refresh();
  await untilRemaining(2);
  expect(requests).toBe(2);
});

test("what happens during a question is asked after it", async () => {
  const { promise, resolve } = Promise.withResolvers<Answer<CodeView>>();
  open((count) => (count === 1 ? promise : code(count)));
  await until(() => requests === 1, "it is asking");
  watch.refresh();
  resolve(code(1));
  await untilRemaining(2);
});

test("a new code is asked for when the time of the old one is over", async () => {
  open((count) => code(count, 50));
  await untilRemaining(2);
});

test("no answer: asks again, and shows the last one meanwhile", async () => {
  open((count) => (count === 2 ? { kind: "unreachable" } : code(count)));
  await untilRemaining(1);
  watch.refresh();
  await until(() => requests === 2, "it asked");
  expect(watch.code?.remaining).toBe(1);
  await untilRemaining(3);
});
