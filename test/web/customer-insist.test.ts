/** Which answers to a customer's wish count, and which are asked for again. */
import { expect, test } from "bun:test";
import { Retrier } from "../../src/client/retry.ts";
import { insist } from "../../src/web/customer/insist.ts";
import type { Answer } from "../../src/web/shared/call.ts";

const done: Answer<string> = { kind: "done", value: "coffee" };
const unreachable: Answer<string> = { kind: "unreachable" };

function refused(status: number, name = "any", retryAfterMs = 0): Answer<string> {
  const problem = { type: `urn:longpour:problem:${name}`, title: "No", status, detail: "" };
  return { kind: "refused", problem, retryAfterMs };
}

/** What comes of these answers, and how many of them were asked for. `stopAfter`: the customer stops then. */
async function outcomeOf(answers: readonly Answer<string>[], stopAfter = Infinity) {
  const stopped = new AbortController();
  const retrier = new Retrier({ firstMs: 1, maxMs: 1 });
  let retryAfterMs = 0;
  let retries = 0;
  const ask = async (): Promise<Answer<string>> => {
    retryAfterMs += 1;
    if (retryAfterMs === stopAfter) stopped.abort();
    return answers[retryAfterMs - 1] ?? done;
  };
  const onRetry = (): void => {
    retries += 1;
    queueMicrotask(() => retrier.hurry());
  };
  const answer = await insist(ask, { retrier, signal: stopped.signal, onRetry });
  return { answer, retryAfterMs, retries };
}

test.each([
  ["no connection", unreachable],
  ["too many", refused(429)],
  ["a server that stops", refused(503, "closing")],
  ["as long a pause as a customer waits for", refused(429, "too_many_orders", 20_000)],
])("%s is tried again", async (_, answer) => {
  expect(await outcomeOf([answer, answer])).toEqual({ answer: done, retryAfterMs: 3, retries: 2 });
});

test.each([
  ["a shop that is closed", refused(503, "shop_closed")],
  ["a shop that is full", refused(503, "shop_full")],
  ["a longer pause", refused(429, "too_many_orders", 20_001)],
  ["a fault in the order", refused(422, "invalid_input")],
  ["a damaged record", refused(500, "order_damaged")],
])("%s is the answer", async (_, answer) => {
  expect(await outcomeOf([answer])).toEqual({ answer, retryAfterMs: 1, retries: 0 });
});

test("a customer who stops gets no further try, but the answer that came", async () => {
  expect(await outcomeOf([unreachable, unreachable], 2)).toEqual({ answer: unreachable, retryAfterMs: 2, retries: 1 });
  expect(await outcomeOf([unreachable, done], 2)).toEqual({ answer: done, retryAfterMs: 2, retries: 1 });
});
