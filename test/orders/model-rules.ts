/**
 * Owns what must hold of orders and their payments at any time, whatever the model foretells.
 *
 * **Invariants**
 * - A rule looks at nothing but what can be seen of the shop, and at the events so far.
 */
import { PRICE } from "./model-commands.ts";
import type { Observation, SeenPayment } from "./model-order.ts";

const STARTABLE = new Set(["scheduled", "queued", "brewing"]);
const PAID = new Set(["PAYMENT_CREATED", "PAYMENT_SUCCESSFUL"]);

type SeenOrder = Observation["orders"][string];

export class MoneyRules {
  readonly #refunds = new Map<string, number>();

  /** The rules that are broken now, each with the order that breaks it. */
  breaches({ events, queues, orders, payments, openPayments }: Observation): string[] {
    for (const event of events) {
      const [type = "", id = ""] = event.split(" ");
      if (type === "payment.refunded") this.#refunds.set(id, (this.#refunds.get(id) ?? 0) + 1);
    }
    const startable = new Set(Object.values(queues).flatMap(({ waiting, leases }) => [...waiting, ...leases]));
    const found = events.filter((event) => event.includes(","));
    for (const [id, order] of Object.entries(orders)) {
      const payment = payments[id];
      if (order.status === "unpaid" && (order.attempts > 0 || startable.has(id) || !payment))
        found.push(`${id} is unpaid, and started or to be started`);
      if (!payment) continue;
      const broken = [...findBroken(order, payment), ...findForgotten(order, payment, openPayments.includes(id))];
      if ((this.#refunds.get(id) ?? 0) > 1) broken.push("it is refunded twice");
      found.push(...broken.map((rule) => `${id}: ${rule}`));
    }
    return found;
  }
}

function findBroken({ status }: SeenOrder, payment: SeenPayment): string[] {
  const hasCaptured = payment.times.includes("captured_at");
  const hasLapsed = payment.status === "PAYMENT_FAILED" && payment.times.includes("authorised_at");
  const isCard = payment.kind === "card";
  return [
    STARTABLE.has(status ?? "") && !PAID.has(payment.status) && "it goes on, and is not paid",
    status === "ready" && payment.status === "PAYMENT_PENDING" && "it is ready, and was not paid",
    payment.amount !== PRICE && "its payment is not its price",
    isCard && hasCaptured && status !== "ready" && "it is captured, and not ready",
    isCard && payment.status === "PAYMENT_REFUNDED" && !hasCaptured && status !== "cancelled" && "it is reversed",
    payment.status === "PAYMENT_FAILED" && status !== "cancelled" && !hasLapsed && "it failed, and goes on",
  ].filter((one) => one !== false);
}

/** Whether money may be held that no server looks at any more. */
function findForgotten({ status }: SeenOrder, payment: SeenPayment, isLookedAt: boolean): string[] {
  const isMoving =
    payment.isUnderWay ||
    payment.status === "PAYMENT_CREATED" ||
    (payment.status === "PAYMENT_PENDING" && status !== "unpaid") ||
    (payment.status === "PAYMENT_SUCCESSFUL" && payment.times.includes("refund_requested_at"));
  return isMoving && !isLookedAt ? ["its payment is forgotten"] : [];
}
