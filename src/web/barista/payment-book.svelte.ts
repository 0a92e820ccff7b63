/**
 * Owns the payments of a day as staff see them, each with its order's number: as they were found, and every event
 * since.
 *
 * **Invariants**
 * - It asks for nothing, and keeps nothing, while it is closed.
 * - An event that comes while an answer is on its way is newer than that answer.
 */
import type { Order } from "../../orders/order.ts";
import type { Payment } from "../../orders/payment.ts";
import { Newest } from "../shared/newest.ts";
import { partPayment } from "../shared/payments.ts";
import type { Answer, StaffApi } from "../shared/staff/api.ts";

/** What is known of its order stands with a payment. */
export interface PaymentRow {
  readonly payment: Payment;
  readonly order: Pick<Order, "number" | "item"> | undefined;
}

/** Orders that were placed on another day than their payment was made are looked up one by one. */
const MAX_LOOKED_UP = 20;

type Calls = Pick<StaffApi, "paymentsOf" | "ordersOf" | "find" | "giveBack">;

export class PaymentBook {
  readonly #calls: Calls;
  readonly #asked = new Newest();
  /** Undefined: it is closed. */
  #day: string | undefined;
  #byId = new Map<string, PaymentRow>();
  #rows = $state.raw<readonly PaymentRow[]>();
  #isFailed = $state(false);

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Newest first; undefined until they were found. */
  get rows(): readonly PaymentRow[] | undefined {
    return this.#rows;
  }

  /** Whether they could not be asked for. */
  get isFailed(): boolean {
    return this.#isFailed;
  }

  /** Shows the payments of a day (UTC). */
  async open(day: string): Promise<void> {
    const isNewest = this.#asked.begin();
    if (this.#day !== day) this.#rows = undefined;
    this.#day = day;
    this.#byId = new Map();
    const [payments, orders] = await Promise.all([this.#calls.paymentsOf(day), this.#calls.ordersOf(day)]);
    if (!isNewest()) return;
    this.#isFailed = payments.kind !== "done" || orders.kind !== "done";
    if (payments.kind !== "done" || orders.kind !== "done") return;
    const ordersById = new Map(orders.value.map((order) => [order.order_id, order]));
    for (const payment of payments.value) this.#add(payment, ordersById.get(payment.order_id));
    this.#show();
    await this.#lookUp(isNewest);
  }

  close(): void {
    this.#asked.begin();
    this.#day = undefined;
    this.#byId = new Map();
    this.#rows = undefined;
  }

  /** Takes an event of a payment; others say nothing here. */
  hear(data: object): void {
    const { order, payment } = partPayment(data);
    if (!payment || this.#day === undefined || !payment.created_at.startsWith(this.#day)) return;
    // After the order's end, events show no number.
    const known = "number" in order ? (order as Order) : this.#byId.get(payment.order_id)?.order;
    this.#byId.set(payment.order_id, { payment, order: known });
    if (this.#rows) this.#show();
  }

  async giveBack(barista: string, { payment }: PaymentRow, reason: string): Promise<Answer<Payment>> {
    const answer = await this.#calls.giveBack(barista, payment.order_id, reason);
    const row = this.#byId.get(payment.order_id);
    if (answer.kind === "done" && row?.payment === payment) {
      this.#byId.set(payment.order_id, { ...row, payment: answer.value });
      this.#show();
    }
    return answer;
  }

  /** What an event brought meanwhile is newer. */
  #add(payment: Payment, order: Order | undefined): void {
    const heard = this.#byId.get(payment.order_id);
    this.#byId.set(payment.order_id, heard ?? { payment, order });
  }

  async #lookUp(isNewest: () => boolean): Promise<void> {
    const missing = [...this.#byId.values()].filter(({ order }) => order === undefined).slice(0, MAX_LOOKED_UP);
    for (const { payment } of missing) {
      const found = await this.#calls.find(payment.order_id);
      if (!isNewest()) return;
      const row = this.#byId.get(payment.order_id);
      if (found.kind === "done" && row) this.#byId.set(payment.order_id, { ...row, order: found.value });
    }
    if (missing.length > 0) this.#show();
  }

  #show(): void {
    const rows = [...this.#byId.values()];
    this.#rows = rows.toSorted((one, other) => other.payment.created_at.localeCompare(one.payment.created_at));
  }
}
