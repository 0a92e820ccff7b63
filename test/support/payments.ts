/**
 * Owns how tests ask for payments over HTTP, and read them.
 *
 * **Invariants**
 * - A payment that does not fit its schema fails the test that got it.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Payment } from "../../src/orders/payment.ts";
import { ask, expectStatus, type Answer, type Ports } from "./http.ts";

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

export function pay({ customers }: Pick<Ports, "customers">, json: unknown): Promise<Answer> {
  return ask(`${customers}/payment`, { method: "POST", json });
}

export function lookAtPayment({ customers }: Pick<Ports, "customers">, orderId: string): Promise<Answer> {
  return ask(`${customers}/payment/${orderId}`);
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
