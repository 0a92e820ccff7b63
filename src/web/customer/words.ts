/**
 * Owns what the page says: of waits, of orders that ended, and of what the shop refused.
 *
 * **Invariants**
 * - It says what to do next.
 */
import { problemName, type Problem } from "../../client/problem.ts";
import type { Order } from "../../orders/order.ts";
import type { ProblemName } from "../../problem.ts";

/** An expected wait, no more exact than it is. */
export function sayWait(seconds: number): string {
  if (seconds < 20) return "any moment now";
  if (seconds < 50) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  return minutes <= 1 ? "about a minute" : `about ${minutes} minutes`;
}

/** The same where there is little room. */
export function sayShortWait(seconds: number): string {
  return seconds < 50 ? "under 1 min" : `about ${Math.max(1, Math.round(seconds / 60))} min`;
}

/** The orders before a queued one, in words. */
export function sayPosition(position: number): string {
  if (position === 1) return "You are next";
  return position === 2 ? "One order before yours" : `${position - 1} orders before yours`;
}

const SORRY = "Sorry, we could not make it. Please order again, or ask at the counter.";

/** Why an order was cancelled. */
export function sayReason({ reason, status, error }: Pick<Order, "reason" | "status" | "error">): string {
  if (status !== "cancelled") return "";
  switch (reason) {
    case "customer":
      return "You cancelled it.";
    case "customer_timeout":
      return "The time to choose ran out. Scan the code on the board again.";
    case "barista":
      return "The shop cancelled it. Please ask at the counter.";
    case "payment_failed":
      return "It was not paid in time, so it is not made, and nothing was taken. Order again whenever you like.";
    case "lost":
      return "The shop no longer knows this order. Please ask at the counter.";
    case "machine_error":
      if (error)
        return `Sorry, we could not make it: ${error.replace(/[.\s]+$/, "")}. Please order again, or ask at the counter.`;
      return SORRY;
    case "barista_timeout":
    case undefined:
      return SORRY;
  }
}

/** What the shop says of a card is for the customer as it is. */
const SAID: ReadonlySet<ProblemName> = new Set(["payment_declined", "payment_conflict"]);

const REFUSALS: Partial<Record<ProblemName, string>> = {
  shop_closed: "The shop has closed. Nothing was ordered.",
  shop_full: "All hands are busy right now. Nothing was ordered; try again in a moment.",
  code_required: "To order, scan the code on the board, or type it.",
  code_used_up: "All drinks of this code are taken. Use the next code on the board.",
  too_many_open: "You have as many open orders as the shop allows. Wait for one to be ready, then order again.",
  too_many_orders: "Too many orders came from your network. Try again in a moment.",
  order_unknown: "The shop no longer knows this order.",
  order_conflict: "This order has moved on.",
  payment_unknown: "The shop no longer knows what is to be paid. Please ask at the counter.",
  no_cards: "Cards can’t be taken right now. Try again in a moment, or ask at the counter.",
};

/** The meaning of a refusal for the customer. */
export function sayProblem(problem: Problem): string {
  const name = problemName(problem);
  if (SAID.has(name)) return problem.detail;
  if (name !== "invalid_input") return REFUSALS[name] ?? `Something went wrong: ${problem.detail}`;
  const field = problem.errors?.[0]?.field ?? "";
  if (field === "code") return "This code is no longer valid. Use the one that is on the board now.";
  if (field === "item") return "This drink is not available right now. Please choose another.";
  if (field === "not_before") return "Please choose a time from now on, at most a week ahead.";
  if (field.startsWith("modifiers")) return "This choice is not available right now. Please choose another.";
  return `The shop did not accept this: ${problem.detail}`;
}

/** The page's title, so that it is seen in another tab: the order that needs the customer first. */
export function titleOf(open: readonly Order[]): string {
  const ready = open.find(({ status }) => status === "ready");
  if (ready) return `✔ ${ready.number} is ready!`;
  const unpaid = open.find(({ status }) => status === "unpaid");
  if (unpaid) return `${unpaid.number}: to be paid`;
  const brewing = open.find(({ status }) => status === "brewing");
  if (brewing) return `${brewing.number}: being made`;
  const queued = open.find(({ status }) => status === "queued");
  if (queued)
    return `${queued.number}: ${queued.position === undefined ? "in the queue" : sayPosition(queued.position)}`;
  const scheduled = open.find(({ status }) => status === "scheduled");
  if (scheduled) return `${scheduled.number}: for later`;
  return "Longpour: order a coffee";
}
