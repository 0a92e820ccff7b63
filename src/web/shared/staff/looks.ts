/**
 * Owns how staff pages look at the shop: states, searches, journeys, stats.
 *
 * **Invariants**
 * - Nothing here changes anything, and each look is bounded.
 */
import type { Order, Status } from "../../../orders/order.ts";
import type { Payment } from "../../../orders/payment.ts";
import type { JourneyView, SearchPage, StatesView } from "../../../orders/views.ts";
import { isFinal } from "../../../orders/status.ts";
import type { StatsView } from "../../../stats/view.ts";
import * as calls from "../call.ts";
import { paymentPathOf } from "../payments.ts";

type Answer<Value> = calls.Answer<Value> | { readonly kind: "locked" };

/** Of a list, what is shown at once. */
export const ROWS_SHOWN = 50;
/** A call looks at 1,000 orders: where few of them fit, it is asked again so often before the page says so. */
const MAX_CALLS = 5;

/** A list, from where it was asked for. `cursor`: there may be more. */
export interface OrderPage {
  readonly orders: readonly Order[];
  readonly cursor: string | null;
}

const EVER = "1970-01-01T00:00:00Z";

export function createLooks(send: calls.Send<calls.NoResponse>) {
  const call = <Value>(path: string): Promise<Answer<Value>> => calls.call(send, path);

  /** Looks on while there may be more and the page is not full. */
  async function search(filters: Readonly<Record<string, string>>, cursor?: string): Promise<Answer<OrderPage>> {
    const query = new URLSearchParams({ from: EVER, sort: "newest", ...filters });
    const orders: Order[] = [];
    let next = cursor ?? null;
    for (let asked = 1; ; asked += 1) {
      query.set("limit", String(ROWS_SHOWN - orders.length));
      if (next !== null) query.set("cursor", next);
      const answer = await call<SearchPage>(`/order/?${query}`);
      if (answer.kind !== "done") return answer;
      orders.push(...answer.value.orders);
      next = answer.value.cursor;
      const isDone = next === null || orders.length >= ROWS_SHOWN || asked === MAX_CALLS;
      if (isDone) return { kind: "done", value: { orders, cursor: next } };
    }
  }

  return {
    /** The orders that were placed last, with all that fit these filters: as `GET /order/` has them. */
    searchNewest: search,
    /** The orders of a queue in a state: the open ones as the state has them, the final ones newest first. */
    listState: (status: Status, queue: string, cursor?: string): Promise<Answer<OrderPage>> => {
      if (isFinal(status)) return search({ status, queue }, cursor);
      const query = new URLSearchParams({ queue, limit: String(ROWS_SHOWN), ...(cursor && { cursor }) });
      return call<OrderPage>(`/states/${status}?${query}`);
    },
    states: (queue: string) => call<StatesView>(`/states?${new URLSearchParams({ queue })}`),
    journey: (orderId: string) => call<JourneyView>(`/order/${encodeURIComponent(orderId)}/journey`),
    payment: (orderId: string) => call<Payment>(paymentPathOf(orderId)),
    /** What was counted by hour. */
    statsByHour: (from: Date, to: Date) =>
      call<StatsView>(`/stats?${new URLSearchParams({ by: "hour", from: from.toISOString(), to: to.toISOString() })}`),
    /** All that a search finds, as CSV. */
    csv: async (filters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer<Blob>> => {
      const query = new URLSearchParams({ from: EVER, sort: "newest", ...filters, format: "csv" });
      const response = await send(`/order/?${query}`, { signal });
      if (!(response instanceof Response)) return { kind: response };
      if (!response.ok) {
        const problem = await calls.readResponseProblem(response);
        return problem ? { kind: "refused", problem } : { kind: "unreachable" };
      }
      // One that breaks off is of no use.
      const value = await response.blob().catch(() => undefined);
      return value ? { kind: "done", value } : { kind: "unreachable" };
    },
  };
}
