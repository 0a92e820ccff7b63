/** The barista page: an order that can't be made, and "done, next"; and what its customer reads. */
import { beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { ask, expectOrder, place, type WireOrder } from "../support/http.ts";
import { useServer } from "../support/server.ts";
import { hand, nextButton, notice, openBarista, row, settled } from "./barista-page.ts";
import { shoot, useBrowser } from "../support/browser.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();
beforeEach(() => server.start());

const look = async (id: string): Promise<WireOrder> => expectOrder(await ask(`${server.customers}/order/${id}`));

test("an order that can't be made waits again with its reason, then is cancelled with one; by mouse and by keys", async () => {
  const { page } = await openBarista(browser, server, "Grace", "phone");
  const first = await place(server, { item: "latte", customer_name: "Ada" });
  const second = await place(server, { item: "espresso" });
  await row(page, second.number).waitFor();
  await nextButton(page).click();
  await hand(page, first.number).waitFor();
  await settled(page);
  await hand(page, first.number).getByRole("button", { name: "Can’t be made" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Can’t be made" }).click();
  expect(await dialog.isVisible()).toBe(true);
  await dialog.getByLabel("Why?").fill("The grinder is jammed");
  await dialog.getByLabel("In a minute").check();
  await shoot(page, "barista-fail-dialog");
  await dialog.getByRole("button", { name: "Can’t be made" }).click();
  await notice(page, `Number ${first.number} is back in the queue.`).waitFor();
  expect(await row(page, first.number).innerText()).toMatch(/failed, waits[^]*The grinder is jammed/);
  expect(await look(first.order_id)).toMatchObject({ status: "queued", error: "The grinder is jammed" });
  await shoot(page, "barista-failed");

  await settled(page);
  await row(page, first.number).getByRole("button", { name: /^Take/ }).click();
  await hand(page, first.number).waitFor();
  expect(await hand(page, first.number).innerText()).toContain("Failed before: The grinder is jammed");
  await settled(page);
  await shoot(page, "barista-hand-failed");
  await page.keyboard.press("x");
  await dialog.getByLabel("Why?").fill("No milk is left");
  await dialog.getByLabel("Not again").check();
  await dialog.getByLabel("Why?").press("Enter");
  await notice(page, `Number ${first.number} is cancelled.`).waitFor();
  const end = { status: "cancelled", reason: "machine_error", error: "No milk is left" } as const;
  expect(await look(first.order_id)).toMatchObject(end);
});

test("done, next: one press makes an order and takes the oldest one", async () => {
  const { page } = await openBarista(browser, server, "Linus");
  const [one, other] = [await place(server), await place(server)];
  await row(page, other.number).waitFor();
  await row(page, one.number).getByRole("button", { name: /^Take/ }).click();
  await hand(page, one.number).waitFor();
  await settled(page);
  await page.keyboard.press("d");
  await notice(page, /^Number \d+ is ready. Number \d+ is yours.$/).waitFor();
  expect(await hand(page).count()).toBe(1);
  expect(await look(one.order_id)).toMatchObject({ status: "ready", barista: "Linus" });
});
