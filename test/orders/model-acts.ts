/**
 * Owns what each command does: to the model, and in Redis.
 *
 * **Invariants**
 * - No clock decides anything. A lease runs out because its deadline is set into the past.
 */
import type { Redis } from "ioredis";
import type { PaymentOutcome as Answer } from "../../src/orders/payment.ts";
import { parseRecord } from "../support/state.ts";
import type { ParsedOrders } from "../support/wire.ts";
import {
  chosenOf,
  claimOf,
  idIn,
  intentOf,
  isOfPayments,
  MACHINES,
  type Action,
  type CommandOf,
  type PaymentCommand,
} from "./model-commands.ts";
import { seePayment } from "./model-look.ts";
import type { Outcome } from "./model-order.ts";
import type { ShopModel } from "./model.ts";

const HOUR_MS = 3_600_000;
const IN_A_HUNDRED_YEARS = Date.parse("2126-01-01T00:00:00Z");

export function applyToModel(model: ShopModel, action: Action): Outcome {
  const { next, name, ids } = action;
  if (isOfPayments(next)) return applyPayment(model, action, next);
  const id = idIn(action);
  switch (next.verb) {
    case "place":
      return model.place(`order-${name}`, next);
    case "retry":
      return model.retry(id, `order-${name}`);
    case "progress":
      return model.progress(id, next);
    case "start":
      return model.start({ ...next, claim: claimOf(action, next.claim), chosen: chosenOf(ids, next.chosen) });
    case "finish":
      return model.finish(id, next.barista);
    case "fail":
      return model.fail(id, next);
    case "release":
      return model.release(id, next);
    case "extend":
      return model.extend(id, next.barista);
    case "cancel":
      return model.cancel({ ...next, id });
    case "runOut":
      return model.runOut(id);
    case "comeDue":
      return model.comeDue(id);
    case "expire":
      return model.expire();
  }
}

function applyPayment(model: ShopModel, action: Action, next: PaymentCommand): Outcome {
  const [{ payments }, id] = [model, idIn(action)];
  switch (next.verb) {
    case "attempt":
      return payments.attempt(id, next.method);
    case "decline":
      return payments.decline(id, triedIn(action), intentOf(id, true));
    case "authorise":
      return payments.authorise(id, { intent: intentOf(id, next.isOwn), amount: next.amount });
    case "take":
      return payments.take(id);
    case "capture":
      return payments.capture(id);
    case "reverse":
      return payments.reverse(id, next.hasLapsed);
    case "refund":
      return payments.refund(id);
    case "repay":
      return payments.repay(id, next.isRefused);
    case "look":
      return payments.takeDue(next.areAll);
    case "setPayment":
      model.paying = next.kind;
      return { kind: "switched" };
  }
}

/** Which try a decline is of. */
function triedIn(action: Action): number {
  const isStale = action.next.verb === "decline" && action.next.isStale;
  return action.attemptOf(idIn(action)) - (isStale ? 1 : 0);
}

/** Does the command in Redis; its outcome without what the state shows anyway. */
export async function act(client: Redis, orders: ParsedOrders, action: Action): Promise<Outcome> {
  const { prefix, next, name, ids } = action;
  const orderId = idIn(action);
  if (isOfPayments(next)) return await actOnPayments(client, orders, { ...action, next });
  switch (next.verb) {
    case "place":
      return await place(orders, `order-${name}`, next);
    case "retry": {
      const outcome = await orders.retry({ orderId, newId: `order-${name}` });
      return outcome.kind === "retried" ? { kind: "retried", orderId: outcome.orderId } : outcome;
    }
    case "start": {
      const { chosen, ...own } = next;
      const claimId = claimOf(action, next.claim);
      const outcome = await orders.start({ ...own, claimId, orderId: chosenOf(ids, chosen) });
      return outcome.kind === "started" ? { kind: "started", orderId: outcome.orderId } : outcome;
    }
    case "expire":
      return await expire(orders);
    case "runOut":
      return await runOut(client, prefix, orderId);
    case "comeDue":
      await comeDue(client, prefix, orderId);
      return await expire(orders);
    case "cancel":
    case "fail":
    case "finish":
    case "release":
    case "progress":
    case "extend":
      return await makeChange(orders, action, next);
  }
}

async function place(
  orders: ParsedOrders,
  orderId: string,
  { queue: name, isScheduled }: CommandOf<"place">,
): Promise<Outcome> {
  const notBefore = isScheduled ? new Date(Date.now() + HOUR_MS).toISOString() : undefined;
  const outcome =
    name === MACHINES.name
      ? await orders.call({ orderId, queue: name, input: "[1]", notBefore })
      : await orders.place({ orderId, queue: name, draft: notBefore === undefined ? {} : { not_before: notBefore } });
  if (outcome.kind === "denied") throw new Error(outcome.kind);
  return outcome.kind === "refused" ? { kind: "refused", why: outcome.why } : outcome;
}

type PaymentAction = Action & { readonly next: PaymentCommand };

