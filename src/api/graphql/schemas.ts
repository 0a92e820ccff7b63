/**
 * Owns the two schemas: that of the customers' port, and that of the baristas' port, which has all of it and more.
 *
 * **Invariants**
 * - The customers' schema does not name what only staff may do.
 */
import type { GraphQLSchema } from "graphql";
import type { EventFeed } from "../../events/feed.ts";
import type { Orders } from "../../orders/orders.ts";
import type { Payments } from "../../orders/payments.ts";
import type { Menu } from "../../shop/menu.ts";
import type { Fulfilling } from "../../service/fulfilling.ts";
import type { Listening } from "../../service/listening.ts";
import { createBuilder, type Builder } from "./builder.ts";
import { defineMenu } from "./coffee-type.ts";
import type { Guard } from "./errors.ts";
import { defineFulfilmentChanges, defineFulfilmentUpdates } from "./fulfilment-fields.ts";
import { defineLists } from "./list-fields.ts";
import { defineOrderFields, type OrderFieldDependencies } from "./order-fields.ts";
import { defineFulfilment, defineOrder, type OrderType } from "./order-type.ts";
import { defineOrderUpdates } from "./order-updates.ts";
import { definePaymentChanges } from "./payment-changes.ts";
import { definePaymentFields, type PaymentFieldDependencies } from "./payment-fields.ts";
import { definePaymentList } from "./payment-list.ts";
import { definePayment, type PaymentTypes } from "./payment-type.ts";
import { defineAllPaymentUpdates, definePaymentUpdates } from "./payment-updates.ts";

export interface CustomerSchemaDependencies extends OrderFieldDependencies, PaymentFieldDependencies {
  readonly menu: Pick<Menu, "list">;
  readonly listening: Listening;
}

export interface BaristaSchemaDependencies extends CustomerSchemaDependencies {
  readonly orders: Pick<Orders, "find" | "search">;
  readonly payments: Pick<Payments, "find" | "search" | "take" | "refund">;
  readonly fulfilling: Pick<Fulfilling, "complete" | "reject">;
  readonly feed: EventFeed;
}

export function createCustomerSchema(dependencies: CustomerSchemaDependencies, guard: Guard): GraphQLSchema {
  const builder = createBuilder();
  const { types } = defineShared(builder, dependencies, guard);
  definePaymentUpdates(builder, types, dependencies, guard);
  return builder.toSchema();
}

export function createBaristaSchema(dependencies: BaristaSchemaDependencies, guard: Guard): GraphQLSchema {
  const { orders, payments, fulfilling, feed } = dependencies;
  const builder = createBuilder();
  const { OrderObject, types } = defineShared(builder, dependencies, guard);
  const FulfilmentObject = defineFulfilment(builder, OrderObject);
  defineLists(builder, { OrderObject, FulfilmentObject }, orders, guard);
  definePaymentList(builder, types, payments, guard);
  defineFulfilmentChanges(builder, FulfilmentObject, fulfilling, guard);
  defineFulfilmentUpdates(builder, FulfilmentObject, feed, guard);
  definePaymentChanges(builder, types, payments, guard);
  defineAllPaymentUpdates(builder, types, dependencies, guard);
  return builder.toSchema();
}

interface Shared {
  readonly OrderObject: OrderType;
  readonly types: PaymentTypes;
}

function defineShared(builder: Builder, dependencies: CustomerSchemaDependencies, guard: Guard): Shared {
  builder.queryType();
  builder.mutationType();
  builder.subscriptionType();
  const types = definePayment(builder);
  const OrderObject = defineOrder(builder, types);
  defineMenu(builder, dependencies.menu, guard);
  defineOrderFields(builder, OrderObject, dependencies, guard);
  defineOrderUpdates(builder, OrderObject, dependencies.listening, guard);
  definePaymentFields(builder, types, dependencies, guard);
  return { OrderObject, types };
}
