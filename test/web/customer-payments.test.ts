/** How customers pay, in a real browser: at the counter, and what becomes of the money of an order that is over. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { applyVerb, expectStatus, start } from "../support/http.ts";
import { giveBack, takeMoney } from "../support/payments.ts";
import { useServer } from "../support/server.ts";
import { changeShop } from "../support/shop.ts";
import { shoot, useBrowser } from "../support/browser.ts";
import { findOnly, orderDrink, ticket } from "./customer-page.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

/** A page at a new shop where drinks are paid at the counter. */
async function visit(settings: object = {}): Promise<Page> {
  await server.start({ PAYMENT: "counter" });
  await changeShop(server, settings);
  const device = await browser.newDevice();
  return await device.open(server.customers);
}

const findUnpaid = async (): Promise<string> => (await findOnly(server, "unpaid")).order_id;

test("a customer pays at the counter: the ticket says how much, where and until when, and goes on once it is paid", async () => {
  const page = await visit();
  await page.getByRole("button", { name: /^Latte/ }).click();
  await page.getByText("Then you pay at the counter.").waitFor();
  await shoot(page, "customer-choose-to-pay");
  await page.getByRole("button", { name: "Close" }).click();
  await orderDrink(page, "Latte");
  await ticket(page).getByText("Say number 1 at the counter and pay €4.00.").waitFor();
  expect(await ticket(page).getByRole("timer").innerText()).toMatch(/^(10:00|9:5\d)$/);
  expect(await page.title()).toBe("1: to be paid");
  await shoot(page, "customer-pay-counter");

  await takeMoney(server, await findUnpaid());
  await ticket(page).getByText("You are next").waitFor();
  await ticket(page).getByText("Paid: €4.00").waitFor();
  await shoot(page, "customer-paid");
  const { order_id } = await start(server);
  await applyVerb(server, "finish", order_id);
  await ticket(page).getByText("Come and get it!").waitFor();
  await shoot(page, "customer-paid-ready");
});

test("an order that is not paid in time is cancelled, and the ticket says so kindly", async () => {
  const page = await visit({ payment_timeout_seconds: 2 });
  await orderDrink(page, "Latte");
  await ticket(page).getByText("It was not paid in time, so it is not made, and nothing was taken.").waitFor();
  await shoot(page, "customer-not-paid");
  await page.getByRole("button", { name: "OK" }).click();
  await ticket(page).waitFor({ state: "detached" });
});

test("a customer cancels before paying, and nothing was taken", async () => {
  const page = await visit();
  await orderDrink(page, "Latte");
  await ticket(page).getByRole("button", { name: "Cancel order" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Nothing was taken.").waitFor();
  await dialog.getByRole("button", { name: "Cancel order" }).click();
  await page.getByText("You cancelled your latte, number 1. It will not be made. Nothing was taken.").waitFor();
});

test("of a paid order that the shop cancels, the customer learns where the money is, and when it is back", async () => {
  const page = await visit();
  await orderDrink(page, "Latte");
  const orderId = await findUnpaid();
  expectStatus(await takeMoney(server, orderId), 200);
  await ticket(page).getByText("You are next").waitFor();
  await applyVerb(server, "cancel", orderId, "barista=Grace&reason=barista");
  await ticket(page).getByText("Get your €4.00 back at the counter.").waitFor();
  await shoot(page, "customer-paid-cancelled");
  expectStatus(await giveBack(server, orderId), 200);
  await ticket(page).getByText("€4.00 was given back to you.").waitFor();
});

test("a page that is loaded again knows what is to be paid", async () => {
  const page = await visit();
  await orderDrink(page, "Latte");
  await page.reload();
  await ticket(page).getByText("Say number 1 at the counter and pay €4.00.").waitFor();
  await ticket(page).getByRole("timer").waitFor();
});
