/** The board in a real browser: who waits for what, what is ready, and the code to order with. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { ask, brew, expectStatus, place, start, tell } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { shoot, TestBrowser, type Device } from "./browser.ts";
import { familiesOf, FONTS, type Font } from "./fonts.ts";

setDefaultTimeout(60_000);

let browser: TestBrowser;
let server: TestServer;

beforeAll(async () => {
  browser = await TestBrowser.start();
});

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
});

afterEach(async () => {
  await browser.closeDevices();
  await server.stop();
});

async function visit(environment: Readonly<Record<string, string>> = {}): Promise<{ page: Page; device: Device }> {
  server = await startServer(environment);
  return await openBoard();
}

async function openBoard(): Promise<{ page: Page; device: Device }> {
  const device = await browser.newDevice("desktop");
  return { page: await device.open(`${server.baristas}/board`), device };
}

const tiles = (page: Page, column: "Preparing" | "Ready") =>
  page.getByRole("list", { name: new RegExp(`^${column}(?!,)`) }).locator("li:not(.empty)");
/** The numbers of a column's tiles, which have one digit. */
const untilNumbers = (page: Page, column: "Preparing" | "Ready", numbers: string) =>
  until(
    async () => (await tiles(page, column).allInnerTexts()).map((text) => text.trim()[0]).join("") === numbers,
    `${column} shows ${numbers}`,
  );
const code = (page: Page) => page.getByRole("img", { name: /QR code/ });

async function change(settings: object): Promise<void> {
  expectStatus(await ask(`${server.baristas}/shop`, { method: "PATCH", json: settings }), 200);
}

interface Code {
  readonly code: string;
  readonly url: string;
  readonly remaining: number;
}

async function readCode(): Promise<Code> {
  return (await ask(`${server.baristas}/code`)).body as Code;
}

async function reserve(wanted: string, status = 201): Promise<void> {
  expectStatus(await ask(`${server.customers}/reservation`, { method: "POST", json: { code: wanted } }), status);
}

const TELEVISION = { width: 1920, height: 1080 };
const ON_ITS_SIDE = { width: 1080, height: 1920 };
const PHONE = { width: 390, height: 844 };

/** Also as a television shows it, upright and on its side. */
async function shootBoard(page: Page, name: string): Promise<void> {
  await shoot(page, name);
  for (const [screen, size] of Object.entries({ tv: TELEVISION, tall: ON_ITS_SIDE })) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(import.meta.dir, "screenshots", `${name}-${screen}-${colorScheme}.png`) });
    }
  }
  await page.emulateMedia({ colorScheme: null });
}

/** What is cut off, or only to be seen by scrolling. */
async function cutOff(page: Page): Promise<unknown> {
  return await page.evaluate(`
    [...document.querySelectorAll(".board, .board *")]
      .filter((part) => {
        const { bottom, right } = part.getBoundingClientRect();
        const isOutside = bottom > innerHeight + 1 || right > innerWidth + 1;
        const isFull = part.matches("section, ul, li") &&
          (part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1);
        return isOutside || isFull;
      })
      .map((part) => part.className + ": " + part.textContent)
  `);
}

test("an order goes from preparing to ready, and is there after a reload", async () => {
  const { page } = await visit();
  await page.getByText("Nothing just now.").waitFor();
  for (const customer_name of ["Ada", "Linus", "Grace", "Barbara"]) await place(server, { customer_name });
  await tiles(page, "Preparing").nth(3).waitFor();
  expect(await tiles(page, "Preparing").first().innerText()).toMatch(/1\s+Ada\s+[^]*0:\d\d[^]*waiting/);

  // Those being made stand first.
  const { order_id } = await start(server, "barista=Linus");
  await start(server, "barista=Linus");
  await tell(server, "release", order_id, "barista=Linus");
  // 2 is being made, 1 is back in the queue.
  await untilNumbers(page, "Preparing", "2134");

  await brew(server);
  await tiles(page, "Ready").first().waitFor();
  expect(await tiles(page, "Ready").innerText()).toMatch(/^1\s+Ada\s+took\s0:\d\d\s*just now$/);
  await brew(server);
  await tiles(page, "Ready").nth(1).waitFor();
  await shootBoard(page, "board");
  await page.reload();
  await untilNumbers(page, "Ready", "31");
  await untilNumbers(page, "Preparing", "24");
});

