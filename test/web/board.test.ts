/** The board in a real browser: who waits for what, what is ready, and the code to order with. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { ask, brew, expectStatus, place, start, tell } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { shoot, TestBrowser, type Device } from "./browser.ts";

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
  page.getByRole("list", { name: new RegExp(`^${column}`) }).locator("li:not(.empty)");
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

/** Also as a television shows it. */
async function shootBoard(page: Page, name: string): Promise<void> {
  await shoot(page, name);
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.screenshot({ path: join(import.meta.dir, "screenshots", `${name}-tv-light.png`) });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: join(import.meta.dir, "screenshots", `${name}-tv-dark.png`) });
}

test("an order goes from preparing to ready, and is there after a reload", async () => {
  const { page } = await visit();
  await page.getByText("Nothing just now.").waitFor();
  for (const customer_name of ["Ada", "Linus", "Grace", "Barbara"]) await place(server, { customer_name });
  await tiles(page, "Preparing").nth(3).waitFor();
  expect(await tiles(page, "Preparing").first().innerText()).toMatch(/1\s+Ada\s+[^]*0:0\d[^]*waiting/);

  // Those being made stand first.
  const { order_id } = await start(server, "barista=Linus");
  await start(server, "barista=Linus");
  await tell(server, "release", order_id, "barista=Linus");
  await until(
    async () => (await tiles(page, "Preparing").allInnerTexts()).map((text) => text.trim()[0]).join("") === "2134",
    "2 is being made, 1 is back in the queue",
  );

  await brew(server);
  await tiles(page, "Ready").first().waitFor();
  expect(await tiles(page, "Ready").innerText()).toMatch(/^1\s+Ada\s+took\s0:0\d\s*just now$/);
  await brew(server);
  await tiles(page, "Ready").nth(1).waitFor();
  await shootBoard(page, "board");
  await page.reload();
  await tiles(page, "Ready").nth(1).waitFor();
  expect((await tiles(page, "Ready").allInnerTexts()).map((text) => text.trim()[0])).toEqual(["3", "1"]);
  expect((await tiles(page, "Preparing").allInnerTexts()).map((text) => text.trim()[0])).toEqual(["2", "4"]);
});

test("more orders than fit are numbers below the tiles", async () => {
  const { page } = await visit();
  for (let number = 1; number <= 30; number += 1) await place(server, { customer_name: `Customer ${number}` });
  for (let number = 1; number <= 8; number += 1) await brew(server);
  for (let number = 1; number <= 6; number += 1) await start(server, "barista=Ada");
  await tiles(page, "Ready").nth(7).waitFor();
  await tiles(page, "Preparing").nth(11).waitFor();
  expect(await page.getByRole("list", { name: "Preparing, further ones" }).innerText()).toContain("30");
  await shootBoard(page, "board-full");
  // Nothing is cut off, and nothing scrolls.
  expect(await page.evaluate("document.documentElement.scrollHeight <= innerHeight")).toBe(true);
});

test("a code is shown as a picture with what remains, and hides once it is used up", async () => {
  const { page } = await visit();
  await code(page).waitFor();
  const { code: current, url } = await readCode();
  expect(await code(page).getAttribute("src")).toStartWith("data:image/svg+xml,");
  expect(await code(page).getAttribute("alt")).toContain(url);
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
  expect(await code(page).getAttribute("alt")).toContain(url);
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
