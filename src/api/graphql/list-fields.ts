/**
 * Owns the lists of a day, which only the baristas' port has.
 *
 * **Invariants**
 * - A list is bounded, and `cursor` goes on after it.
 */
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { DATE } from "../../formats.ts";
import type { Order } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import { InvalidInputError } from "../../problem.ts";
import { faultsOf } from "../../schema-faults.ts";
import { CURSOR_GONE } from "../answers.ts";
import { readRange } from "../day.ts";
import { Cursor, PAGE_LIMIT, PageLimit } from "../parameters.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";
import type { FulfilmentType, OrderType } from "./order-type.ts";
import { parseOrder } from "./outcomes.ts";

const ListArguments = Type.Object({
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  customerId: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" })),
  first: Type.Optional(PageLimit),
  after: Type.Optional(Cursor),
});
const validator = TypeCompiler.Compile(ListArguments);

interface Page {
  readonly orders: readonly Order[];
  readonly cursor: string | undefined;
}

type Given = Readonly<Record<string, unknown>>;

export function defineLists(
  builder: Builder,
  { OrderObject, FulfilmentObject }: { OrderObject: OrderType; FulfilmentObject: FulfilmentType },
  orders: Pick<Orders, "search">,
  guard: Guard,
): void {
  const find = async (given: Given): Promise<Page> => {
    const { date, customerId, first = PAGE_LIMIT, after } = check(given);
    const outcome = await orders.search({ customerId, ...readRange({ date }), cursor: after, limit: first });
    if (outcome.kind === "cursor_gone") throw new InvalidInputError([{ ...CURSOR_GONE, field: "after" }]);
    return { orders: outcome.orders.map(parseOrder), cursor: outcome.cursor };
  };
  const OrderList = builder.objectRef<Page>("OrderList").implement({
    fields: (t) => ({
      orders: t.field({ type: [OrderObject], resolve: (page) => page.orders }),
      cursor: t.exposeID("cursor", { nullable: true, description: "Goes on after this page; null on the last one." }),
    }),
  });
  const FulfilmentList = builder.objectRef<Page>("FulfilmentList").implement({
    fields: (t) => ({
      fulfilments: t.field({ type: [FulfilmentObject], resolve: (page) => page.orders }),
      cursor: t.exposeID("cursor", { nullable: true, description: "Goes on after this page; null on the last one." }),
    }),
  });
  builder.queryFields((t) => {
    const page = {
      date: t.arg.string({ description: "A day (UTC); today without it." }),
      first: t.arg.int({ defaultValue: PAGE_LIMIT, description: "At most so many: 1 to 200." }),
      after: t.arg.id({ description: "The cursor of the page before." }),
    };
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

/** The arguments without those that are null. Throws an InvalidInputError. */
function check(given: Given) {
  const named: unknown = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
  );
  if (validator.Check(named)) return named;
  throw new InvalidInputError(faultsOf(validator.Errors(named)));
}
