/** Owns how tests use the barista page: by what a barista sees and hears of it. */
import type { Page } from "playwright-core";
import type { Ports } from "../support/http.ts";
import type { Device, Size, Browser } from "../support/browser.ts";

/** A barista at their page, on a device of their own. */
export interface Barista {
  readonly page: Page;
  readonly device: Device;
}

/** Opens the barista page, and says who it is. */
export async function openBarista(
  browser: Pick<Browser, "newDevice">,
  server: Pick<Ports, "baristas">,
  name: string,
  size: Size = "desktop",
): Promise<Barista> {
  const device = await browser.newDevice(size);
  const page = await device.open(server.baristas);
  await giveName(page, name);
  return { page, device };
}

export async function giveName(page: Page, name: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Start" }).click();
  await page
    .getByText(/Nobody waits|waiting for/)
    .first()
    .waitFor();
}

export const nextButton = (page: Page) => page.getByRole("button", { name: /^Take next/ });
/** An order in this barista's hands. */
export const hand = (page: Page, number: number | RegExp = /\d+/) =>
  page.getByRole("article", { name: new RegExp(`^Number ${sourceOf(number)}, in your hands$`) });
/** An order that waits. */
export const row = (page: Page, number: number | RegExp = /\d+/) =>
  page.getByRole("listitem", { name: new RegExp(`^Number ${sourceOf(number)}, waiting$`) });
/** An order in another's hands. */
export const locked = (page: Page, number: number, barista: string) =>
  page.getByRole("listitem", { name: `Number ${number}, in ${barista}’s hands` });
/** Resolves once a press on the spot of the last one, or of the same key, counts again. */
export async function settled(page: Page): Promise<void> {
  await page.locator("main:not([data-settling])").waitFor();
}
/** What the page said last. */
export const notice = (page: Page, text: string | RegExp) => page.getByRole("log").getByText(text);

function sourceOf(number: number | RegExp): string {
  return typeof number === "number" ? String(number) : number.source;
}
