/** The barista page in a real browser: one barista, and several at once. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { ask, expectProblem, expectStatus, order, place, start, applyVerb, type WireOrder } from "../support/http.ts";
import { useServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { giveName, hand, locked, nextButton, notice, openBarista, row, settled } from "./barista-page.ts";
import { shoot, useBrowser } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

const DRAFTS = [
  { item: "latte", modifiers: { milk: "oat" }, customer_name: "Ada", note: "extra hot, please" },
  { item: "mocha", modifiers: { milk: "whole" }, customer_name: "Linus" },
  { item: "espresso", customer_name: "Grace H." },
  { item: "flat_white", modifiers: { milk: "soy" }, customer_name: "Barbara", note: "half a sugar" },
  { customer_name: "Dennis" },
];

async function placeAll(count = DRAFTS.length): Promise<WireOrder[]> {
  const placed: WireOrder[] = [];
  for (const draft of DRAFTS.slice(0, count)) placed.push(await place(server, draft));
  return placed;
}

async function find(orderId = ""): Promise<WireOrder> {
  return (await ask(`${server.baristas}/order/${orderId}`)).body as WireOrder;
}

/** The drinks that wait, in their order. */
async function drinksIn(page: Page): Promise<string[]> {
  const rows = await row(page).allInnerTexts();
  return rows.map((text) => /Latte|Mocha|Espresso|Flat white|Americano/.exec(text)?.[0] ?? text);
}

/** What has the focus, by its label or its words; BODY: the page. */
async function focusOf(page: Page): Promise<string> {
  return await page.evaluate<string>(`(() => {
    const { tagName, ariaLabel, innerText } = document.activeElement ?? document.body;
    return tagName === "BODY" ? tagName : ariaLabel || innerText;
  })()`);
}

async function untilStatus(orderId: string | undefined, status: WireOrder["status"]): Promise<void> {
  await until(async () => (await find(orderId)).status === status, `the order is ${status}`);
}

test("a barista takes the next order and finishes it; the queue stands in its order", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "Ada", "phone");
  await shoot(page, "barista-empty");
  expect(await nextButton(page).isDisabled()).toBe(true);
  const [first, second] = await placeAll();
  await row(page, 5).waitFor();
  expect(await drinksIn(page)).toEqual(["Latte", "Mocha", "Espresso", "Flat white", "Americano"]);
  expect(await row(page, 1).innerText()).toMatch(/oat milk[^]*for Ada[^]*extra hot, please/);
  await until(async () => (await page.title()) === "(5) Counter – Longpour", "the title counts them");
  await shoot(page, "barista-queue");

  await nextButton(page).click();
  await hand(page, 1).waitFor();
  expect(await find(first?.order_id)).toMatchObject({ status: "brewing", barista: "Ada" });
  await settled(page);
  await nextButton(page).click();
  await hand(page, 2).waitFor();
  await start(server, "barista=Grace");
  await locked(page, 3, "Grace").waitFor();
  await shoot(page, "barista-hands");

  await hand(page, 1).getByRole("button", { name: "Finish" }).click();
  await notice(page, "Number 1 is ready.").waitFor();
  expect(await hand(page).count()).toBe(1);
  expect(await find(first?.order_id)).toMatchObject({ status: "ready", barista: "Ada" });
  expect(await find(second?.order_id)).toMatchObject({ status: "brewing" });
});

test("a particular order is taken, put back into the queue, and still there after a reload", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "Ada");
  const [, second] = await placeAll(3);
  await row(page, 2).getByRole("button", { name: "Take" }).click();
  await hand(page, 2).waitFor();
  await page.reload();
  await hand(page, 2).waitFor();
  await until(async () => (await row(page).count()) === 2, "the others wait");
  await hand(page, 2).getByRole("button", { name: "Put back" }).click();
  await row(page, 2).getByText("put back").waitFor();
  expect(await drinksIn(page)).toEqual(["Latte", "Mocha", "Espresso"]);
  expect(await find(second?.order_id)).toMatchObject({ status: "queued" });
});

