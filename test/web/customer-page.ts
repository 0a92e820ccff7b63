/** Owns how tests use the customer page: by what a customer sees and does. */
import { expect } from "bun:test";
import type { Page } from "playwright-core";
import { ask, type Ports, type WireOrder } from "../support/http.ts";

/** The tickets of this device's open orders. */
export const ticket = (page: Page) => page.getByRole("article");

/** Orders a drink as the page's customer, and waits for its ticket. */
export async function orderDrink(page: Page, name: string, customer = "Ada"): Promise<void> {
  await page.getByRole("button", { name: new RegExp(`^${name}`) }).click();
  const order = page.getByRole("dialog").getByRole("button", { name: /^Order/ });
  await order.waitFor();
  const field = page.getByLabel("Your name");
  if (await field.isVisible()) await field.fill(customer);
  await order.click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await ticket(page).first().waitFor();
}

/** The shop's only order in that state. */
export async function findOnly({ baristas }: Pick<Ports, "baristas">, status: WireOrder["status"]): Promise<WireOrder> {
  const { orders } = (await ask(`${baristas}/order/?status=${status}`)).body as { orders: readonly WireOrder[] };
  expect(orders).toHaveLength(1);
  const [order] = orders;
  if (!order) throw new Error("there is none");
  return order;
}
