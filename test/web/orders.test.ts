/** The orders page in a real browser: search, filters, one order, CSV; it follows a running shop. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { shoot, useBrowser, type Device, type Size } from "../support/browser.ts";
import { applyVerb, expectOrder, place, start } from "../support/http.ts";
import { placeUnpaid, takeMoney } from "../support/payments.ts";
import { useServer } from "../support/server.ts";
import { newSecret } from "../support/webhook-receiver.ts";
import { until } from "../support/until.ts";
import { readCsv } from "../stats/csv.ts";
import { fill, NAMES, useSimulation } from "./simulation.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();
const simulate = useSimulation();

const rows = (page: Page) => page.getByRole("list", { name: "Orders", exact: true }).getByRole("link");
const details = (page: Page) => page.getByRole("list", { name: "What happened" });

async function openOrders(query = "", size: Size = "desktop"): Promise<{ page: Page; device: Device }> {
  const device = await browser.newDevice(size);
  const page = await device.open(`${server.baristas}/orders${query}`);
  await page.getByRole("heading", { name: "Orders" }).waitFor();
  return { page, device };
}

test("an empty shop says that there is nothing, and shows the first order as it comes", async () => {
  await server.start();
  const { page } = await openOrders();
  await page.getByText("None.").waitFor();
  await shoot(page, "orders-empty");
  const { order_id } = await place(server, { customer_name: "Ada" });
  await rows(page).getByText("for Ada").waitFor();
  await rows(page).first().click();
  await details(page).getByText("Ordered").waitFor();
  expectOrder(await applyVerb(server, "finish", (await start(server, "barista=Grace")).order_id), { order_id });
  await details(page).getByText("Ready").waitFor();
  await rows(page).getByText("Ready").waitFor();
});

test("search and filters: what they find is in the address, and the way back brings it again", async () => {
  await server.start();
  await fill(server, 90);
  const { page } = await openOrders();
  await rows(page).nth(49).waitFor();
  await shoot(page, "orders-full");
  await page.getByRole("button", { name: "More" }).click();
  await until(async () => (await rows(page).count()) === 41, "the rest is shown", 30_000);
  await page.getByRole("searchbox").fill("wolfeschlegel");
  await until(async () => (await rows(page).count()) === 12, "only those of that name are shown", 30_000);
  await page.getByLabel("State").selectOption("Waiting");
  await until(
    () => page.url().endsWith("?text=wolfeschlegel&state=queued"),
    "the address says what is asked for",
    30_000,
  );
  await page.getByRole("searchbox").fill("שרה");
  await rows(page).first().getByText("שרה כהן").waitFor();
  await page.getByLabel("State").selectOption("All");
  await page.getByRole("searchbox").fill("#17");
  await until(async () => (await rows(page).count()) === 1, "the number finds one", 30_000);
  await rows(page).first().click();
  await page.getByRole("heading", { name: "Number 17" }).waitFor();
  await shoot(page, "orders-order");
  const link = page.url();
  await page.goBack();
  await page.getByRole("heading", { name: "Number 17" }).waitFor({ state: "detached" });
  await page.goto(link);
  await page.getByRole("heading", { name: "Number 17" }).waitFor();
  const id = new URL(link).searchParams.get("id") ?? "";
  await page.goto(`${server.baristas}/orders`);
  await page.getByRole("searchbox").fill(id.toUpperCase());
  await page.getByRole("heading", { name: "Number 17" }).waitFor();
  await page.getByRole("link", { name: "Close" }).click();
  await page.getByRole("heading", { name: "Number 17" }).waitFor({ state: "detached" });
  await rows(page).nth(49).waitFor();
  // What is typed stays, with its space, and is asked for though another field is filled in at once.
  await page.getByRole("searchbox").fill("wolfeschlegel ");
  await until(() => page.url().endsWith("?text=wolfeschlegel+"), "the address has what was typed", 30_000);
  expect(await page.getByRole("searchbox").inputValue()).toBe("wolfeschlegel ");
  await page.getByRole("searchbox").fill("ada");
  await page.getByLabel("Barista").fill("Grace");
  await until(() => page.url().endsWith("?text=ada&barista=Grace"), "the address has both", 30_000);
  await page.goto(`${server.baristas}/orders?day=2026-99-99&state=x&text=`);
  await rows(page).nth(49).waitFor();
  await page.getByLabel("Day").fill("2024-02-29");
  await page.getByText("None.").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByLabel("Barista").fill("Grace");
  await until(async () => (await rows(page).count()) === 10, "only Grace's are shown", 30_000);
  await shoot(page, "orders-filtered", ["phone"]);
});

test("CSV has what is filtered, all pages of it, and no formula", async () => {
  await server.start();
  await fill(server, 70);
  const { page } = await openOrders("?state=queued");
  await rows(page).nth(49).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save as CSV" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^orders-\d{4}-\d\d-\d\d\.csv$/);
  const [head = [], ...lines] = readCsv(await Bun.file(await download.path()).text());
  const column = (name: string) => lines.map((line) => line[head.indexOf(name)]);
  expect(new Set(column("status"))).toEqual(new Set(["queued"]));
  expect(lines.length).toBeGreaterThan(50);
  expect(column("customer_name")).toContain(`'${NAMES[6]}`);
  expect(column("customer_name").some((name) => /^[=+\-@]/.test(name ?? ""))).toBe(false);
});

test("it follows a running shop: the newest come first, and each ends ready", async () => {
  await server.start();
  const { page } = await openOrders();
  await page.getByText("None.").waitFor();
  const running = simulate(server, { customers: 40, baristas: 5, brewSeconds: 1 });
  await rows(page).nth(39).waitFor();
  await rows(page).getByText("Being made").first().waitFor();
  await shoot(page, "orders-running");
  await running;
  await until(async () => (await rows(page).getByText("Ready").count()) === 40, "all are ready on the page", 30_000);
  const numbers = await rows(page).locator(".number").allTextContents();
  expect(numbers).toEqual(numbers.toSorted((one, other) => Number(other) - Number(one)));
  expect(numbers.length).toBe(40);
});

test("an order's payment and callback stand with it, and the payment follows what becomes of it", async () => {
  await server.start({ PAYMENT: "counter", CALLBACK_ALLOW: "hooks.test", CALLBACK_SECRET: newSecret() });
  const orderId = await placeUnpaid(server, { item: "latte", callback_url: "https://hooks.test/done" });
  const { page, device } = await openOrders(`?id=${orderId}`, "phone");
  device.expectFault(/404/);
  await details(page).getByText("Ordered, to be paid").waitFor();
  await page.getByText("https://hooks.test/done").waitFor();
  await page.getByText("to be paid", { exact: true }).waitFor();
  await takeMoney(server, orderId);
  await page.getByText("taken", { exact: true }).waitFor();
  await details(page).getByText("Paid at the counter").waitFor();
  await details(page).getByText("Came into the line").waitFor();
  await shoot(page, "orders-paid", ["phone"]);
  // What is no longer kept, or never was, is said.
  await page.goto(`${server.baristas}/orders?id=01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59`);
  await page.getByRole("alert").filter({ hasText: "order" }).waitFor();
});
