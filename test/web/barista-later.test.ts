/** What is not to be made now, in a real browser: orders for later, and those that could not be made. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectStatus, place, start, type WireOrder } from "../support/http.ts";
import { useServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { notice, openBarista, row } from "./barista-page.ts";
import { shoot, useBrowser } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

async function failFor(why: string): Promise<WireOrder> {
  const order = await start(server, "barista=Grace");
  const failure = { error: why, retry: false };
  expectStatus(
    await ask(`${server.baristas}/fail/?order_id=${order.order_id}`, { method: "POST", json: failure }),
    200,
  );
  return order;
}

test("an order for later stands apart, with its time, and comes into the line when it is due", async () => {
  await server.start();
  await place(server, { item: "mocha", customer_name: "Linus", not_before: inAnHour() });
  const soon = new Date(Date.now() + 4000).toISOString();
  await place(server, { item: "latte", customer_name: "Ada", not_before: soon });
  const { page } = await openBarista(browser, server, "Ada", "phone");
  const later = page.getByRole("listitem", { name: /^Number \d+, for / });
  await page.getByText("for later").first().waitFor();
  await row(page, 2).waitFor();
  await until(async () => (await later.count()) === 1, "the other one is for later");
  expect(await later.innerText()).toContain("Mocha");
  await shoot(page, "barista-later");
  await later.getByRole("button", { name: "Cancel number 1" }).click();
  await page.getByRole("button", { name: "Cancel order" }).click();
  await notice(page, "Number 1 is cancelled.").waitFor();
  await until(async () => (await later.count()) === 0, "it is gone");
});

test("an order that could not be made is listed with its reason, and made again once", async () => {
  await server.start();
  await place(server, { item: "latte", customer_name: "Ada" });
  await place(server, { item: "mocha" });
  await failFor("the grinder is jammed");
  const { page } = await openBarista(browser, server, "Ada", "phone");
  await page.getByRole("button", { name: "1 could not be made" }).click();
  const dialog = page.getByRole("dialog", { name: "Could not be made" });
  await dialog.getByText("the grinder is jammed").waitFor();
  await failFor("no milk");
  await dialog.getByText("no milk").waitFor();
  await shoot(page, "barista-dead");
  await dialog.getByRole("button", { name: "Make number 1 again" }).click();
  await until(async () => (await dialog.getByText("the grinder is jammed").count()) === 0, "it left the list");
  await dialog.getByRole("button", { name: "Close" }).click();
  await row(page, 3).waitFor();
  expect(await row(page, 3).innerText()).toContain("for Ada");
  const again = await start(server, "barista=Grace");
  expect(again).toMatchObject({ number: 3, item: "latte", retried_by: "Ada" });
});

test("what machines do shows nowhere at the counter", async () => {
  await server.start({ QUEUES: "thumbs" });
  const { page } = await openBarista(browser, server, "Ada", "phone");
  const call = await ask(`${server.customers}/queue/thumbs/`, {
    method: "POST",
    json: { add: 1 },
    headers: { Prefer: "respond-async" },
  });
  expectStatus(call, 202);
  await place(server);
  await row(page, 1).waitFor();
  expect(await row(page).count()).toBe(1);
});

test("a customer orders for later, sees when it is for, and may cancel it", async () => {
  await server.start();
  const device = await browser.newDevice("phone");
  const page = await device.open(server.customers);
  await page.getByRole("button", { name: /^Latte/ }).click();
  await page.getByRole("button", { name: "For later" }).click();
  await page.getByLabel("When?").waitFor();
  await shoot(page, "customer-choose-later");
  await page.getByRole("button", { name: /^Order/ }).click();
  await page.getByText(/^For .*\d/).waitFor();
  await shoot(page, "customer-later");
  const [kept] = ((await ask(`${server.baristas}/order/?status=scheduled`)).body as { orders: WireOrder[] }).orders;
  expect(kept).toMatchObject({ status: "scheduled", item: "latte" });
  await page.getByRole("button", { name: "Cancel order" }).click();
  await page
    .getByRole("button", { name: /^(Yes, )?[Cc]ancel/ })
    .last()
    .click();
  await until(
    async () => (await ask(`${server.customers}/order/${kept?.order_id}`)).text.includes("cancelled"),
    "it is cancelled",
  );
});
