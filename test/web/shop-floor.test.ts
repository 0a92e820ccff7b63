/**
 * The shop floor as a whole, in a real browser: a customer's page, a barista's page and the board, open at once on one
 * shop.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { ask, expectProblem, expectStatus, type WireOrder } from "../support/http.ts";
import { useServer } from "../support/server.ts";
import { hand, nextButton, openBarista, row } from "./barista-page.ts";
import { useBrowser } from "../support/browser.ts";

setDefaultTimeout(120_000);

/** From when an order is placed until it is seen on the other pages. */
const SEEN_WITHIN_MS = 1000;

const browser = useBrowser();
const server = useServer();

interface Floor {
  readonly customer: Page;
  readonly barista: Page;
  readonly board: Page;
}

async function openFloor(settings: object = {}): Promise<Floor> {
  await server.start();
  expectStatus(await ask(`${server.baristas}/shop`, { method: "PATCH", json: { open: true, ...settings } }), 200);
  const [phone, television] = [await browser.newDevice("phone"), await browser.newDevice("desktop")];
  const { page: barista } = await openBarista(browser, server, "Grace");
  const board = await television.open(`${server.baristas}/board`);
  const customer = await phone.open(server.customers);
  await board.getByText("Nothing just now.").waitFor();
  await drink(customer, "Latte").waitFor();
  return { customer, barista, board };
}

const drink = (customer: Page, name: string) => customer.getByRole("button", { name: new RegExp(`^${name}`) });
const ticket = (customer: Page) => customer.getByRole("article");
const tile = (board: Page, column: "Preparing" | "Ready", name: string) =>
  board.getByRole("list", { name: new RegExp(`^${column}`) }).getByText(name);
/** When there is first something that matches on a page, ms since 1970: the page itself looks, at every frame. */
async function seenMs(page: Page, selector: string): Promise<number> {
  return await page.evaluate<number>(`new Promise((resolve) => {
    const look = () => document.querySelector('${selector}') ? resolve(Date.now()) : requestAnimationFrame(look);
    look();
  })`);
}
const code = (board: Page) => board.getByRole("img", { name: /QR code/ });

test("an order goes from a customer's phone over the counter to the board, and every page follows", async () => {
  const { customer, barista, board } = await openFloor();
  await drink(customer, "Latte").click();
  await customer.getByLabel("Your name").fill("Ada");
  await customer.getByRole("radio", { name: "Oat" }).check();
  const [onBarista, onBoard] = await Promise.all([
    seenMs(barista, '[aria-label="Number 1, waiting"]'),
    seenMs(board, "li.queued"),
    customer
      .getByRole("dialog")
      .getByRole("button", { name: /^Order/ })
      .click(),
  ]);
  const { orders } = (await ask(`${server.baristas}/order/`)).body as { orders: readonly WireOrder[] };
  const placedMs = Date.parse(orders[0]?.placed_at ?? "");
  expect(Math.max(onBarista, onBoard) - placedMs).toBeLessThan(SEEN_WITHIN_MS);
  await tile(board, "Preparing", "Ada").waitFor();
  expect(await row(barista, 1).innerText()).toMatch(/Latte[^]*oat milk[^]*for Ada/);
  await ticket(customer).getByText("You are next").waitFor();

  await nextButton(barista).click();
  await hand(barista, 1).waitFor();
  await ticket(customer).getByText("Grace is making it now").waitFor();

  // A reload in the middle resumes, on every page.
  await Promise.all([customer.reload(), barista.reload(), board.reload()]);
  await ticket(customer).getByText("Grace is making it now").waitFor();
  await tile(board, "Preparing", "Ada").waitFor();
  await hand(barista, 1).getByRole("button", { name: "Finish" }).click();
  await ticket(customer).getByRole("alert").getByText("Come and get it!").waitFor();
  await tile(board, "Ready", "Ada").waitFor();
  await tile(board, "Preparing", "Ada").waitFor({ state: "detached" });
});

test("the barista closes the shop: the customer and the board say so, until it opens again", async () => {
  const { customer, barista, board } = await openFloor();
  await barista.getByRole("banner").getByRole("switch", { name: "Open" }).click();
  await customer.getByText("closed").first().waitFor();
  await board.getByRole("heading", { name: "We are closed" }).waitFor();
  expectProblem(await ask(`${server.customers}/order/`, { method: "POST" }), 503);
  await barista.getByRole("banner").getByRole("switch", { name: "Closed" }).click();
  await customer.getByRole("banner").getByText("Open").waitFor();
  await board.getByRole("heading", { name: "We are closed" }).waitFor({ state: "detached" });
});

test("a code runs out after ten drinks, and the board hides it", async () => {
  const { customer, barista, board } = await openFloor({ require_code: true, code_period_seconds: 86_400 });
  const { code: current } = (await ask(`${server.baristas}/code`)).body as { code: string };
  const reserve = () => ask(`${server.customers}/reservation`, { method: "POST", json: { code: current } });
  await code(board).waitFor();
  // The first one scans it.
  await customer.goto(`${server.customers}/?code=${current}`);
  await ticket(customer).getByText("A drink is yours").waitFor();
  await board.getByText("9 drinks left").waitFor();
  for (let drinks = 2; drinks <= 10; drinks += 1) {
    expect(await code(board).count()).toBe(1);
    expectStatus(await reserve(), 201);
  }
  await board.getByText("We are making drinks").waitFor();
  await code(board).waitFor({ state: "detached" });
  expectProblem(await reserve(), 409);
  await barista.getByText("10 choosing").waitFor();

  await drink(customer, "Mocha").click();
  await customer.getByLabel("Your name").fill("Ada");
  await customer
    .getByRole("dialog")
    .getByRole("button", { name: /^Order/ })
    .click();
  await row(barista, 1).getByText("Mocha").waitFor();
  await tile(board, "Preparing", "Ada").waitFor();
});
