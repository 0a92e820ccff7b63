/**
 * The customer page in a real browser: from the menu to "ready", through reloads, lost connections and a shop that
 * closes.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { ask, brew, expectStatus, lookAtQueue, place, start, applyVerb } from "../support/http.ts";
import { sharedRedis } from "../support/redis.ts";
import { useServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { settled } from "./barista-page.ts";
import { orderDrink as order, ticket } from "./customer-page.ts";
import { shoot, useBrowser, type Device } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

/** A page at a new shop, on a new device. */
async function visit(query = "", environment = {}): Promise<{ page: Page; device: Device }> {
  await server.start(environment);
  const device = await browser.newDevice();
  return { page: await device.open(`${server.customers}/${query}`), device };
}

const drink = (page: Page, name: string) => page.getByRole("button", { name: new RegExp(`^${name}`) });
const orderButton = (page: Page) => page.getByRole("dialog").getByRole("button", { name: /^Order/ });

const untilTitle = (page: Page, title: string) =>
  until(async () => (await page.title()) === title, `the title is ${title}`);

async function change(settings: object): Promise<void> {
  expectStatus(await ask(`${server.baristas}/shop`, { method: "PATCH", json: settings }), 200);
}

test("a customer orders a latte with oat milk, sees it made, and learns that it is ready", async () => {
  const { page } = await visit();
  await drink(page, "Latte").waitFor();
  await shoot(page, "customer-menu");
  await drink(page, "Latte").click();
  await page.getByLabel("Your name").fill("Ada");
  await page.getByRole("radio", { name: "Oat" }).check();
  await page.getByRole("button", { name: "Add a note" }).click();
  await page.getByLabel("Note for the barista").fill("extra hot, please");
  await shoot(page, "customer-choose");
  expect(await orderButton(page).innerText()).toContain("4.00");
  await orderButton(page).click();

  await ticket(page).getByText("You are next").waitFor();
  expect(await ticket(page).innerText()).toMatch(/Latte · oat milk · €4\.00/);
  await shoot(page, "customer-queued");

  const started = await start(server, "barista=Grace");
  expect(started).toMatchObject({
    item: "latte",
    price: 400,
    modifiers: { milk: "oat" },
    note: "extra hot, please",
    customer_name: "Ada",
  });
  await ticket(page).getByText("Grace is making it now").waitFor();
  await untilTitle(page, "1: being made");
  await shoot(page, "customer-brewing");

  await applyVerb(server, "finish", started.order_id, "barista=Grace");
  await ticket(page).getByRole("alert").getByText("Come and get it!").waitFor();
  await untilTitle(page, "✔ 1 is ready!");
  await shoot(page, "customer-ready");

  await page.getByRole("button", { name: "I have it" }).click();
  await page.getByText("Your orders before").click();
  await page.getByText("Your orders before").scrollIntoViewIfNeeded();
  expect(await page.locator("details").innerText()).toContain("No. 1");
  await shoot(page, "customer-past");
});

test("a reload in the middle finds the order again, and its end", async () => {
  const { page } = await visit();
  await order(page, "Mocha");
  await page.reload();
  await ticket(page).getByText("You are next").waitFor();
  const { order_id } = await start(server);
  await ticket(page).getByText("making it now").waitFor();
  await page.reload();
  await ticket(page).getByText("making it now").waitFor();
  await applyVerb(server, "finish", order_id);
  await ticket(page).getByText("Come and get it!").waitFor();
  // The name was asked once.
  await drink(page, "Espresso").click();
  await page.getByRole("button", { name: /For Ada/ }).waitFor();
  expect(await page.getByLabel("Your name").isVisible()).toBe(false);
});

test("an order whose answer was lost is sent again, and is one order", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_FAILED/);
  let tries = 0;
  await page.route("**/order/", async (route) => {
    tries += 1;
    if (tries > 2) return await route.fallback();
    // The first gets through, and its answer does not come back; the second is lost on its way.
    if (tries === 1) await route.fetch();
    return await route.abort();
  });
  await order(page, "Latte");
  expect(tries).toBe(3);
  expect((await lookAtQueue(server)).depth).toBe(1);
  expect(await ticket(page).count()).toBe(1);
});

test("a page that was closed before the answer came looks for its order when it is opened again", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_FAILED/);
  await page.route("**/order/", async (route) => {
    await route.fetch();
    return await route.abort();
  });
  await drink(page, "Latte").click();
  await orderButton(page).click();
  await page.getByText("We keep trying").first().waitFor();
  await page.close();
  const again = await device.open(server.customers);
  await ticket(again).waitFor();
  expect((await lookAtQueue(server)).depth).toBe(1);
});

