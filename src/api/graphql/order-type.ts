/**
 * Owns the order and its fulfilment as GraphQL shows them. Both stand on the order of the wire.
 *
 * **Invariants**
 * - Fields are named as on the wire, in GraphQL's spelling.
 * - No field needs another read: an event shows an order at once.
 */
import { FULFILMENT_STATUSES, fulfilmentStatusOf } from "../../orders/fulfilment.ts";
import { REASONS, type Order } from "../../orders/order.ts";
import { STATUSES } from "../../orders/status.ts";
import type { Builder } from "./builder.ts";
import type { PaymentTypes } from "./payment-type.ts";

const ORDER_STATUSES = ["ORDER_PAYMENT_PENDING", "ORDER_CREATED", "ORDER_COMPLETED", "ORDER_CANCELLED"] as const;

/** The status of an order as clients of the fulfilment's kind know it: made or not. */
function orderStatusOf({ status }: Order): (typeof ORDER_STATUSES)[number] {
  if (status === "unpaid") return "ORDER_PAYMENT_PENDING";
  if (status === "ready") return "ORDER_COMPLETED";
  return status === "cancelled" ? "ORDER_CANCELLED" : "ORDER_CREATED";
}

export type OrderType = ReturnType<typeof defineOrder>;

export function defineOrder(builder: Builder, { PaymentKind }: Pick<PaymentTypes, "PaymentKind">) {
  const OrderStatus = builder.enumType("OrderStatus", {
    values: ORDER_STATUSES,
    description:
      "ORDER_PAYMENT_PENDING: to be paid first. ORDER_COMPLETED: ready. ORDER_CREATED: neither ready nor cancelled yet.",
  });
  const OrderState = builder.enumType("OrderState", {
    values: STATUSES,
    description: "The state of an order, as `status` says it outside of GraphQL.",
  });
  const CancelReason = builder.enumType("CancelReason", { values: REASONS, description: "Why an order is cancelled." });
  const ChosenModifier = builder.objectRef<readonly [string, string]>("ChosenModifier").implement({
    fields: (t) => ({
      name: t.string({ resolve: ([name]) => name }),
      option: t.string({ resolve: ([, option]) => option }),
    }),
  });
  const Progress = builder.objectRef<NonNullable<Order["progress"]>>("Progress").implement({
    fields: (t) => ({
      percent: t.exposeFloat("percent", { nullable: true }),
      message: t.exposeString("message", { nullable: true }),
    }),
  });
  return builder.objectRef<Order>("Order").implement({
    description: "One request for one drink, or for one piece of work.",
    fields: (t) => ({
      id: t.exposeID("order_id", { description: "Knowing it is the right to see and cancel the order." }),
      number: t.exposeInt("number", { nullable: true, description: "What is called out; none while reserved." }),
      queue: t.exposeString("queue", { nullable: true, description: "The queue of machines that it is in." }),
      status: t.field({ type: OrderStatus, resolve: orderStatusOf }),
      state: t.field({ type: OrderState, resolve: ({ status }) => status }),
      reason: t.field({ type: CancelReason, nullable: true, resolve: ({ reason }) => reason }),
      item: t.exposeString("item", { nullable: true }),
      price: t.exposeInt("price", { nullable: true, description: "Cents, as the menu said." }),
      paymentKind: t.expose("payment_kind", {
        type: PaymentKind,
        nullable: true,
        description: "How it is or was paid; null where nothing is to be paid.",
      }),
      modifiers: t.field({ type: [ChosenModifier], resolve: ({ modifiers = {} }) => Object.entries(modifiers) }),
      note: t.exposeString("note", { nullable: true }),
      customerId: t.exposeString("customer_id", { nullable: true }),
      customerName: t.exposeString("customer_name", { nullable: true }),
      barista: t.exposeString("barista", { nullable: true, description: "Who brews or brewed it." }),
      attempts: t.exposeInt("attempts", { description: "How often it was started." }),
      input: t.expose("input", {
        type: "JSON",
        nullable: true,
        description: "What machines make it of; none in events.",
      }),
      result: t.expose("result", { type: "JSON", nullable: true, description: "What came of it; none in events." }),
      error: t.exposeString("error", { nullable: true, description: "Why it could not be made." }),
      progress: t.expose("progress", { type: Progress, nullable: true }),
      retryOf: t.exposeID("retry_of", { nullable: true, description: "The order that this one makes again." }),
      retriedBy: t.exposeString("retried_by", { nullable: true }),
      notBefore: t.expose("not_before", { type: "DateTime", nullable: true }),
      callbackUrl: t.exposeString("callback_url", { nullable: true, description: "Where it is posted once final." }),
      placedAt: t.expose("placed_at", { type: "DateTime" }),
      startedAt: t.expose("started_at", { type: "DateTime", nullable: true }),
      finishedAt: t.expose("finished_at", { type: "DateTime", nullable: true }),
      position: t.exposeInt("position", { nullable: true, description: "While queued; 1 is next. None in events." }),
      etaSeconds: t.exposeInt("eta_seconds", { nullable: true, description: "While queued. None in events." }),
    }),
  });
}

export type FulfilmentType = ReturnType<typeof defineFulfilment>;

export function defineFulfilment(builder: Builder, OrderType: OrderType) {
  const FulfilmentStatus = builder.enumType("FulfilmentStatus", { values: FULFILMENT_STATUSES });
  return builder.objectRef<Order>("Fulfilment").implement({
    description: "An order as those see it who only ask whether it was made.",
    fields: (t) => ({
      id: t.exposeID("order_id", { description: "The id of its order." }),
      status: t.field({ type: FulfilmentStatus, resolve: ({ status }) => fulfilmentStatusOf(status) }),
      order: t.field({ type: OrderType, resolve: (order) => order }),
    }),
  });
}
