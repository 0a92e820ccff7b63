/** How customers pay by card, in a real browser, at a test acquirer: no money moves. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { applyVerb, expectStatus, start } from "../support/http.ts";
import { giveBack, lookAtPayment, readPayment, untilPayment } from "../support/payments.ts";
import { useServer } from "../support/server.ts";
import { changeShop } from "../support/shop.ts";
import { shoot, useBrowser, type Device } from "../support/browser.ts";
import { settled } from "./barista-page.ts";
import { findOnly, orderDrink, ticket } from "./customer-page.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

/** A page at a new shop where drinks are paid by card. */
async function visit(): Promise<{ page: Page; device: Device }> {
  await server.start({ PAYMENT: "card", ACQUIRER: "on" });
  const device = await browser.newDevice();
  return { page: await device.open(server.customers), device };
}

const payButton = (page: Page) => ticket(page).getByRole("button", { name: "Pay €4.00" });
const card = (page: Page, name: string) => ticket(page).getByRole("radio", { name });

test("a customer orders, pays by card, waits, and has it; the money is taken when it is ready, and given back once", async () => {
  const { page } = await visit();
  await orderDrink(page, "Latte");
  await ticket(page).getByText("To pay by card: €4.00").waitFor();
  await ticket(page).getByText("no money moves").waitFor();
  await ticket(page).getByRole("timer").waitFor();
  await shoot(page, "customer-pay-card");
  await payButton(page).click();
  await ticket(page).getByText("You are next").waitFor();
  await ticket(page).getByText("€4.00 is held on your card, and taken when your drink is ready.").waitFor();
  await shoot(page, "customer-card-held");

  const { order_id } = await start(server, "barista=Grace");
  await ticket(page).getByText("Grace is making it now").waitFor();
  await applyVerb(server, "finish", order_id, "barista=Grace");
  await ticket(page).getByText("Come and get it!").waitFor();
  await ticket(page).getByText("Paid by card: €4.00").waitFor();
  await untilPayment(server, order_id, "SUCCESSFUL");
  expectStatus(await giveBack(server, order_id, "it was cold"), 200);
  await ticket(page).getByText("Your money is given back: €4.00 goes to your card.").waitFor();
  await shoot(page, "customer-card-refunded");
});

test("a card that is refused is said in the bank's words, and another one does", async () => {
  const { page, device } = await visit();
  device.expectFault(/402/);
  await orderDrink(page, "Latte");
  await card(page, "A card with too little money").check();
  await payButton(page).click();
  await ticket(page).getByRole("alert").getByText("insufficient funds").waitFor();
  await shoot(page, "customer-card-declined");
  await page.reload();
  // The payment says why, also to a page that was loaded again.
  await ticket(page).getByRole("alert").getByText("insufficient funds").waitFor();
  await settled(page);
  await card(page, "A card that is refused").check();
  await payButton(page).click();
  await ticket(page).getByRole("alert").getByText("Your card was declined.").waitFor();
  await settled(page);
  await card(page, "A card that works").check();
  await payButton(page).click();
  await ticket(page).getByText("You are next").waitFor();
});

test("a payment whose answer was lost is sent again, and paid once", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_FAILED/);
  let tries = 0;
  await page.route("**/payment", async (route) => {
    tries += 1;
    if (tries > 1) return await route.fallback();
    await route.fetch();
    return await route.abort();
  });
  await orderDrink(page, "Latte");
  await payButton(page).click();
  await ticket(page).getByText("You are next").waitFor();
  expect(await page.getByText("The order is paid already.").count()).toBe(0);
});

test("while the bank has not answered the ticket says that there is nothing to do, and goes on by itself", async () => {
  const { page } = await visit();
  await orderDrink(page, "Latte");
  const { order_id } = await findOnly(server, "unpaid");
  const pending = readPayment((await lookAtPayment(server, order_id)).body);
  // Of a bank that is slow, the shop's answer is stood in for; the payment goes on behind it.
  let isSlow = true;
  await page.route(`**/payment/${order_id}`, async (route) => {
    if (!isSlow) return await route.fallback();
    return await route.fulfill({ json: { ...pending, is_under_way: true } });
  });
  await page.route("**/payment", (route) => route.fulfill({ status: 202, json: { ...pending, is_under_way: true } }));
  await payButton(page).click();
  await ticket(page).getByText("The bank has not answered yet").waitFor();
  expect(await payButton(page).count()).toBe(0);
  await shoot(page, "customer-card-slow");
  isSlow = false;
  await payButton(page).waitFor();
});

test("of an order that was paid by card, a cancelled one gives the money back by itself", async () => {
  const { page } = await visit();
  await orderDrink(page, "Latte");
  await payButton(page).click();
  await ticket(page).getByText("You are next").waitFor();
  const { order_id } = await findOnly(server, "queued");
  await applyVerb(server, "cancel", order_id, "barista=Grace&reason=barista");
  await ticket(page).getByText("Your money is given back: €4.00 is no longer held on your card.").waitFor();
  await shoot(page, "customer-card-cancelled");
  await page.getByRole("button", { name: "OK" }).click();

  // The customer's own cancellation says it at once, and their list of past orders once it is so.
  await orderDrink(page, "Latte");
  await payButton(page).click();
  await ticket(page).getByText("You are next").waitFor();
  await settled(page);
  await ticket(page).getByRole("button", { name: "Cancel order" }).click();
  await page.getByRole("dialog").getByText("Your money is given back.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel order" }).click();
  await page.getByText(/It will not be made\. Your money is given back\./).waitFor();
  await page.getByText("Your orders before").click();
  await page.getByText(/you cancelled it\s+· money given back/).waitFor();
});

test("where cards can't be taken any more, the ticket sends to the counter", async () => {
  const { page } = await visit();
  await orderDrink(page, "Latte");
  await page.route("**/shop", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ json: { ...((await response.json()) as object), payment_provider: null } });
  });
  await ticket(page).getByText("Cards can’t be taken on this page right now. Please ask at the counter.").waitFor();
  await changeShop(server, { payment: "off" });
});
