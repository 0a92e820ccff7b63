/** The desk: what a barista reads of what they did, and of what another did first. */
import { beforeEach, describe, expect, test } from "bun:test";
import type { Order } from "../../src/orders/order.ts";
import type { Payment } from "../../src/orders/payment.ts";
import { Desk, NEXT, sayWhoHas } from "../../src/web/barista/desk.svelte.ts";
import type { Answer } from "../../src/web/shared/staff/api.ts";
import { makeOrder } from "./barista-orders.ts";

type Call = readonly [verb: string, ...args: (string | undefined)[]];

let calls: Call[];
let said: string[];
/** What the shop answers, call by call; the last one again and again. */
let answers: Answer<Order>[];
let desk: Desk;

const ordered = makeOrder(17);
const done = (order: Order): Answer<Order> => ({ kind: "done", value: order });
const refused = (status: number, detail = "no"): Answer<Order> => ({
  kind: "refused",
  problem: { type: "urn:longpour:problem:any", title: "No", status, detail },
});

const PAYMENT: Payment = {
  payment_id: "order-17",
  order_id: "order-17",
  status: "PAYMENT_SUCCESSFUL",
  kind: "counter",
  amount: 400,
  currency: "eur",
  created_at: "2026-11-20T09:00:00.000Z",
};

beforeEach(() => {
  calls = [];
  said = [];
  answers = [done(makeOrder(17, "brewing"))];
  const answer = async (...call: Call): Promise<Answer<Order>> => {
    calls.push(call);
    const [next = refused(500)] = answers;
    if (answers.length > 1) answers.shift();
    return next;
  };
  desk = new Desk(
    {
      start: (barista, claim, orderId) => answer("start", barista, claim, orderId),
      finish: (barista, orderId) => answer("finish", barista, orderId),
      finishAndStart: async (barista, claim, orderId) => {
        const made = await answer("finishAndStart", barista, claim, orderId);
        return made.kind === "done" ? { ...made, value: { finished: made.value, started: null } } : made;
      },
      fail: (barista, orderId) => answer("fail", barista, orderId),
      release: (barista, orderId) => answer("release", barista, orderId),
      extend: (barista, orderId) => answer("extend", barista, orderId),
      cancel: (barista, orderId, reason) => answer("cancel", barista, orderId, reason),
      retry: (barista, orderId) => answer("retry", barista, orderId),
      takeMoney: async (barista, orderId) => {
        const taken = await answer("takeMoney", barista, orderId);
        return taken.kind === "done" ? { ...taken, value: { ...PAYMENT, order_id: orderId } } : taken;
      },
      look: (orderId) => answer("look", orderId),
    },
    { say: (kind, text) => said.push(`${kind}: ${text}`) },
    () => "Ada",
    { moving: (act) => act() },
  );
});

test("each verb is done in the barista's name, and said", async () => {
  await desk.takeNext();
  await desk.take(ordered);
  await desk.finish(ordered);
  await desk.release(ordered);
  await desk.extend(ordered);
  await desk.cancel(ordered, "machine_error");
  expect(calls.map(([verb, ...args]) => [verb, args[0], args.at(-1)])).toEqual([
    ["start", "Ada", undefined],
    ["start", "Ada", "order-17"],
    ["finish", "Ada", "order-17"],
    ["release", "Ada", "order-17"],
    ["extend", "Ada", "order-17"],
    ["cancel", "Ada", "machine_error"],
  ]);
  expect(said).toEqual([
    "done: Number 17 is yours.",
    "done: Number 17 is yours.",
    "done: Number 17 is ready.",
    "done: Number 17 is back in the queue.",
    "done: Number 17 stays yours.",
    "done: Number 17 is cancelled.",
  ]);
});

test("pressing twice asks once", async () => {
  const both = [desk.takeNext(), desk.takeNext(), desk.finish(ordered), desk.finish(ordered)];
  expect([...desk.busy]).toEqual([NEXT, "order-17"]);
  await Promise.all(both);
  expect(calls.map(([verb]) => verb)).toEqual(["start", "finish"]);
  expect([...desk.busy]).toEqual([]);
});

test("a next without an answer is asked again under the same claim, and the one after under another", async () => {
  answers = [{ kind: "unreachable" }, done(makeOrder(17, "brewing"))];
  await desk.takeNext();
  await desk.takeNext();
  await desk.takeNext();
  const [first, second, third] = calls.map(([, , claim]) => claim);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
  expect(said[0]).toBe("fault: No answer from the shop. Please try again.");
});

test("nothing to take is no fault", async () => {
  answers = [refused(404)];
  await desk.takeNext();
  expect(said).toEqual(["done: Nothing waits just now."]);
});

describe("a clash", () => {
  test.each([
    [makeOrder(17, "brewing", { barista: "Grace" }), "Number 17 is in Grace’s hands already."],
    [makeOrder(17, "brewing", { barista: "Ada" }), "Number 17 is in your hands."],
    [makeOrder(17, "ready", { barista: "Grace" }), "Number 17 is ready already: Grace made it."],
    [makeOrder(17, "cancelled"), "Number 17 was cancelled."],
    [makeOrder(17, "queued"), "Number 17 is back in the queue."],
  ])("is said by how the order is now: %#", async (now, words) => {
    expect(sayWhoHas(now, "Ada")).toBe(words);
    answers = [refused(409), done(now)];
    await desk.take(ordered);
    answers = [refused(409), done(now)];
    await desk.finish(ordered);
    expect(said).toEqual([`fault: ${words}`, `fault: ${words}`]);
    expect(calls.map(([verb]) => verb)).toEqual(["start", "look", "finish", "look"]);
  });

  test("on an order that the shop keeps no more is said as the shop says it", async () => {
    answers = [refused(404, "There is no such order."), refused(404)];
    await desk.finish(ordered);
    expect(said).toEqual(["fault: There is no such order."]);
  });
});

test("a refusal that names fields shows them", async () => {
  answers = [
    {
      kind: "refused",
      problem: {
        type: "urn:longpour:problem:invalid_input",
        title: "Invalid input",
        status: 422,
        detail: "barista must be 1 to 64 characters",
        errors: [{ field: "barista", detail: "must be 1 to 64 characters" }],
      },
    },
  ];
  await desk.finish(ordered);
  expect(said).toEqual(["fault: barista must be 1 to 64 characters."]);
});

test("done, next that got no answer is asked again under the same claim; answered, under another", async () => {
  answers = [{ kind: "unreachable" }, done(makeOrder(17, "ready"))];
  await desk.finishAndNext(ordered);
  await desk.finishAndNext(ordered);
  await desk.finishAndNext(ordered);
  const [first, second, third] = calls.map(([, , claim]) => claim);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
  expect(said.at(-1)).toBe("done: Number 17 is ready. Nothing waits just now.");
});

test("money that was taken is said, and a refusal in the shop's words", async () => {
  await desk.takeMoney(makeOrder(17, "unpaid"));
  answers = [refused(409, "The order, or the time to pay it, is over.")];
  await desk.takeMoney(makeOrder(18, "unpaid"));
  expect(calls).toEqual([
    ["takeMoney", "Ada", "order-17"],
    ["takeMoney", "Ada", "order-18"],
  ]);
  expect(said).toEqual([
    "done: Number 17 is paid, and in the line.",
    "fault: The order, or the time to pay it, is over.",
  ]);
});