test("a customer without a connection learns so, and hears of the end once it is back", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/);
  await order(page, "Latte");
  await device.context.setOffline(true);
  await page.getByText("No connection to the shop").waitFor();
  await shoot(page, "customer-offline", ["phone"]);
  await brew(server);
  await device.context.setOffline(false);
  await ticket(page).getByText("Come and get it!").waitFor();
  await page.getByText("No connection to the shop").waitFor({ state: "hidden" });
});

test("where no events come through, the page asks instead", async () => {
  await server.start();
  const device = await browser.newDevice();
  device.expectFault(/ERR_FAILED/);
  await device.context.route("**/events", (route) => route.abort());
  const page = await device.open(server.customers);
  await order(page, "Latte");
  const { order_id } = await start(server, "barista=Grace");
  await ticket(page).getByText("Grace is making it now").waitFor();
  await applyVerb(server, "finish", order_id);
  await ticket(page).getByText("Come and get it!").waitFor();
});

test("two orders of one device are followed side by side", async () => {
  const { page } = await visit();
  await order(page, "Latte");
  await order(page, "Espresso");
  await ticket(page).getByText("One order before yours").waitFor();
  await brew(server);
  await ticket(page).getByText("Come and get it!").waitFor();
  await ticket(page).getByText("You are next").waitFor();
  await shoot(page, "customer-two");
});

