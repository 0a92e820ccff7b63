/** Owns how the protocol tests run a shop over HTTP: its settings, its menu, its code, and reservations. */
import { expect } from "bun:test";
import { ask, expectOrder, expectProblem, expectStatus, type Answer, type Ports, type WireOrder } from "./http.ts";

type Staff = Pick<Ports, "baristas">;
type Customers = Pick<Ports, "customers">;
type Headers = Readonly<Record<string, string>>;

/** Expects a problem of that name. */
export function expectRefusal(answer: Answer, status: number, name: string): void {
  expect(expectProblem(answer, status).type).toBe(`urn:longpour:problem:${name}`);
}

/** The settings that a shop begins with. */
export const FIRST_SETTINGS = {
  open: true,
  capacity: null,
  require_code: false,
  drinks_per_code: 10,
  code_period_seconds: 300,
  max_open_per_customer: null,
  customer_timeout_seconds: 900,
  payment: "off" as const,
  payment_timeout_seconds: 600,
  currency: "eur",
};

/** The shop as staff see it. */
export async function readShop({ baristas }: Staff): Promise<Readonly<Record<string, unknown>>> {
  const answer = await ask(`${baristas}/shop`);
  expectStatus(answer, 200);
  return answer.body as Record<string, unknown>;
}

export function patchShop({ baristas }: Staff, json: unknown): Promise<Answer> {
  return ask(`${baristas}/shop`, { method: "PATCH", json });
}

/** Changes settings, which the shop must take. */
export async function changeShop(ports: Staff, settings: object): Promise<void> {
  expectStatus(await patchShop(ports, settings), 200);
}

export interface WireCoffee {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price: number;
  readonly available: boolean;
  readonly modifiers: readonly { readonly name: string; readonly options: readonly string[] }[];
  readonly icon: string;
}

export async function readMenu({ customers }: Customers): Promise<readonly WireCoffee[]> {
  const answer = await ask(`${customers}/coffees`);
  expectStatus(answer, 200);
  return (answer.body as { coffees: WireCoffee[] }).coffees;
}

export function putCoffee({ baristas }: Staff, id: string, json: unknown): Promise<Answer> {
  return ask(`${baristas}/coffees/${id}`, { method: "PUT", json });
}

export function deleteCoffee({ baristas }: Staff, id: string): Promise<Answer> {
  return ask(`${baristas}/coffees/${id}`, { method: "DELETE" });
}

export interface WireCode {
  readonly code: string;
  readonly url: string;
  readonly qr_svg: string;
  readonly remaining: number;
  readonly changes_at: string;
}

export async function readCode({ baristas }: Staff): Promise<WireCode> {
  const answer = await ask(`${baristas}/code`);
  expectStatus(answer, 200);
  return answer.body as WireCode;
}

/** POST /reservation */
export function reserve({ customers }: Customers, json: unknown, headers: Headers = {}): Promise<Answer> {
  return ask(`${customers}/reservation`, { method: "POST", json, headers });
}

/** Reserves an order, which must get in. */
export async function expectReserved(ports: Customers, json: object, headers?: Headers): Promise<WireOrder> {
  return expectOrder(await reserve(ports, json, headers), { status: "reserved", attempts: 0 }, 201);
}

/** PUT /order/:id */
export function choose({ customers }: Customers, orderId: string, json: unknown): Promise<Answer> {
  return ask(`${customers}/order/${orderId}`, { method: "PUT", json });
}
