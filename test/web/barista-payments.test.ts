/** How staff take money and give it back, in a real browser: unpaid orders, the day's payments, the settings. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { ask, applyVerb, expectStatus, place, start } from "../support/http.ts";
import { lookAtPayment, payByCard, readPayment, takeMoney } from "../support/payments.ts";
import { useServer } from "../support/server.ts";
import { changeShop, readShop } from "../support/shop.ts";
import { until } from "../support/until.ts";
import { notice, openBarista, row, settled } from "./barista-page.ts";
import { shoot, useBrowser } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

const unpaid = (page: Page, number: number) =>
  page.getByRole("listitem", { name: `Number ${number}, to be paid`, exact: true });
const item = (page: Page, number: number) =>
  page.getByRole("listitem", { name: `Payment of number ${number}`, exact: true });

async function openPayments(page: Page): Promise<void> {
  await page.getByRole("button", { name: /^Payments/ }).click();
  await page.getByRole("dialog", { name: "Payments" }).waitFor();
}

test("an unpaid order stands apart, and comes into the line once its money is taken", async () => {
  await server.start({ PAYMENT: "counter" });
  const { page } = await openBarista(browser, server, "Ada", "phone");
  await place(server, { item: "latte", modifiers: { milk: "oat" }, customer_name: "Linus", note: "no lid" });
  const second = await place(server, { item: "double_espresso", customer_name: "Margaret" });
  await unpaid(page, 1).waitFor();
  await unpaid(page, 2).waitFor();
  expect(await row(page).count()).toBe(0);
  expect(await page.getByRole("button", { name: /^Payments/ }).innerText()).toContain("2 to be paid");
  await shoot(page, "barista-unpaid");
  await page.getByRole("button", { name: "Paid: €4.00 for number 1" }).click();
  await notice(page, "Number 1 is paid, and in the line.").waitFor();
  await row(page, 1).waitFor();
  await unpaid(page, 1).waitFor({ state: "detached" });
  const { status, taken_by } = readPayment((await lookAtPayment(server, (await start(server)).order_id)).body);
  expect([status, taken_by]).toEqual(["PAYMENT_SUCCESSFUL", "Ada"]);

  await settled(page);
  await unpaid(page, 2).getByRole("button", { name: "Cancel number 2" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByRole("radio", { name: "It is not paid" }).isChecked()).toBe(true);
  await dialog.getByRole("button", { name: "Cancel order" }).click();
  await unpaid(page, 2).waitFor({ state: "detached" });
  const { body } = await ask(`${server.customers}/order/${second.order_id}`);
  expect(body).toMatchObject({ status: "cancelled", reason: "payment_failed" });
});

test("the day's payments are found by number and state, follow what happens, and are given back with a reason", async () => {
  await server.start({ PAYMENT: "counter" });
  for (const drink of ["latte", "mocha", "espresso", "latte"]) await place(server, { item: drink });
  const { page, device } = await openBarista(browser, server, "Ada");
  device.expectFault(/409/);
  await unpaid(page, 4).waitFor();
  await page.keyboard.press("p");
  const dialog = page.getByRole("dialog", { name: "Payments" });
  await item(page, 4).waitFor();
  expect(await item(page, 1).innerText()).toMatch(/€4\.00\s+to be paid/);
  expect(await item(page, 1).getByRole("button").count()).toBe(0);

  // What happens meanwhile is seen, in one's own and in others' hands.
  const { payments } = (await ask(`${server.baristas}/payment`)).body as { payments: { order_id: string }[] };
  const ids = payments.map(({ order_id }) => order_id);
  for (const id of ids.slice(0, 2)) await takeMoney(server, id);
  await item(page, 1).getByText("taken", { exact: true }).waitFor();
  await applyVerb(server, "cancel", ids[2] ?? "", "barista=Grace&reason=customer");
  await item(page, 3).getByText("not paid").waitFor();

  // An order that is not over is cancelled first: the shop says so.
  await item(page, 1).getByRole("button", { name: "Give back the €4.00 of number 1…" }).click();
  const why = page.getByLabel("Why is the €4.00 of number 1 given back?");
  await page.locator("input:focus[maxlength='200']").waitFor();
  await why.fill("it was cold");
  await page.getByRole("button", { name: "Give back €4.00", exact: true }).click();
  await item(page, 1).getByText("The order is not over: cancel it first.").waitFor();
  await shoot(page, "barista-payments");
  const { order_id } = await start(server);
  await applyVerb(server, "finish", order_id);
  await page.getByRole("button", { name: "Give back €4.00", exact: true }).click();
  await item(page, 1).getByText("given back", { exact: true }).waitFor();
  expect(await item(page, 1).innerText()).toContain("given back by Ada · it was cold");

  await dialog.getByLabel("State").selectOption({ label: "Taken" });
  await until(async () => (await dialog.getByRole("listitem").count()) === 1, "one is taken");
  await item(page, 2).waitFor();
  await dialog.getByLabel("State").selectOption({ label: "All" });
  await dialog.getByRole("textbox", { name: "Number" }).fill("3");
  await until(async () => (await dialog.getByRole("listitem").count()) === 1, "one has the number");
  await item(page, 3).waitFor();
  await dialog.getByRole("textbox", { name: "Number" }).fill("");
  await dialog.getByLabel("Day").fill("2026-01-01");
  await dialog.getByText("None.").waitFor();
});

test("staff choose how orders are paid, and read why cards can't be had", async () => {
  await server.start();
  const { page, device } = await openBarista(browser, server, "Ada", "phone");
  expect(await page.getByRole("button", { name: /^Payments/ }).count()).toBe(0);
  await page.getByRole("button", { name: "Shop" }).click();
  const dialog = page.getByRole("dialog", { name: "The shop" });
  const choice = (name: string) => dialog.getByRole("radio", { name });
  await choice("At the counter").check();
  await until(async () => (await readShop(server)).payment === "counter", "orders are paid at the counter");
  device.expectFault(/422/);
  await choice("By card").click();
  await dialog.getByText(/card needs STRIPE_SECRET_KEY/).waitFor();
  expect(await choice("At the counter").isChecked()).toBe(true);
  await shoot(page, "barista-shop-payment");
  await dialog.getByLabel("Currency").fill("CHF");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("button", { name: "Saved" }).waitFor();
  expect(await readShop(server)).toMatchObject({ payment: "counter", currency: "chf" });
  await dialog.getByRole("button", { name: "Close" }).click();
  await openPayments(page);
});

test("a paid order that staff cancel reminds them of the money", async () => {
  await server.start({ PAYMENT: "counter" });
  const { order_id } = await place(server, { item: "latte" });
  await takeMoney(server, order_id);
  const { page } = await openBarista(browser, server, "Ada", "phone");
  await row(page, 1).getByRole("button", { name: "Cancel number 1" }).click();
  await page.getByText("It is paid in cash: give the money back, and note it under Payments.").waitFor();
  await shoot(page, "barista-cancel-paid", ["phone"]);
});

test("the board shows an order once it is paid, and nothing of its payment", async () => {
  await server.start({ PAYMENT: "counter" });
  await changeShop(server, { capacity: 2 });
  const device = await browser.newDevice("desktop");
  const board = await device.open(`${server.baristas}/board`);
  const preparing = board.getByRole("list", { name: /^Preparing/ }).locator("li:not(.empty)");
  const { order_id } = await place(server, { item: "latte" });
  const other = await place(server, { item: "latte" });
  await takeMoney(server, other.order_id);
  await until(async () => (await preparing.count()) === 1, "the paid one is there");
  expect(await preparing.innerText()).toStartWith("2");
  await takeMoney(server, order_id);
  await until(async () => (await preparing.count()) === 2, "so is the other one");
  expect(await board.locator("body").innerText()).not.toMatch(/€|paid/i);
});

test("an order that is to be paid by card waits for the card: staff have no button for its money", async () => {
  await server.start({ PAYMENT: "card", ACQUIRER: "on" });
  const { order_id } = await place(server, { item: "latte" });
  const { page } = await openBarista(browser, server, "Ada", "phone");
  await unpaid(page, 1).getByText("waits for the card").waitFor();
  expect(await unpaid(page, 1).getByRole("button", { name: /^Paid/ }).count()).toBe(0);
  await openPayments(page);
  await item(page, 1).getByText("to be paid").waitFor();
  expectStatus(await payByCard(server, order_id), 200);
  await item(page, 1).getByText("held on the card").waitFor();
  await shoot(page, "barista-payments-card", ["phone"]);
  await page.getByRole("button", { name: "Close" }).click();
  await row(page, 1).waitFor();
});