describe("several baristas", () => {
  test("see what is in others' hands, and can do nothing with it", async () => {
    await server.start();
    const ada = await openBarista(browser, server, "Ada");
    const grace = await openBarista(browser, server, "Grace", "phone");
    await placeAll(2);
    await row(grace.page, 2).waitFor();
    await row(ada.page, 1).getByRole("button", { name: "Take" }).click();
    await hand(ada.page, 1).waitFor();
    await locked(grace.page, 1, "Ada").waitFor();
    expect(await locked(grace.page, 1, "Ada").getByRole("button").count()).toBe(0);
    await nextButton(grace.page).click();
    await hand(grace.page, 2).waitFor();
    await locked(ada.page, 2, "Grace").waitFor();
    await hand(ada.page, 1).getByRole("button", { name: "Finish" }).click();
    await locked(grace.page, 1, "Ada").waitFor({ state: "detached" });
    await hand(ada.page, 1).waitFor({ state: "detached" });
    expect(await hand(ada.page).count()).toBe(0);
  });

  test("who want the same order learn who was quicker", async () => {
    await server.start();
    const { page, device } = await openBarista(browser, server, "Grace");
    device.expectFault(/409/);
    const [first] = await placeAll(1);
    // In the moment between Grace's press and the shop, Ada takes it.
    await page.route("**/start/**", async (route) => {
      expectStatus(await ask(`${server.baristas}/start/?barista=Ada&order_id=${first?.order_id}`), 200);
      await route.continue();
    });
    await row(page, 1).getByRole("button", { name: "Take" }).click();
    await notice(page, "Number 1 is in Ada’s hands already.").waitFor();
    await locked(page, 1, "Ada").waitFor();
    await shoot(page, "barista-clash", ["phone"]);
  });

  test("all press next at once, and none gets what another has", async () => {
    await server.start();
    const baristas = await Promise.all(["Ada", "Grace", "Linus"].map((name) => openBarista(browser, server, name)));
    await placeAll(3);
    await Promise.all(baristas.map(({ page }) => row(page, 3).waitFor()));
    await Promise.all(baristas.map(({ page }) => page.keyboard.press("n")));
    await Promise.all(baristas.map(({ page }) => hand(page).waitFor()));
    const numbers = await Promise.all(baristas.map(({ page }) => hand(page).getAttribute("aria-label")));
    expect(numbers.map(String).toSorted()).toEqual([1, 2, 3].map((number) => `Number ${number}, in your hands`));
  });
});

test("cancelling asks first, and wants a reason", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "Ada", "phone");
  const [first, second] = await placeAll(2);
  const dialog = page.getByRole("dialog", { name: "Cancel number 1?" });
  await row(page, 1).getByRole("button", { name: "Cancel" }).click();
  await shoot(page, "barista-cancel");
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await find(first?.order_id)).toMatchObject({ status: "queued" });

  await settled(page);
  await row(page, 1).getByRole("button", { name: "Cancel" }).click();
  await dialog.getByRole("radio", { name: "The machine is out of order" }).check();
  await dialog.getByRole("button", { name: "Cancel order" }).click();
  await notice(page, "Number 1 is cancelled.").waitFor();
  expect(await find(first?.order_id)).toMatchObject({ status: "cancelled", reason: "machine_error" });

  await settled(page);
  await nextButton(page).click();
  await hand(page, 2).getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel order" }).click();
  await notice(page, "Number 2 is cancelled.").waitFor();
  expect(await find(second?.order_id)).toMatchObject({ status: "cancelled", reason: "barista" });
});

describe("the shop", () => {
  test("closes and opens again, and every barista sees it", async () => {
    await server.start();
    const ada = await openBarista(browser, server, "Ada", "phone");
    const grace = await openBarista(browser, server, "Grace");
    await ada.page.getByRole("banner").getByRole("switch", { name: "Open" }).click();
    await grace.page.getByText("The shop is closed").waitFor();
    expectProblem(await order(server, {}), 503);
    await shoot(ada.page, "barista-closed");
    await grace.page.getByRole("banner").getByRole("switch", { name: "Closed" }).click();
    await ada.page.getByRole("switch", { name: "Open" }).waitFor();
    await place(server);
    await row(ada.page, 1).waitFor();
  });

  test("has settings; what the shop refuses is shown, and changes nothing", async () => {
    await server.start();
    const { page, device } = await openBarista(browser, server, "Ada");
    device.expectFault(/422/);
    await page.getByRole("button", { name: "Shop" }).click();
    const dialog = page.getByRole("dialog", { name: "The shop" });
    await shoot(page, "barista-shop");
    await dialog.getByLabel("Most orders at once").fill("1");
    await dialog.getByLabel("Drinks for each code").fill("5");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("button", { name: "Saved" }).waitFor();
    await dialog.getByRole("switch", { name: /needs a code/ }).click();
    const read = async () => (await ask(`${server.baristas}/shop`)).body;
    const wanted = { capacity: 1, drinks_per_code: 5, require_code: true };
    await until(async () => Bun.deepMatch(wanted, await read()), "the settings are changed");

    await dialog.getByLabel("Most orders at once").fill("9999999");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("capacity").waitFor();
    expect(await read()).toMatchObject(wanted);
    await dialog.getByLabel("Most orders at once").fill("");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("button", { name: "Saved" }).waitFor();
    expect(await read()).toMatchObject({ ...wanted, capacity: null });
  });

  test("has a menu: what is switched off is sold out", async () => {
    await server.start();
    const { page } = await openBarista(browser, server, "Ada", "phone");
    await page.getByRole("button", { name: "Menu" }).click();
    const latte = page.getByRole("dialog", { name: "What there is" }).getByRole("switch", { name: "Latte" });
    await latte.click();
    await page.locator('[role="switch"][aria-checked="false"]').waitFor();
    await shoot(page, "barista-menu");
    expectProblem(await order(server, { item: "latte" }), 422, "item");
    await latte.click();
    await page.locator('[role="switch"][aria-checked="false"]').waitFor({ state: "detached" });
    await place(server, { item: "latte" });
  });
});

