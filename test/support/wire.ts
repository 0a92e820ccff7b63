/**
 * Owns how tests read what the verbs answer: orders come as JSON, tests compare them as objects.
 *
 * **Invariants**
 * - JSON that is no order, or another order than its outcome names, fails the test that got it.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Order, type OrderJson } from "../../src/orders/order.ts";
import type { Orders } from "../../src/orders/orders.ts";

/** An order with all that may stand in one, and nothing else. Tests of scripts name their orders as they like. */
const AnyOrder = Type.Object({ ...Order.properties, order_id: Type.String() }, { additionalProperties: false });

/** What an operation answers, its orders read, and without what it says of the bucket. */
export type Parsed<Outcome> = Outcome extends { readonly tokens: unknown }
  ? Read<Omit<Outcome, "tokens">>
  : Read<Outcome>;
type Read<Outcome> = Outcome extends { readonly order: OrderJson }
  ? Omit<Outcome, "order"> & { readonly order: Order }
  : Outcome extends { readonly orders: readonly OrderJson[] }
    ? Omit<Outcome, "orders"> & { readonly orders: readonly Order[] }
    : Outcome;

/** The verbs, each of which answers its orders read; those of payments as they are. */
export type ParsedOrders = Pick<Orders, "payments"> & {
  readonly [
    Verb in Exclude<keyof Orders, "payments" | "replica" | "flow" | "onFinal" | "close">
  ]: Orders[Verb] extends (...args: infer Args) => Promise<infer Outcome>
    ? (...args: Args) => Promise<Parsed<Outcome>>
    : never;
};

function parseOrder(json: OrderJson): Order {
  const value: unknown = JSON.parse(json);
  if (Value.Check(AnyOrder, value)) return value;
  const faults = [...Value.Errors(AnyOrder, value)].map(({ path, message }) => `${path}: ${message}`);
  throw new Error(`no order: ${json}\n${faults.join("\n")}`);
}

/** Reads the orders of one outcome. */
export function parsed<Outcome extends object>(whole: Outcome): Parsed<Outcome> {
  if (Array.isArray(whole)) return whole as Parsed<Outcome>;
  const { tokens: _tokens, ...outcome } = whole as Outcome & { readonly tokens?: unknown };
  if ("order" in outcome) {
    const order = parseOrder(outcome.order as OrderJson);
    if ("orderId" in outcome && outcome.orderId !== order.order_id) throw new Error(`another's: ${order.order_id}`);
    if ("status" in outcome && outcome.status !== order.status) throw new Error(`another status: ${order.status}`);
    return { ...outcome, order } as Parsed<Outcome>;
  }
  if ("orders" in outcome && "kind" in outcome) {
    return { ...outcome, orders: (outcome.orders as readonly OrderJson[]).map(parseOrder) } as Parsed<Outcome>;
  }
  return outcome as Parsed<Outcome>;
}

export function parsing(orders: Orders): ParsedOrders {
  type Verb = (...args: readonly unknown[]) => Promise<object>;
  const { payments, replica: _replica, onFinal: _onFinal, close: _close, ...asking } = orders;
  const verbs = Object.entries(asking).map(([verb, verbOf]) => [
    verb,
    async (...args: readonly unknown[]) => parsed(await (verbOf as Verb)(...args)),
  ]);
  return { ...Object.fromEntries(verbs), payments } as ParsedOrders;
}
