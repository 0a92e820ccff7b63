/**
 * Owns how pages name drinks and orders.
 *
 * **Invariants**
 * - A drink that the menu no longer has is still named, after its id.
 */
import type { Order } from "../../orders/order.ts";
import type { Coffee } from "../../shop/menu.ts";

/** A drink's name: "Flat white". */
export function nameDrink(item: string | undefined, coffees: readonly Coffee[] = []): string {
  const known = coffees.find(({ id }) => id === item);
  if (known) return known.name;
  const words = (item ?? "something").replaceAll(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The menu's picture of a drink; a cup where it has none. */
export function iconOf(item: string | undefined, coffees: readonly Coffee[] = []): string {
  return coffees.find(({ id }) => id === item)?.icon || "☕";
}

/** Modifiers as they are called out: "oat milk". */
export function nameModifiers({ modifiers = {} }: Pick<Order, "modifiers">): string[] {
  return Object.entries(modifiers).map(([name, option]) => `${option} ${name}`.replaceAll("_", " "));
}

/** The name of an order: its number, or a description while it has none. */
export function nameOrder({ number }: Pick<Order, "number">): string {
  return number === undefined ? "The order without a number" : `Number ${number}`;
}