test("cancelling asks first, and an order that is being made can't be cancelled", async () => {
  const { page, device } = await visit();
  device.expectFault(/409/);
  await order(page, "Latte");
  await page.getByRole("button", { name: "Cancel order" }).click();
  await shoot(page, "customer-cancel", ["phone"]);
  await page.getByRole("button", { name: "Keep it" }).click();
  expect((await lookAtQueue(server)).depth).toBe(1);
  await settled(page);
  await page.getByRole("button", { name: "Cancel order" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel order" }).click();
  await ticket(page).waitFor({ state: "hidden" });
  await page.getByText("You cancelled your latte, number 1. It will not be made.").waitFor();
  await shoot(page, "customer-cancelled-own");
  expect((await lookAtQueue(server)).depth).toBe(0);

  await settled(page);
  await order(page, "Mocha");
  await page.getByRole("button", { name: "Cancel order" }).click();
  await start(server);
  await page.getByRole("dialog").getByRole("button", { name: "Cancel order" }).click();
  await page.getByText("Too late to cancel").waitFor();
});

test("what the barista cancels is shown, with what to do", async () => {
  const { page } = await visit();
  await order(page, "Latte");
  const { order_id } = await start(server);
  await applyVerb(server, "cancel", order_id, "reason=barista");
  await ticket(page).getByText("Please ask at the counter").waitFor();
  await shoot(page, "customer-cancelled", ["phone"]);
  await page.getByRole("button", { name: "OK" }).click();
  await ticket(page).waitFor({ state: "hidden" });
});

test("a customer whose order the storage lost learns so, with what to do, and keeps the ticket to show", async () => {
  const shop = `lost-${crypto.randomUUID()}`;
  const { page, device } = await visit("", { SHOP: shop });
  device.expectFault(/404/);
  await order(page, "Latte");
  const { order_id, number } = await start(server);
  await ticket(page).getByText("is making it now").or(ticket(page).getByText("being made now")).waitFor();
  const redis = (await sharedRedis()).connect();
  await redis.del(`{${shop}}:order:${order_id}`);
  redis.disconnect();
  // It looks at once when it is seen again.
  await page.evaluate('dispatchEvent(new Event("online"))');
  await ticket(page).getByText("The shop no longer knows this order. Please ask at the counter.").waitFor();
  expect(await ticket(page).innerText()).toContain(String(number));
  await page.getByRole("button", { name: "OK" }).click();
  await ticket(page).waitFor({ state: "hidden" });
});

test("the shop closes, fills up and opens again before the customer's eyes", async () => {
  const { page } = await visit();
  await drink(page, "Latte").click();
  await change({ open: false });
  await page.getByRole("dialog").getByText("The shop is closed right now").waitFor();
  expect(await orderButton(page).isDisabled()).toBe(true);
  await page.keyboard.press("Escape");
  await shoot(page, "customer-closed");
  // As when the device is back in a network: the page looks at once.
  const hint = () => page.evaluate("void dispatchEvent(new Event('online'))");
  await change({ open: true, capacity: 1 });
  await hint();
  await page.getByRole("banner").getByText("Open").waitFor();
  await place(server);
  await hint();
  await page.getByRole("banner").getByText("Full").waitFor();
  await brew(server);
  await hint();
  await page.getByRole("banner").getByText("Open").waitFor();
});

test("a shop that closed in the moment of ordering says so, and nothing is ordered", async () => {
  const { page, device } = await visit();
  device.expectFault(/503/);
  await drink(page, "Latte").click();
  await orderButton(page).waitFor();
  // The page can't look for itself, and no older look counts any more: all that it hears is the refusal.
  await page.route("**/shop", (route) => route.abort("aborted"));
  const failed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/shop"));
  await page.evaluate("void dispatchEvent(new Event('online'))");
  await failed;
  await change({ open: false });
  await orderButton(page).click();
  await page.getByRole("dialog").getByText("The shop has closed. Nothing was ordered.").waitFor();
  expect(await orderButton(page).isDisabled()).toBe(true);
  await shoot(page, "customer-refused", ["phone"]);
  expect((await lookAtQueue(server)).depth).toBe(0);
  await page.unroute("**/shop");
  await page.reload();
  await page.getByRole("banner").getByText("Closed").waitFor();
  expect(await ticket(page).count()).toBe(0);
});

test("who comes back to the page sees at once that the shop has closed, and looks rarely else", async () => {
  const { page } = await visit();
  await page.getByRole("banner").getByText("Open").waitFor();
  let looks = 0;
  page.on("request", (request) => (looks += Number(request.url().endsWith("/shop"))));
  const begunMs = performance.now();
  // The page learns that it is hidden, and that it is seen again: headless pages are always seen.
  const show = (isHidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"))`);
  await show(true);
  await change({ open: false });
  expect(await page.getByRole("banner").getByText("Open").isVisible()).toBe(true);
  const before = looks;
  await show(false);
  await page.getByRole("banner").getByText("Closed").waitFor();
  expect(looks).toBe(before + 1);
  await change({ open: true });
  await page.getByRole("banner").getByText("Open").waitFor();
  expect(looks - before).toBeLessThanOrEqual(1 + (performance.now() - begunMs) / 5000);
});

test("a drink that sells out is shown so, also to who is about to order it", async () => {
  const { page } = await visit();
  await drink(page, "Latte").click();
  const { body } = await ask(`${server.baristas}/coffees`);
  const { coffees } = body as { coffees: ({ id: string } & Record<string, unknown>)[] };
  const { id: _, ...latte } = coffees.find(({ id }) => id === "latte") ?? { id: "" };
  expectStatus(
    await ask(`${server.baristas}/coffees/latte`, { method: "PUT", json: { ...latte, available: false } }),
    200,
  );
  await page.getByText("Latte has just sold out").waitFor();
  expect(await orderButton(page).isDisabled()).toBe(true);
  await page.keyboard.press("Escape");
  expect(await drink(page, "Latte").isDisabled()).toBe(true);
  expect(await drink(page, "Latte").innerText()).toContain("Sold out");
});

test("a script in a name and in a note is shown as text", async () => {
  const { page } = await visit();
  const script = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
  await drink(page, "Latte").click();
  await page.getByLabel("Your name").fill(script);
  await page.getByRole("button", { name: "Add a note" }).click();
  await page.getByLabel("Note for the barista").fill(script);
  await orderButton(page).click();
  await ticket(page).waitFor();
  const text = await ticket(page).innerText();
  expect(text.split(script).length).toBe(3);
  expect(await page.locator("article img, article script, img[onerror]").count()).toBe(0);
  await untilTitle(page, "1: You are next");
  await shoot(page, "customer-script", ["phone"]);
});

test("everything is done by keyboard alone", async () => {
  const { page } = await visit();
  await drink(page, "Latte").waitFor();
  const press = async (key: string, times = 1): Promise<void> => {
    for (let time = 0; time < times; time++) await page.keyboard.press(key);
  };
  /** Tabs until what has the focus says so. */
  const tabTo = async (name: RegExp): Promise<void> => {
    for (let tries = 0; tries < 30; tries++) {
      await press("Tab");
      const label = await page.evaluate(
        "document.activeElement.labels?.[0]?.innerText || document.activeElement.innerText || ''",
      );
      if (name.test(String(label))) return;
    }
    throw new Error(`no Tab leads to ${name}`);
  };
  await tabTo(/^.?.?Latte|\nLatte/);
  await press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(/Whole/);
  await press("ArrowRight", 2);
  await tabTo(/Your name/);
  await page.keyboard.type("Ada");
  await press("Enter");
  await ticket(page).getByText("You are next").waitFor();
  expect(await ticket(page).innerText()).toContain("oat milk");
  // The focus is on the ticket: the next Tab is at its button.
  await until(async () => (await page.locator("article:focus").count()) === 1, "the ticket has the focus");
  await press("Tab");
  await press("Enter");
  await page.getByRole("dialog").getByText("You lose your place").waitFor();
  await press("Escape");
  await brew(server);
  await ticket(page).getByText("Come and get it!").waitFor();
  await tabTo(/I have it/);
  await press("Enter");
  await ticket(page).waitFor({ state: "hidden" });
});

test("a code gives a drink, and time to choose it; a reload does not redeem another", async () => {
  await server.start();
  await change({ require_code: true, drinks_per_code: 2, code_period_seconds: 86_400 });
  const read = async () =>
    (await ask(`${server.baristas}/code`)).body as { code: string; url: string; remaining: number };
  const { code } = await read();
  const device = await browser.newDevice();
  const page = await device.open(`${server.customers}/?code=${code}`);
  await ticket(page).getByText("A drink is yours").waitFor();
  expect((await read()).remaining).toBe(1);
  // A reload must not redeem it again.
  await until(() => new URL(page.url()).search === "", "the code is gone from the address");
  await shoot(page, "customer-reserved");
  await page.reload();
  await ticket(page).getByText("A drink is yours").waitFor();
  expect((await read()).remaining).toBe(1);
  await order(page, "Flat white");
  await ticket(page).getByText("You are next").waitFor();
  expect((await read()).remaining).toBe(1);
});

test("a code is typed as well as scanned, in whatever letters; a wrong one is said at the field", async () => {
  await server.start();
  await change({ require_code: true, code_period_seconds: 86_400 });
  const { code } = (await ask(`${server.baristas}/code`)).body as { code: string };
  const device = await browser.newDevice();
  device.expectFault(/422/);
  const page = await device.open(server.customers);
  const field = page.getByLabel("The code on the board");
  await field.fill("0000 0000");
  await shoot(page, "customer-type-code");
  await page.getByRole("button", { name: "Use code" }).click();
  await page.getByRole("alert").getByText("This code is no longer valid").waitFor();
  await until(async () => (await page.locator("#code:focus").count()) === 1, "the field has the focus");
  await shoot(page, "customer-wrong-code", ["phone"]);
  const grouped = code.toLowerCase().replaceAll("0", "o").replaceAll("1", "l").match(/.{4}/g) ?? [];
  await field.fill(` ${grouped.join("-")} `);
  await page.keyboard.press("Enter");
  await ticket(page).getByText("A drink is yours").waitFor();
  await until(async () => (await page.locator("article:focus").count()) === 1, "the ticket has the focus");
  expect(await field.count()).toBe(0);
  await order(page, "Mocha");
  await ticket(page).getByText("You are next").waitFor();
});

test("the focus stays in the page: note, name, cancelling, having it", async () => {
  const { page } = await visit();
  const focused = () => page.evaluate<string>("document.activeElement.id || document.activeElement.tagName");
  await order(page, "Latte");
  await drink(page, "Mocha").click();
  await page.getByRole("button", { name: "Add a note" }).press("Enter");
  expect(await focused()).toBe("note");
  await page.getByRole("button", { name: /For Ada/ }).press("Enter");
  expect(await focused()).toBe("name");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Cancel order" }).press("Enter");
  await settled(page);
  await page.getByRole("dialog").getByRole("button", { name: "Cancel order" }).press("Enter");
  await ticket(page).waitFor({ state: "hidden" });
  await until(async () => (await focused()) === "menu", "the menu has the focus");
  await settled(page);
  await order(page, "Espresso");
  await brew(server);
  await page.getByRole("button", { name: "I have it" }).press("Enter");
  await ticket(page).waitFor({ state: "hidden" });
  await until(async () => (await focused()) === "menu", "the menu has the focus");
});

test("a customer who takes too long to choose learns that the drink is gone", async () => {
  await server.start();
  await change({ require_code: true, code_period_seconds: 86_400, customer_timeout_seconds: 2 });
  const { code } = (await ask(`${server.baristas}/code`)).body as { code: string };
  const device = await browser.newDevice();
  const page = await device.open(`${server.customers}/?code=${code}`);
  await ticket(page).getByText("The time to choose ran out").waitFor();
  await shoot(page, "customer-expired", ["phone"]);
});

test("a code that is wrong or used up is named kindly, and without one nothing can be ordered", async () => {
  await server.start();
  await change({ require_code: true, drinks_per_code: 1, code_period_seconds: 86_400 });
  const { code } = (await ask(`${server.baristas}/code`)).body as { code: string };
  expectStatus(await ask(`${server.customers}/reservation`, { method: "POST", json: { code } }), 201);
  const device = await browser.newDevice();
  device.expectFault(/409|422/);
  const page = await device.open(`${server.customers}/?code=${code}`);
  await page.getByText("All drinks of this code are taken").waitFor();
  await page.getByRole("button", { name: "OK" }).click();
  await page.getByText("To order, scan the code on the board").waitFor();
  await drink(page, "Latte").click();
  expect(await orderButton(page).isDisabled()).toBe(true);
  const second = await device.open(`${server.customers}/?code=0000000000`);
  await second.getByText("This code is no longer valid").waitFor();
  await shoot(second, "customer-code", ["phone"]);
});
