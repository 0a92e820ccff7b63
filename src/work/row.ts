/**
 * Owns the row of a work demand: a view of its order in queue `work`.
 *
 * **Invariants**
 * - Nothing of a row is stored but its order.
 * - A row never shows its order's id: knowing that is the right to cancel it.
 */
import { Type, type Static } from "@sinclair/typebox";
import type { Order, OrderJson } from "../orders/order.ts";
import { WorkCode } from "./input.ts";

const Seconds = (description: string) => Type.Integer({ description: `${description}, seconds since 1970` });

export const WorkRow = Type.Object(
  {
    id: Type.Integer({ minimum: 1, description: "counts from 1; never used again" }),
    work_code: WorkCode,
    add_up_to: Type.Integer({ description: "how far it is added up" }),
    done: Type.Boolean({
      description: "whether the result is there; a demand that failed or was cancelled stays false",
    }),
    result: Type.Union([Type.Integer(), Type.Null()], {
      description: "1 + 2 + … + `add_up_to`; null until it is done",
    }),
    created_on: Seconds("when it was demanded"),
    updated_on: Seconds("when it was last started, or ended"),
  },
  { $id: "WorkRow", additionalProperties: false },
);
export type WorkRow = Static<typeof WorkRow>;

export const OPEN_EXAMPLE: WorkRow = {
  id: 3,
  work_code: "api-x4v09tq2mk",
  add_up_to: 10,
  done: false,
  result: null,
  created_on: 1_795_167_000,
  updated_on: 1_795_167_000,
};
export const DONE_EXAMPLE: WorkRow = { ...OPEN_EXAMPLE, done: true, result: 55, updated_on: 1_795_167_001 };

/** The row of an order whose input was checked. */
export function toRow(workCode: string, json: OrderJson): WorkRow {
  const order = JSON.parse(json) as Order;
  const { add_up_to: addUpTo } = order.input as { readonly add_up_to: number };
  return {
    id: order.number ?? 0,
    work_code: workCode,
    add_up_to: addUpTo,
    done: order.status === "ready",
    result: order.status === "ready" ? (order.result as number) : null,
    created_on: toSeconds(order.placed_at),
    updated_on: toSeconds(order.finished_at ?? order.started_at ?? order.placed_at),
  };
}

function toSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}