test("a staff token is asked for once; a wrong one is named; it can be forgotten", async () => {
  await server.start({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
  const device = await browser.newDevice();
  device.expectFault(/401/);
  const page = await device.open(server.baristas);
  const field = page.getByLabel("Staff token");
  await field.fill("wrong");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("alert").getByText("This is not the staff token.").waitFor();
  await shoot(page, "barista-token");
  await field.fill("hush-hush-42");
  await page.getByRole("button", { name: "Unlock" }).click();
  await giveName(page, "Ada");
  const [first] = await placeAll(1);
  await nextButton(page).click();
  await hand(page, 1).waitFor();
  await page.reload();
  await hand(page, 1).getByRole("button", { name: "Finish" }).click();
  await notice(page, "Number 1 is ready.").waitFor();
  expect(first?.number).toBe(1);
  await page.getByRole("button", { name: "Shop" }).click();
  await page.getByRole("button", { name: "Forget the staff token" }).click();
  await field.waitFor();
  // Without the token the keys do nothing.
  await page.locator("h1").click();
  await page.keyboard.press("s");
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(await page.evaluate("localStorage.getItem('longpour.staff_token')")).toBeNull();
});

test("a lease that is about to run out is shown: still on it; one that ran out is offered to the others", async () => {
  await server.start({ LEASE_SECONDS: "8" });
  const ada = await openBarista(browser, server, "Ada", "phone");
  const grace = await openBarista(browser, server, "Grace");
  await placeAll(1);
  await nextButton(ada.page).click();
  await hand(ada.page).getByText("Running out").waitFor();
  await shoot(ada.page, "barista-lease", ["phone"]);
  await hand(ada.page).getByRole("button", { name: "Still on it" }).click();
  await notice(ada.page, "Number 1 stays yours.").waitFor();
  await hand(ada.page).getByText("Running out").waitFor({ state: "detached" });
  await hand(ada.page).getByText("Time’s up").waitFor();
  await locked(grace.page, 1, "Ada").getByText("time’s up").waitFor();
  // Both pages name it, though another order waits.
  await place(server, { item: "mocha" });
  for (const { page } of [ada, grace]) await nextButton(page).getByText("Number 1 · Latte").waitFor();
  await shoot(ada.page, "barista-time-is-up");
  await nextButton(grace.page).click();
  await hand(grace.page, 1).waitFor();
  await locked(ada.page, 1, "Grace").waitFor();
  await notice(ada.page, "Grace has number 1 now: your time for it was up.").waitFor();
  await shoot(ada.page, "barista-taken-over", ["phone"]);
  await ada.page.getByRole("button", { name: "Dismiss" }).click();
  await notice(ada.page, /Grace has/).waitFor({ state: "detached" });
  await until(async () => (await focusOf(ada.page)) !== "BODY", "the focus is back at the counter");
  await nextButton(ada.page).getByText("Number 2 · Mocha").waitFor();
});

test("one's own order whose time is up is what next names, and what it gives", async () => {
  await server.start({ LEASE_SECONDS: "2" });
  const { page } = await openBarista(browser, server, "Ada");
  await placeAll(1);
  await nextButton(page).click();
  await hand(page, 1).getByText("Time’s up").waitFor();
  await place(server, { item: "mocha" });
  await nextButton(page).getByText("Number 1 · Latte, yours again").waitFor();
  await nextButton(page).click();
  await notice(page, "Number 1 is yours.").waitFor();
  await row(page, 2).waitFor();
});

test("the focus stays at the counter, whatever card had it", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "Ada");
  await placeAll(5);
  for (const number of [1, 2, 3]) {
    await start(server, "barista=Ada");
    await hand(page, number).waitFor();
  }
  /**
   * Presses a button by keyboard, as who sees no pointer does; resolves to what has the focus once the card has gone.
   */
  const pressOn = async (card: Locator, name: string, gone: Locator): Promise<string> => {
    await card.getByRole("button", { name }).focus();
    await page.keyboard.press("Enter");
    if (name === "Cancel…") {
      await settled(page);
      await page.getByRole("button", { name: "Cancel order" }).press("Enter");
    }
    await gone.waitFor({ state: "detached" });
    await until(async () => (await focusOf(page)) !== "BODY", "something has the focus");
    await settled(page);
    return await focusOf(page);
  };
  expect(await pressOn(hand(page, 1), "Finish", hand(page, 1))).toBe("Number 2, in your hands");
  expect(await pressOn(hand(page, 2), "Put back", hand(page, 2))).toBe("Number 3, in your hands");
  expect(await pressOn(row(page, 2), "Take", row(page, 2))).toBe("Number 4, waiting");
  expect(await pressOn(hand(page, 2), "Cancel…", hand(page, 2))).not.toBe("BODY");
  expect(await pressOn(hand(page, 3), "Finish", hand(page, 3))).toBe("In your hands");
  await nextButton(page).focus();
  for (const number of [4, 5]) {
    await page.keyboard.press("Enter");
    await hand(page, number).waitFor();
    await settled(page);
  }
  // Nothing waits any more: the button stays where it is.
  expect(await focusOf(page)).toStartWith("Take next");
});

