/**
 * Owns one order that a staff page shows with all that happened to it, and its payment.
 *
 * **Invariants**
 * - It is read anew as its events come, and what is shown belongs to the order that was asked for last.
 */
import type { Payment } from "../../../orders/payment.ts";
import type { JourneyView } from "../../../orders/views.ts";
import { Newest } from "../newest.ts";
import { Steady } from "../steady.ts";
import type { StaffApi } from "./api.ts";
import { sayFault } from "./fault.ts";

const EVERY_MS = 500;

export class OrderWatch {
  readonly #calls: Pick<StaffApi, "journey" | "payment">;
  #id = "";
  #journey = $state.raw<JourneyView>();
  #payment = $state.raw<Payment>();
  #fault = $state.raw<string>();
  readonly #newest = new Newest();
  readonly #steady = new Steady(() => this.#read(), EVERY_MS);

  constructor(calls: Pick<StaffApi, "journey" | "payment">) {
    this.#calls = calls;
  }

  /** Undefined until there was an answer. */
  get journey(): JourneyView | undefined {
    return this.#journey;
  }

  /** Undefined where nothing is to be paid. */
  get payment(): Payment | undefined {
    return this.#payment;
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  /** Empty: none. */
  show(orderId: string): void {
    if (orderId !== this.#id) {
      this.#journey = undefined;
      this.#payment = undefined;
      this.#fault = undefined;
    }
    this.#id = orderId;
    void this.#read();
  }

  /** Something happened to an order; undefined: perhaps to any. */
  hear(orderId: string | undefined): void {
    if (this.#id && (orderId === undefined || orderId === this.#id)) this.#steady.need();
  }

  /** The user asks, or the connection is back. */
  hurry(): void {
    if (this.#id) this.#steady.hurry();
  }

  stop(): void {
    this.#newest.begin();
    this.#steady.stop();
  }

  async #read(): Promise<void> {
    const isNewest = this.#newest.begin();
    const id = this.#id;
    if (!id) return;
    const journey = await this.#calls.journey(id);
    if (!isNewest()) return;
    this.#fault = sayFault(journey);
    if (journey.kind !== "done") return;
    const isPaid = journey.value.order.payment_kind !== undefined;
    const payment = isPaid ? await this.#calls.payment(id) : undefined;
    if (!isNewest()) return;
    this.#journey = journey.value;
    this.#payment = payment?.kind === "done" ? payment.value : undefined;
  }
}
