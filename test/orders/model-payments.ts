/**
 * Owns the payments of the model, without a clock.
 *
 * **Invariants**
 * - One change, one event.
 */
import { PRICE } from "./model-commands.ts";
import type { ModelOrder, Observation, PaymentKind, PaymentOutcome, SeenPayment } from "./model-order.ts";

/** As in redis/operations/attempt.lua. */
const MAX_TRIES = 10;

/** What happens to the order of a payment. */
interface OrdersOfPayments {
  readonly find: (id: string) => ModelOrder | undefined;
  readonly queue: (order: ModelOrder) => void;
  readonly note: (verb: string, id: string) => void;
}

interface ModelPayment {
  readonly id: string;
  readonly kind: PaymentKind;
  status: "PENDING" | "CREATED" | "SUCCESSFUL" | "FAILED" | "REFUNDED";
  attempt: number;
  /** The card that is being tried. */
  method: string | undefined;
  intent: string;
  error: string | undefined;
  refundReason: string | undefined;
  isRefunding: boolean;
  /** When it is to be looked at; undefined: not until it is asked for. */
  look: "now" | "later" | undefined;
  readonly times: Set<string>;
}

interface Authorising {
  readonly intent: string;
  readonly amount: number;
}

export class PaymentsModel {
  readonly #payments = new Map<string, ModelPayment>();
  readonly #orders: OrdersOfPayments;

  constructor(orders: OrdersOfPayments) {
    this.#orders = orders;
  }

  add(id: string, kind: PaymentKind): void {
    const open = { method: undefined, intent: "", error: undefined, refundReason: undefined, isRefunding: false };
    const times = new Set(["expires_at"]);
    this.#payments.set(id, { id, kind, status: "PENDING", attempt: 0, ...open, look: undefined, times });
  }

  /** Which try of its card is the last. */
  attemptOf(id: string): number {
    return this.#payments.get(id)?.attempt ?? 0;
  }