test("everything that a barista does often has a key", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "Ada");
  const [first, second] = await placeAll(2);
  await row(page, 2).waitFor();
  await page.keyboard.press("n");
  await hand(page, 1).waitFor();
  await page.keyboard.press("e");
  await notice(page, "Number 1 stays yours.").waitFor();
  await page.keyboard.press("r");
  // Until its answer is here, nothing else is done with an order.
  await notice(page, "Number 1 is back in the queue.").waitFor();
  await row(page, 1).waitFor();
  await settled(page);
  await page.keyboard.press("n");
  await hand(page, 1).waitFor();
  await page.keyboard.press("c");
  await page.getByRole("dialog").waitFor();
  // In a dialog the keys mean nothing.
  await page.keyboard.press("f");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await find(first?.order_id)).toMatchObject({ status: "brewing" });
  await page.keyboard.press("f");
  await untilStatus(first?.order_id, "ready");
  expect(await find(second?.order_id)).toMatchObject({ status: "queued" });
});

test("a lost connection is shown, and what happened meanwhile is there once it is back", async () => {
  await server.start();
  const { page, device } = await openBarista(browser, server, "Ada");
  device.expectFault(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/);
  const [first] = await placeAll(2);
  await row(page, 2).waitFor();
  await device.context.setOffline(true);
  await page.getByText("Connection lost").waitFor();
  await shoot(page, "barista-lost");
  await page.keyboard.press("n");
  await notice(page, "No answer from the shop").waitFor();
  const started = await start(server, "barista=Grace");
  await applyVerb(server, "finish", started.order_id, "barista=Grace");
  await place(server, { item: "cappuccino" });
  await device.context.setOffline(false);
  await row(page, 3).waitFor();
  await row(page, 1).waitFor({ state: "detached" });
  expect(await row(page).count()).toBe(2);
  await page.getByText("Connection lost").waitFor({ state: "detached" });
  expect(started.order_id).toBe(first?.order_id ?? "");
});

test("a script in a name and in a note is shown as text", async () => {
  await server.start();
  const { page } = await openBarista(browser, server, "<b>Ada</b>", "phone");
  const script = `<img src=x onerror="document.title='owned'"><script>alert(1)</script>`;
  await place(server, { customer_name: script, note: script });
  await row(page, 1).waitFor();
  expect((await row(page, 1).innerText()).split(script)).toHaveLength(3);
  await nextButton(page).click();
  expect((await hand(page, 1).innerText()).split(script)).toHaveLength(3);
  expect(await page.locator("img, main script, b").count()).toBe(0);
  expect(await page.title()).toContain("Counter");
  await shoot(page, "barista-script", ["phone"]);
});