async function actOnPayments(client: Redis, orders: ParsedOrders, action: PaymentAction): Promise<Outcome> {
  const { next, prefix, ids } = action;
  if (next.verb === "attempt") return await attempt(orders, idIn(action), next.method);
  if (next.verb === "look") return await look(orders, ids, next.areAll);
  if (next.verb === "setPayment") {
    await client.hset(`${prefix}settings`, "payment", JSON.stringify(next.kind));
    return { kind: "switched" };
  }
  const outcome = await changePayment(orders, action, next);
  return outcome.kind === "changed" ? { kind: "paid", payment: seePayment(outcome.payment) } : outcome;
}

async function attempt({ payments }: ParsedOrders, orderId: string, method: string): Promise<Outcome> {
  const outcome = await payments.attempt({ orderId, method, lookMs: HOUR_MS });
  if (outcome.kind === "attempted") return { ...outcome, payment: seePayment(outcome.payment) };
  return outcome.kind === "joined" ? { kind: "joined", payment: seePayment(outcome.payment) } : outcome;
}

async function look({ payments }: ParsedOrders, ids: readonly string[], areAll: boolean): Promise<Outcome> {
  if (areAll) await payments.putOff(ids, 0);
  const due = await payments.takeDue({ leaseMs: HOUR_MS, againMs: HOUR_MS, most: 100 });
  const found = new Set(due.payments.map(({ orderId }) => orderId));
  return { kind: "due", orderIds: ids.filter((id) => found.has(id)) };
}

type PaymentChange = Exclude<PaymentCommand, { readonly verb: "attempt" | "look" | "setPayment" }>;

function changePayment({ payments }: ParsedOrders, action: Action, next: PaymentChange): Promise<Answer> {
  const orderId = idIn(action);
  switch (next.verb) {
    case "decline": {
      const tried = { attempt: triedIn(action), intentId: intentOf(orderId, true) };
      return payments.decline({ orderId, ...tried, error: "no funds" });
    }
    case "authorise": {
      const held = { intentId: intentOf(orderId, next.isOwn), amount: next.amount };
      return payments.authorise({ orderId, ...held, captureBeforeMs: IN_A_HUNDRED_YEARS, lookMs: HOUR_MS });
    }
    case "take":
      return payments.take({ orderId });
    case "capture":
      return payments.capture(orderId);
    case "reverse":
      return payments.reverse({ orderId, error: next.hasLapsed ? "lapsed" : undefined });
    case "refund":
      return payments.refund({ orderId, reason: "cold" });
    case "repay":
      return payments.repay({ orderId, error: next.isRefused ? "refused" : undefined });
  }
}

type Change = CommandOf<"cancel" | "fail" | "finish" | "release" | "progress" | "extend">;

async function makeChange(orders: ParsedOrders, action: Action, next: Change): Promise<Outcome> {
  const outcome = await ask(orders, idIn(action), next);
  return outcome.kind === "changed"
    ? { kind: "changed", orderId: outcome.order.order_id, status: outcome.order.status }
    : outcome;
}

function ask(orders: ParsedOrders, orderId: string, next: Change) {
  const own = { orderId, barista: next.barista };
  switch (next.verb) {
    case "cancel":
      return orders.cancel({ ...own, canceller: next.canceller, reason: next.canceller });
    case "fail":
      return orders.fail({ ...own, error: "broken", retry: next.retry, retryAfterMs: next.isDelayed ? HOUR_MS : 0 });
    case "finish":
      return orders.finish(own);
    case "release":
      return orders.release({ ...own, isUncounted: next.isUncounted });
    case "progress":
      return orders.progress({ ...own, progress: `{"percent":${next.percent}}` });
    case "extend":
      return orders.extend(own);
  }
}

async function expire(orders: ParsedOrders): Promise<Outcome> {
  return { kind: "expired", cancelled: (await orders.expire()).cancelled };
}

/** Ends the lease of an order, or its time to be paid: its deadline is past (the first to run out first). */
let runOuts = 0;
async function runOut(client: Redis, prefix: string, id: string): Promise<Outcome> {
  const record = await client.get(`${prefix}order:${id}`);
  const { queue, status } = record ? parseRecord(record) : { queue: "", status: "" };
  const index = status === "unpaid" ? "unpaid" : "leases";
  if (record) await client.zadd(`${prefix}${index}:${queue}`, "XX", (runOuts += 1), id);
  return { kind: "ran_out" };
}

/** Lets the time pass that an order waits after it failed, or is scheduled for. */
async function comeDue(client: Redis, prefix: string, id: string): Promise<void> {
  const record = await client.get(`${prefix}order:${id}`);
  const { status, due, queue: queueName } = record ? parseRecord(record) : { status: "", due: "", queue: "" };
  if (!record || due === "") return;
  await client.set(`${prefix}order:${id}`, record.replace(`\n${due}\n`, "\n1\n"));
  await client.zadd(`${prefix}${status === "scheduled" ? status : "delayed"}:${queueName}`, "XX", 1, id);
}
