/**
 * Owns the fulfilment of an order: the order as those see it who only want to know whether it was made.
 *
 * **Invariants**
 * - It is a view: nothing of it is stored, and its id is its order's.
 * - Every order has one, in whichever state it is.
 */
import { Type, type Static } from "@sinclair/typebox";
import { oneOf, Order, READY_EXAMPLE, type OrderJson, type Status } from "./order.ts";
import { STATUSES } from "./status.ts";

export const FULFILMENT_STATUSES = [
  "FULFILMENT_PENDING",
  "FULFILMENT_CREATED",
  "FULFILMENT_COMPLETED",
  "FULFILMENT_REJECTED",
] as const;

export const FulfilmentStatus = oneOf(FULFILMENT_STATUSES, { $id: "FulfilmentStatus" });
export type FulfilmentStatus = Static<typeof FulfilmentStatus>;

/** A fulfilment on the wire. */
export const Fulfilment = Type.Object(
  {
    fulfilment_id: Type.String({ format: "uuid", description: "the id of its order" }),
    status: FulfilmentStatus,
    order: Order,
  },
  {
    $id: "Fulfilment",
    additionalProperties: false,
    examples: [{ fulfilment_id: READY_EXAMPLE.order_id, status: "FULFILMENT_COMPLETED", order: READY_EXAMPLE }],
  },
);

/** The answer of a search. */
export const FulfilmentPage = Type.Object(
  {
    fulfilments: Type.Array(Fulfilment),
    cursor: Type.Union([Type.String(), Type.Null()], { description: "goes on after this page; null on the last one" }),
  },
  { $id: "FulfilmentPage", examples: [{ fulfilments: Fulfilment.examples as unknown, cursor: null }] },
);

/** A change that staff make. */
export const FulfilmentPatch = Type.Object(
  {
    status: oneOf(["FULFILMENT_COMPLETED", "FULFILMENT_REJECTED"]),
  },
  {
    $id: "FulfilmentPatch",
    additionalProperties: false,
    description: "an object with `status`",
    examples: [{ status: "FULFILMENT_COMPLETED" }],
  },
);

/** Pending: its order is not paid yet. */
export function fulfilmentStatusOf(status: Status): FulfilmentStatus {
  if (status === "unpaid") return "FULFILMENT_PENDING";
  if (status === "ready") return "FULFILMENT_COMPLETED";
  return status === "cancelled" ? "FULFILMENT_REJECTED" : "FULFILMENT_CREATED";
}

/** The states of the orders whose fulfilment has that status. */
export function statusesOf(wanted: FulfilmentStatus): Status[] {
  return STATUSES.filter((status) => fulfilmentStatusOf(status) === wanted);
}

/** The fulfilment as JSON; the order goes into it as it is. */
export function toFulfilmentJson(order: OrderJson): string {
  const { order_id: id, status } = JSON.parse(order) as Pick<Order, "order_id" | "status">;
  return `{"fulfilment_id":"${id}","status":"${fulfilmentStatusOf(status)}","order":${order}}`;
}
