/**
 * Owns the lists of a day's orders, which only the baristas' port has.
 *
 * **Invariants**
 * - A list changes nothing.
 */
import { Type } from "@sinclair/typebox";
import type { Order } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import { readRange } from "../day.ts";
import { PAGE_LIMIT } from "../parameters.ts";
import { createArgumentReader } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";
import type { FulfilmentType, OrderType } from "./order-type.ts";
import { parseOrder } from "./outcomes.ts";
import { CURSOR_FIELD, cursorGone, PAGE_ARGUMENTS, pageArgumentsOf } from "./page-arguments.ts";

const CustomerId = Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" });
const readArguments = createArgumentReader(Type.Object({ ...PAGE_ARGUMENTS, customerId: Type.Optional(CustomerId) }));

interface Page {
  readonly orders: readonly Order[];
  readonly cursor: string | undefined;
}

export function defineLists(
  builder: Builder,
  { OrderObject, FulfilmentObject }: { OrderObject: OrderType; FulfilmentObject: FulfilmentType },
  orders: Pick<Orders, "search">,
  guard: Guard,
): void {
  const find = async (given: Readonly<Record<string, unknown>>): Promise<Page> => {
    const { date, customerId, first = PAGE_LIMIT, after } = readArguments(given);
    const outcome = await orders.search({ customerId, ...readRange({ date }), cursor: after, limit: first });
    if (outcome.kind === "cursor_gone") throw cursorGone();
    return { orders: outcome.orders.map(parseOrder), cursor: outcome.cursor };
  };
  const OrderList = builder.objectRef<Page>("OrderList").implement({
    fields: (t) => ({
      orders: t.field({ type: [OrderObject], resolve: (page) => page.orders }),
      cursor: t.exposeID("cursor", CURSOR_FIELD),
    }),
  });
  const FulfilmentList = builder.objectRef<Page>("FulfilmentList").implement({
    fields: (t) => ({
      fulfilments: t.field({ type: [FulfilmentObject], resolve: (page) => page.orders }),
      cursor: t.exposeID("cursor", CURSOR_FIELD),
    }),
  });
  builder.queryFields((t) => {
    const page = pageArgumentsOf(t);
    return {
      getOrderList: t.field({
        type: OrderList,
        nullable: true,
        description: "The counter's orders of a day, by the time they were placed, oldest first.",
        args: { ...page, customerId: t.arg.string() },
        resolve: (_root, given, context) => guard(context, () => find(given)),
      }),
      getFulfilmentList: t.field({
        type: FulfilmentList,
        nullable: true,
        description: "The same as fulfilments.",
        args: page,
        resolve: (_root, given, context) => guard(context, () => find(given)),
      }),
    };
  });
}
