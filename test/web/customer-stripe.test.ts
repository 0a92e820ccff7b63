/**
 * Stripe's own form on the customer page, in a real browser. Stripe itself can't be reached from tests: a script in its
 * place, from its address, makes a frame and names a card, as Stripe's does. The page's policy is the server's.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { lookAtPayment, readPayment } from "../support/payments.ts";
import { useServer } from "../support/server.ts";
import { shoot, useBrowser, type Device } from "../support/browser.ts";
import { findOnly, orderDrink, ticket } from "./customer-page.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

const STRIPE = {
  PAYMENT: "card",
  STRIPE_SECRET_KEY: "sk_test_1",
  STRIPE_WEBHOOK_SECRET: "whsec_1",
  STRIPE_PUBLISHABLE_KEY: "pk_test_1",
};

/** Speaks as Stripe.js does, as far as the page asks it. */
const STAND_IN = `
  window.Stripe = (key) => ({
    elements: () => ({
      create: () => ({
        on() {}, update() {}, destroy() {},
        mount(place) {
          const frame = document.createElement("iframe");
          frame.src = "https://js.stripe.com/card.html";
          frame.title = "Card of " + key;
          frame.style.cssText = "border: 0; width: 100%; height: 1.5rem";
          place.append(frame);
        },
      }),
    }),
    createPaymentMethod: async () =>
      window.isWrong ? { error: { message: "Your card number is incomplete." } } : { paymentMethod: { id: "pm_1" } },
  });
  window.Stripe.version = "endive";
`;

async function visit(environment: Readonly<Record<string, string>> = STRIPE): Promise<{ page: Page; device: Device }> {
  await server.start(environment);
  const device = await browser.newDevice();
  device.expectFault(/^elsewhere: https:\/\/js\.stripe\.com\//, /test key|HTTPS/);
  await device.context.route("https://js.stripe.com/**", (route) => {
    const isScript = route.request().resourceType() === "script";
    return isScript
      ? route.fulfill({ contentType: "text/javascript", body: STAND_IN })
      : route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Card</title>4242 4242" });
  });
  return { page: await device.open(server.customers), device };
}

test("Stripe's form is loaded once a card is to be paid, and the shop gets the card's name alone", async () => {
  const { page } = await visit();
  const asked: string[] = [];
  page.on("request", (request) => void asked.push(request.url()));
  const isAsked = (): boolean => asked.some((url) => url.startsWith("https://js.stripe.com"));
  await page.getByRole("button", { name: /^Latte/ }).waitFor();
  expect(isAsked()).toBe(false);

  await orderDrink(page, "Latte");
  const frame = page.frameLocator("iframe[title='Card of pk_test_1']");
  await frame.getByText("4242 4242").waitFor();
  expect(isAsked()).toBe(true);
  await shoot(page, "customer-stripe");
  await page.evaluate("window.isWrong = true");
  await ticket(page).getByRole("button", { name: "Pay €4.00" }).click();
  await ticket(page).getByText("Your card number is incomplete.").waitFor();

  const { order_id } = await findOnly(server, "unpaid");
  const pending = readPayment((await lookAtPayment(server, order_id)).body);
  const told: unknown[] = [];
  await page.route("**/payment", async (route) => {
    told.push(route.request().postDataJSON());
    await route.fulfill({ status: 202, json: { ...pending, is_under_way: true } });
  });
  await page.evaluate("window.isWrong = false");
  await ticket(page).getByRole("button", { name: "Pay €4.00" }).click();
  await ticket(page).getByText("The bank has not answered yet").waitFor();
  expect(told).toEqual([{ order_id, method: "pm_1" }]);
});

test("where Stripe's form can't be loaded, the ticket says so, and tries it again", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_FAILED/);
  await device.context.route("https://js.stripe.com/**", (route) => route.abort());
  await orderDrink(page, "Latte");
  await ticket(page).getByText("Stripe’s card form can’t be loaded here").waitFor();
  await shoot(page, "customer-stripe-blocked", ["phone"]);
  await device.context.unroute("https://js.stripe.com/**");
  await device.context.route("https://js.stripe.com/**", (route) =>
    route.fulfill({ contentType: "text/javascript", body: STAND_IN }),
  );
  await ticket(page).getByRole("button", { name: "Try again" }).click();
  await page.locator("iframe[title='Card of pk_test_1']").waitFor();
});

test("without Stripe's key nothing is loaded from elsewhere, and the ticket sends to the counter", async () => {
  const { STRIPE_PUBLISHABLE_KEY: _, ...keyless } = STRIPE;
  const { page } = await visit(keyless);
  await orderDrink(page, "Latte");
  await ticket(page).getByText("Cards can’t be taken on this page right now.").waitFor();
  expect(await page.locator("iframe, script[src*=stripe]").count()).toBe(0);
});