test.each(Object.keys(FONTS) as Font[])(
  "more orders than fit are numbers below the tiles on every screen, in %s",
  async (font) => {
    server = await startServer();
    await using browserWithFont = await TestBrowser.start(font);
    const device = await browserWithFont.newDevice("desktop");
    const page = await device.open(`${server.baristas}/board`);
    await page.getByRole("heading", { name: "Preparing" }).waitFor();
    expect(await familiesOf(page, "h1")).toEqual([FONTS[font]]);
    for (let number = 1; number <= 36; number += 1) await place(server, { customer_name: `Customer ${number}` });
    for (let number = 1; number <= 8; number += 1) await brew(server);
    for (let number = 1; number <= 6; number += 1) await start(server, "barista=Ada");
    const further = page.getByRole("list", { name: "Preparing, further ones" });
    for (const { size, shown, last, more } of [
      { size: TELEVISION, shown: 12, last: "34", more: "and 2 more" },
      { size: ON_ITS_SIDE, shown: 6, last: "23", more: "and 13 more" },
      { size: PHONE, shown: 6, last: "23", more: "and 13 more" },
    ]) {
      await page.setViewportSize(size);
      await until(async () => (await tiles(page, "Preparing").count()) === shown, `${shown} have a tile`);
      await further.getByText(more).waitFor();
      expect((await further.innerText()).split(/\s+/)).toContain(last);
      await until(async () => (await tiles(page, "Ready").count()) === Math.min(8, shown), "so many are ready");
      expect(await cutOff(page)).toEqual([]);
    }
    await shootBoard(page, `board-full-${font}`);
    await browserWithFont.closeDevices();
  },
);

test("a code is shown as a picture with what remains, and hides once it is used up", async () => {
  const { page } = await visit();
  await code(page).waitFor();
  const { code: current, url } = await readCode();
  expect(await code(page).getAttribute("src")).toStartWith("data:image/svg+xml,");
  await page.getByRole("img", { name: url }).waitFor();
  await page.getByText("10 drinks left").waitFor();
  for (let drink = 1; drink <= 9; drink += 1) await reserve(current);
  await page.getByText("1 drink left").waitFor();
  await reserve(current);
  await page.getByText("We are making drinks").waitFor();
  expect(await code(page).count()).toBe(0);
  await reserve(current, 409);
  await shootBoard(page, "board-used-up");
});

test("a code hides for its last 15 seconds, and the next one is shown", async () => {
  server = await startServer();
  await change({ code_period_seconds: 20 });
  const { page } = await openBoard();
  await page.getByText("We are making drinks").waitFor({ timeout: 25_000 });
  const { code: old } = await readCode();
  await page.getByText(/New code in\s*0:(0\d|1[0-5])/).waitFor();
  await code(page).waitFor({ timeout: 25_000 });
  const { code: current, url } = await readCode();
  expect(current).not.toBe(old);
  await page.getByRole("img", { name: url }).waitFor();
});

test("a closed shop and a full one are told, and nobody is invited", async () => {
  const { page } = await visit();
  await code(page).waitFor();
  await change({ open: false });
  await page.getByRole("heading", { name: "We are closed" }).waitFor();
  expect(await code(page).count()).toBe(0);
  await shootBoard(page, "board-closed");
  await change({ open: true, capacity: 1 });
  await code(page).waitFor();
  await place(server);
  await page.getByText("Please come back in a few minutes.").waitFor();
  expect(await code(page).count()).toBe(0);
  await brew(server);
  await code(page).waitFor();
});

test("a lost connection is told, and the board mends itself", async () => {
  const { page, device } = await visit();
  device.expectFault(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/);
  await place(server, { customer_name: "Ada" });
  await tiles(page, "Preparing").first().waitFor();
  await device.context.setOffline(true);
  await page.getByText("Connection lost").waitFor();
  await brew(server);
  await place(server, { customer_name: "Linus" });
  await device.context.setOffline(false);
  await tiles(page, "Ready").getByText("Ada").waitFor();
  await tiles(page, "Preparing").getByText("Linus").waitFor();
  await page.getByText("Connection lost").waitFor({ state: "detached" });
});

test("a staff token is asked for once", async () => {
  const { page, device } = await visit({ STAFF_TOKEN: "hush-hush-42", BARISTA_HOST: "127.0.0.1" });
  device.expectFault(/401/);
  await page.getByLabel("Staff token").fill("hush-hush-42");
  await page.getByRole("button", { name: "Unlock" }).click();
  await code(page).waitFor();
  await page.reload();
  await code(page).waitFor();
});

test("a script in a name is shown as text", async () => {
  const { page } = await visit();
  const script = `<img src=x onerror="document.title='owned'">`;
  await place(server, { customer_name: script });
  await tiles(page, "Preparing").getByText(script).waitFor();
  expect(await page.title()).toBe("Board – Longpour");
});
