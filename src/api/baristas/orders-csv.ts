/**
 * Owns how orders are written as CSV: a line an order, page by page as they are found.
 *
 * **Invariants**
 * - The columns are always the same, in the same order.
 * - A CSV is bounded: of its orders, and of the pages that are looked through for them.
 * - A page is looked for when the reader has taken the one before; a reader who goes away ends it.
 * - One that can't go on breaks off: it is not taken for whole.
 */
import type { Order } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import type { Search, SearchOutcome } from "../../orders/queries.ts";
import { toLine, type Cell } from "./csv.ts";

export const MAX_CSV_ORDERS = 10_000;
/** A page looks at 1,000 orders: where few of them fit, it goes no further than this. */
const MAX_PAGES = 500;

function cellsOf(order: Partial<Order>): Record<string, Cell> {
  const modifiers = Object.entries(order.modifiers ?? {}).map(([name, option]) => `${name}: ${option}`);
  return {
    order_id: order.order_id,
    number: order.number,
    queue: order.queue ?? "default",
    status: order.status,
    reason: order.reason,
    item: order.item,
    modifiers: modifiers.join("; "),
    note: order.note,
    price_cents: order.price,
    payment_kind: order.payment_kind,
    customer_id: order.customer_id,
    customer_name: order.customer_name,
    barista: order.barista,
    attempts: order.attempts,
    placed_at: order.placed_at,
    not_before: order.not_before,
    started_at: order.started_at,
    finished_at: order.finished_at,
    error: order.error,
  };
}

export const CSV_HEAD = toLine(Object.keys(cellsOf({})));

export function toOrderLine(order: string): string {
  return toLine(Object.values(cellsOf(JSON.parse(order) as Order)));
}

type Page = Extract<SearchOutcome, { kind: "page" }>;

/** `first`: the first page, which was found already. */
export function ordersCsv(orders: Pick<Orders, "search">, wanted: Search, first: Page): ReadableStream<Uint8Array> {
  const lines = writeLines(orders, wanted, first);
  const utf8 = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await lines.next();
      if (done) controller.close();
      else controller.enqueue(utf8.encode(value));
    },
    async cancel() {
      await lines.return(undefined);
    },
  });
}

async function* writeLines(
  orders: Pick<Orders, "search">,
  wanted: Search,
  first: Page,
): AsyncGenerator<string, undefined> {
  yield CSV_HEAD;
  let [page, left] = [first, MAX_CSV_ORDERS];
  for (let pages = 1; ; pages += 1) {
    const shown = page.orders.slice(0, left);
    left -= shown.length;
    if (shown.length > 0) yield shown.map(toOrderLine).join("");
    const { cursor } = page;
    if (cursor === undefined || left === 0 || pages === MAX_PAGES) return undefined;
    const next = await orders.search({ ...wanted, cursor });
    if (next.kind === "cursor_gone") {
      // Its order is no longer kept. Newest first, nor are those that would follow; oldest first, they are there.
      if (wanted.isNewestFirst) return undefined;
      throw new Error(`order ${cursor} is no longer kept: what follows it can't be found`);
    }
    page = next;
  }
}
