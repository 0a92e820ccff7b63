/**
 * Owns the two schemas: that of the customers' port, and that of the baristas' port, which has all of it and more.
 *
 * **Invariants**
 * - The customers' schema does not name what only staff may do.
 */
import type { GraphQLSchema } from "graphql";
import type { EventFeed } from "../../events/feed.ts";
import type { Orders } from "../../orders/orders.ts";
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

export interface CustomerSchemaDependencies extends OrderFieldDependencies {
  readonly menu: Pick<Menu, "list">;
  readonly listening: Listening;
}

export interface BaristaSchemaDependencies extends CustomerSchemaDependencies {
  readonly orders: Pick<Orders, "find" | "search">;
  readonly fulfilling: Pick<Fulfilling, "complete" | "reject">;
  readonly feed: EventFeed;
}

export function createCustomerSchema(dependencies: CustomerSchemaDependencies, guard: Guard): GraphQLSchema {
  const builder = createBuilder();
  defineShared(builder, dependencies, guard);
  return builder.toSchema();
}

export function createBaristaSchema(dependencies: BaristaSchemaDependencies, guard: Guard): GraphQLSchema {
  const { orders, fulfilling, feed } = dependencies;
  const builder = createBuilder();
  const OrderObject = defineShared(builder, dependencies, guard);
  const FulfilmentObject = defineFulfilment(builder, OrderObject);
  defineLists(builder, { OrderObject, FulfilmentObject }, orders, guard);
  defineFulfilmentChanges(builder, FulfilmentObject, fulfilling, guard);
  defineFulfilmentUpdates(builder, FulfilmentObject, feed, guard);
  return builder.toSchema();
}

function defineShared(builder: Builder, dependencies: CustomerSchemaDependencies, guard: Guard): OrderType {
  builder.queryType();
  builder.mutationType();
  builder.subscriptionType();
  const OrderObject = defineOrder(builder);
  defineMenu(builder, dependencies.menu, guard);
  defineOrderFields(builder, OrderObject, dependencies, guard);
  defineOrderUpdates(builder, OrderObject, dependencies.listening, guard);
  return OrderObject;
}
