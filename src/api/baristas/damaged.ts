/**
 * Owns the baristas' view of what is damaged.
 *
 * **Invariants**
 * - It names orders and keys, and shows nothing of a record.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE_TIME } from "../../formats.ts";
import { answerJson } from "../../http/json.ts";
import { documented } from "../../http/documented.ts";
import type { Orders } from "../../orders/orders.ts";

/** As many as the shop's list names. */
const MAX_ORDERS = 1000;

const DamagedView = Type.Object(
  {
    orders: Type.Array(
      Type.Object({
        order_id: Type.String(),
        reason: Type.String({ description: "what is wrong with its record" }),
        noticed_at: Type.String({ format: DATE_TIME, description: "when it was set aside" }),
      }),
      { description: "orders set aside, newest first; the newest 1000" },
    ),
    keys: Type.Array(
      Type.Object({
        key: Type.String({ description: "its name in Redis" }),
        type: Type.String({ description: "the type it has" }),
        expected_type: Type.String({ description: "the type it should have" }),
      }),
      {
        description:
          "keys of the shop that hold a value of another type: what needs them fails until they are put right",
      },
    ),
  },
  {
    $id: "Damage",
    examples: [
      {
        orders: [
          {
            order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
            reason: "place is missing or garbled",
            noticed_at: "2026-11-20T09:31:10.004Z",
          },
        ],
        keys: [{ key: "{main}:waits:default", type: "string", expected_type: "list" }],
      },
    ],
  },
);

export interface DamagedDependencies {
  readonly orders: Pick<Orders, "inspect">;
}

export function damagedRoutes(dependencies: DamagedDependencies) {
  return new Elysia().get("/damaged", createInspectDamage(dependencies), INSPECT_DAMAGE);
}

function createInspectDamage({ orders }: DamagedDependencies) {
  return async (): Promise<Response> => {
    const found = await orders.inspect(MAX_ORDERS);
    const newest = found.orders.toSorted((one, other) => other.noticedMs - one.noticedMs);
    return answerJson(
      JSON.stringify({
        orders: newest.map(({ orderId, reason, noticedMs }) => ({
          order_id: orderId,
          reason,
          noticed_at: new Date(noticedMs).toISOString(),
        })),
        keys: found.keys.map(({ key, type, expectedType }) => ({ key, type, expected_type: expectedType })),
      }),
    );
  };
}

const INSPECT_DAMAGE = documented({
  tag: "Search",
  operationId: "inspectDamage",
  summary: "What is damaged?",
  description:
    "Orders whose record in Redis can't be read, and keys that hold a value of another type. Each is set aside: it fails alone. " +
    "Put right in Redis, it goes back into its queue within a second; deleted there, it leaves the list.",
  answers: { 200: { description: "What is damaged now.", schema: DamagedView } },
  problems: ["unauthorized", "redis_away", "closing"],
});