  attempt(id: string, method: string): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    const order = this.#orders.find(id);
    if (payment.kind !== "card") return refused("counter");
    if (order?.status !== "unpaid" || payment.status !== "PENDING")
      return refused(order?.status === "ready" || order?.status === "cancelled" ? "over" : "paid");
    if (order.isTooLate) return refused("over");
    if (payment.method !== undefined)
      return payment.method === method ? { kind: "joined", payment: see(payment) } : refused("under_way");
    if (payment.attempt >= MAX_TRIES) return refused("tries");
    payment.attempt += 1;
    Object.assign(payment, { method, error: undefined, look: "later" });
    this.#orders.note("attempted", id);
    return { kind: "attempted", attempt: payment.attempt, intentId: payment.intent, payment: see(payment) };
  }

  decline(id: string, attempt: number, intent: string): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.status !== "PENDING" || payment.attempt !== attempt) return refused("over");
    if (payment.method === undefined) return paid(payment);
    const look = this.#orders.find(id)?.status === "unpaid" ? undefined : "now";
    Object.assign(payment, { method: undefined, error: "no funds", intent: intent || payment.intent, look });
    this.#orders.note("declined", id);
    return paid(payment);
  }

  authorise(id: string, { intent, amount }: Authorising): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.status === "CREATED" && payment.intent === intent) return paid(payment);
    if (payment.status !== "PENDING" || payment.kind !== "card") return refused("over");
    if (amount !== PRICE) return refused("amount");
    const order = this.#orders.find(id);
    const isAwaited = order?.status === "unpaid";
    this.#enter(payment, "CREATED", ["authorised_at", "capture_before"], ["expires_at"]);
    Object.assign(payment, { intent, method: undefined, error: undefined, look: isAwaited ? "later" : "now" });
    if (isAwaited) this.#orders.queue(order);
    this.#orders.note("authorised", id);
    return paid(payment);
  }

  take(id: string): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.kind !== "counter") return refused("card");
    if (payment.status === "SUCCESSFUL") return paid(payment);
    const order = this.#orders.find(id);
    if (payment.status !== "PENDING" || order?.status !== "unpaid") return refused("over");
    this.#enter(payment, "SUCCESSFUL", ["captured_at"], ["expires_at"]);
    this.#orders.queue(order);
    this.#orders.note("taken", id);
    return paid(payment);
  }

  capture(id: string): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.status === "SUCCESSFUL") return paid(payment);
    if (payment.status !== "CREATED") return refused("over");
    const status = this.#orders.find(id)?.status;
    if (status !== "ready") return refused(status === "cancelled" ? "over" : "open");
    this.#enter(payment, "SUCCESSFUL", ["captured_at"], ["capture_before"]);
    payment.look = undefined;
    this.#orders.note("captured", id);
    return paid(payment);
  }

  reverse(id: string, hasLapsed: boolean): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.status === "REFUNDED" || payment.status === "FAILED") return paid(payment);
    if (payment.status === "SUCCESSFUL") return refused("over");
    const status = this.#orders.find(id)?.status;
    if (status !== "cancelled" && !(status === "ready" && hasLapsed)) return refused("open");
    payment.times.delete("capture_before");
    if (hasLapsed || payment.status === "PENDING") {
      this.#fail(payment, hasLapsed ? "lapsed" : undefined);
      return paid(payment);
    }
    this.#refunded(payment);
    return paid(payment);
  }

  refund(id: string): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.refundReason !== undefined) return paid(payment);
    if (payment.status !== "SUCCESSFUL") return refused("unpaid");
    const status = this.#orders.find(id)?.status;
    if (status !== "ready" && status !== "cancelled") return refused("open");
    payment.refundReason = "cold";
    if (payment.kind === "counter") {
      this.#refunded(payment);
      return paid(payment);
    }
    payment.times.add("refund_requested_at");
    Object.assign(payment, { isRefunding: true, look: "now" });
    this.#orders.note("refunding", id);
    return paid(payment);
  }

  repay(id: string, isRefused: boolean): PaymentOutcome {
    const payment = this.#payments.get(id);
    if (!payment) return UNKNOWN;
    if (payment.status === "REFUNDED") return paid(payment);
    if (payment.status !== "SUCCESSFUL" || !payment.isRefunding) return refused("over");
    if (!isRefused) {
      payment.error = undefined;
      this.#refunded(payment);
      return paid(payment);
    }
    payment.times.delete("refund_requested_at");
    Object.assign(payment, { error: "refused", refundReason: undefined, isRefunding: false, look: undefined });
    this.#orders.note("refused", id);
    return paid(payment);
  }

  /** Those that are to be looked at now; where all are, also those that are to be later. */
  takeDue(areAll: boolean): PaymentOutcome {
    const due = [...this.#payments.values()].filter(({ look }) => look === "now" || (areAll && look === "later"));
    for (const payment of due) payment.look = "later";
    return { kind: "due", orderIds: due.filter((one) => !this.#isSettled(one)).map(({ id }) => id) };
  }

  /** The order of an unpaid one has ended. */
  closeUnpaid(id: string): void {
    const payment = this.#payments.get(id);
    if (payment && payment.attempt > 0) payment.look = "now";
    else if (payment) this.#fail(payment, undefined);
  }

  observe(): Pick<Observation, "payments" | "openPayments"> {
    const all = [...this.#payments.values()];
    return {
      payments: Object.fromEntries(all.map((payment) => [payment.id, see(payment)])),
      openPayments: all.flatMap(({ id, look }) => (look === undefined ? [] : [id])).toSorted(),
    };
  }

  #isSettled({ status, isRefunding }: ModelPayment): boolean {
    return status === "FAILED" || status === "REFUNDED" || (status === "SUCCESSFUL" && !isRefunding);
  }

  #enter(payment: ModelPayment, status: ModelPayment["status"], came: string[], went: string[]): void {
    payment.status = status;
    for (const time of came) payment.times.add(time);
    for (const time of went) payment.times.delete(time);
  }

  #fail(payment: ModelPayment, why: string | undefined): void {
    this.#enter(payment, "FAILED", ["failed_at"], ["expires_at"]);
    Object.assign(payment, { error: why ?? payment.error, method: undefined, look: undefined });
    this.#orders.note("failed", payment.id);
  }

  #refunded(payment: ModelPayment): void {
    this.#enter(payment, "REFUNDED", ["refunded_at"], []);
    payment.look = undefined;
    this.#orders.note("refunded", payment.id);
  }
}

const UNKNOWN = { kind: "unknown" } as const;

function refused(why: string): PaymentOutcome {
  return { kind: "refused", why };
}

function paid(payment: ModelPayment): PaymentOutcome {
  return { kind: "paid", payment: see(payment) };
}

function see({ status, kind, error, refundReason, method, times }: ModelPayment): SeenPayment {
  const told = { status: `PAYMENT_${status}`, kind, amount: PRICE, error, refundReason };
  return { ...told, isUnderWay: method !== undefined, times: [...times].toSorted() };
}
