/**
 * Owns how orders are shown to people.
 *
 * **Invariants**
 * - What a server says beyond what is known here is shown too, under its own name.
 */
import type { Order } from "../client/index.ts";
import { formatSummary, type Row } from "./summary.ts";

/** `order 17 (latte)`, `call 3 (thumbs)`. */
export function nameOrder(order: Order): string {
  const { number, item, queue } = order;
  const kind = queue === undefined ? "order" : "call";
  const what = queue ?? item;
  return [kind, number, what === undefined ? undefined : `(${what})`].filter((part) => part !== undefined).join(" ");
}

/** Its state in a few words: `queued, position 3, about 95 s`. */
function describeState(order: Order): string {
  const { status, position, eta_seconds: eta, barista, reason, error, progress, not_before: notBefore } = order;
  const failed = error === undefined ? "" : `; last attempt: ${error}`;
  if (status === "queued")
    return `queued${position ? `, position ${position}` : ""}${eta ? `, about ${eta} s` : ""}${failed}`;
  if (status === "scheduled") return `scheduled for ${notBefore}`;
  if (status === "brewing") return `brewing${barista ? ` by ${barista}` : ""}${describeProgress(progress)}`;
  if (status === "cancelled") return `cancelled (${reason ?? "no reason"})${error === undefined ? "" : `: ${error}`}`;
  return status;
}

function describeProgress({ percent, message }: NonNullable<Order["progress"]> = {}): string {
  return [percent === undefined ? "" : `, ${percent} %`, message ? `, ${message}` : ""].join("");
}

/** One line. */
export function describeOrder(order: Order): string {
  return `${nameOrder(order)}: ${describeState(order)}`.replaceAll(/\s*\n\s*/g, " ");
}

/** One line of a list, with its id. */
export function listOrder(order: Order): string {
  return `${order.order_id}  ${describeOrder(order)}`;
}

/** What the first line says already. */
const SAID = new Set(["number", "item", "queue", "status", "position", "eta_seconds", "reason", "error", "progress"]);

/** All of it: a line, and a row a field. */
export function showOrder(order: Order): string {
  const rows = Object.entries(order)
    .filter(([name, value]) => value !== undefined && !SAID.has(name))
    .map(([name, value]): Row => [
      name,
      typeof value === "string" && !value.includes("\n") ? value : JSON.stringify(value),
    ]);
  return formatSummary(describeOrder(order), rows);
}
