/**
 * Owns how tests ask for payments over HTTP, and read them.
 *
 * **Invariants**
 * - A payment that does not fit its schema fails the test that got it.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Payment } from "../../src/orders/payment.ts";
import { ask, expectStatus, place, type Answer, type Ports, type WireOrder } from "./http.ts";
import { until } from "./until.ts";

/** Cards of a test acquirer. */
export const GOOD_CARD = "pm_card_visa";
export const REFUSED_CARD = "pm_card_chargeDeclined";

const Id = Type.String({ pattern: "^[\\da-f]{8}-[\\da-f]{4}-7[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}$" });
const WholePayment = Type.Object(
  { ...Payment.properties, payment_id: Id, order_id: Id },
  { additionalProperties: false },
);

export function readPayment(value: unknown): Payment {
  const faults = [...Value.Errors(WholePayment, value)].map(({ path, message }) => `${path}: ${message}`);
  if (!Value.Check(WholePayment, value)) throw new Error(`no payment: ${JSON.stringify(value)}\n${faults.join("\n")}`);
  return value;
}

export function expectPayment(answer: Answer, status: string, httpStatus = 200): Payment {
  expectStatus(answer, httpStatus);
  const payment = readPayment(answer.body);
  if (payment.status !== `PAYMENT_${status}`) throw new Error(`${payment.status} is not PAYMENT_${status}`);
  return payment;
}

/** Places an order that is to be paid first. */
export async function placeUnpaid(ports: Pick<Ports, "customers">, draft?: object): Promise<string> {
  const { order_id, status } = await place(ports, draft);
  if (status !== "unpaid") throw new Error(`${status} is not unpaid`);
  return order_id;
}

/** The unpaid order that was placed last. */
export async function findLastUnpaid({ baristas }: Pick<Ports, "baristas">): Promise<string> {
  const { orders } = (await ask(`${baristas}/order?status=unpaid`)).body as { orders: readonly WireOrder[] };
  const last = orders.at(-1);
  if (!last) throw new Error("no order is unpaid");
  return last.order_id;
}

export function pay({ customers }: Pick<Ports, "customers">, json: unknown): Promise<Answer> {
  return ask(`${customers}/payment`, { method: "POST", json });
}

/** Pays for an order with a card. */
export const payByCard = (ports: Pick<Ports, "customers">, order_id: string, method = GOOD_CARD): Promise<Answer> =>
  pay(ports, { order_id, method });

export function lookAtPayment({ customers }: Pick<Ports, "customers">, orderId: string): Promise<Answer> {
  return ask(`${customers}/payment/${orderId}`);
}

/** Resolves once an order's payment has that status. */
export async function untilPayment(
  ports: Pick<Ports, "customers">,
  orderId: string,
  status: string,
  timeoutMs?: number,
): Promise<void> {
  const hasIt = async () => readPayment((await lookAtPayment(ports, orderId)).body).status === `PAYMENT_${status}`;
  await until(hasIt, `the payment of ${orderId} is ${status}`, timeoutMs);
}

export function changePayment({ baristas }: Pick<Ports, "baristas">, orderId: string, json: unknown): Promise<Answer> {
  return ask(`${baristas}/payment/${orderId}?barista=Ada`, { method: "PATCH", json });
}

/** Takes the money at the counter. */
export const takeMoney = (ports: Pick<Ports, "baristas">, orderId: string): Promise<Answer> =>
  changePayment(ports, orderId, { status: "PAYMENT_SUCCESSFUL" });

/** Gives it back. */
export const giveBack = (ports: Pick<Ports, "baristas">, orderId: string, reason = "cold"): Promise<Answer> =>
  changePayment(ports, orderId, { status: "PAYMENT_REFUNDED", reason });
