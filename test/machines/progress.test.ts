/** What a machine says of how far it is: what may be said, and how often it is sent. */
import { expect, test } from "bun:test";
import { ProgressReport, type Progress } from "../../src/machines/progress.ts";
import { until } from "../support/until.ts";

/** What was sent; each sending ends when the test says so. */
function openReport() {
  const sent: unknown[] = [];
  const ends: (() => void)[] = [];
  const report = new ProgressReport((said) => {
    sent.push(JSON.parse(said));
    const { promise, resolve } = Promise.withResolvers<void>();
    ends.push(resolve);
    return promise;
  });
  return { report, sent, endAll: () => ends.splice(0).forEach((end) => end()) };
}

test("the first is sent at once, and of those that follow meanwhile the latest", async () => {
  const { report, sent, endAll } = openReport();
  for (const percent of [1, 2, 3]) report.say({ percent });
  expect(sent).toEqual([{ percent: 1 }]);
  endAll();
  await until(() => sent.length === 2, "the latest is sent");
  expect(sent[1]).toEqual({ percent: 3 });
  report.drop();
});

test("one is sent at a time", async () => {
  const { report, sent, endAll } = openReport();
  report.say({ percent: 1 });
  report.say({ percent: 2 });
  // Another one that says the same, and whose sendings end, is as far as its second.
  const other = openReport();
  for (const percent of [1, 2]) other.report.say({ percent });
  other.endAll();
  await until(() => other.sent.length === 2, "the other's next is sent");
  expect(sent).toHaveLength(1);
  endAll();
  await until(() => sent.length === 2, "the next is sent");
  report.drop();
});

test("the last one is sent before the end, and nothing after it", async () => {
  const { report, sent, endAll } = openReport();
  report.say({ percent: 1 });
  report.say({ percent: 99 });
  const flushed = report.flush();
  report.say({ percent: 100 });
  endAll();
  await until(() => sent.length === 2, "the last is sent");
  endAll();
  await flushed;
  expect(sent).toEqual([{ percent: 1 }, { percent: 99 }]);
});

test("what is dropped is not sent", async () => {
  const { report, sent, endAll } = openReport();
  report.say({ percent: 1 });
  report.say({ percent: 2 });
  report.drop();
  endAll();
  await report.flush();
  expect(sent).toEqual([{ percent: 1 }]);
});

test("what is no progress is refused", () => {
  const { report, sent } = openReport();
  const wrong: unknown[] = [{}, undefined, null, { percent: -1 }, { percent: 101 }, { percent: Number.NaN }];
  wrong.push({ percent: "5" }, { message: 5 }, { message: "x".repeat(201) });
  for (const progress of wrong) expect(() => report.say(progress as Progress)).toThrow(RangeError);
  expect(sent).toEqual([]);
  report.say({ percent: 100, message: "😀".repeat(200) });
  expect(sent).toHaveLength(1);
});
