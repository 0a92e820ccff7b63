/** The board in a real browser: who waits for what, what is ready, and the code to order with. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { ask, brew, expectStatus, place, start, applyVerb } from "../support/http.ts";
import { useServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { expectAccessible } from "../support/accessible.ts";
import { shoot, Browser, useBrowser, type Device } from "../support/browser.ts";
import { familiesOf, FONTS, type Font } from "../support/fonts.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();

async function visit(environment: Readonly<Record<string, string>> = {}): Promise<{ page: Page; device: Device }> {
  await server.start(environment);
  return await openBoard();
}

/** The board of a shop whose orders need a code. */
async function visitWithCodes(settings: object = {}): Promise<{ page: Page; device: Device }> {
  await server.start();
  // Codes change at full periods of the clock: none does meanwhile.
  await change({ require_code: true, code_period_seconds: 86_400, ...settings });
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

/** Places an order as a customer who scanned the code of the moment. */
async function placeWithCode(customer_name: string): Promise<void> {
  await place(server, { customer_name, code: (await readCode()).code });
}

async function takePicture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(import.meta.dir, "screenshots", `${name}.png`), animations: "disabled" });
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
      await expectAccessible(page, `${name}, ${screen}, ${colorScheme}`);
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
  await applyVerb(server, "release", order_id, "barista=Linus");
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

/** The page takes the shop's clock for so much later: what is there has aged. */
async function ageBy(page: Page, ms: number): Promise<void> {
  await page.route(/\/(order\/|queue|shop|coffees|code)(\?|$)/, async (route) => {
    const response = await route.fetch();
    const date = new Date(Date.parse(response.headers()["date"] ?? "") + ms).toUTCString();
    await route.fulfill({ response, headers: { ...response.headers(), date } });
  });
}

interface Numbers {
  readonly shown: readonly number[];
  readonly cut: readonly string[];
}

/**
 * The numbers that a column shows, and those of them that are not whole: cut off, covered, or out of their tile. A line
 * as high as its font holds every digit; how wide they are, the text itself says.
 */
async function numbersIn(page: Page, column: "Preparing" | "Ready"): Promise<Numbers> {
  return await page.evaluate<Numbers>(`(() => {
    const isWanted = (section) => section.querySelector("h2")?.textContent.startsWith("${column}");
    const region = [...document.querySelectorAll("section")].find(isWanted);
    const shown = [];
    const cut = [];
    for (const part of region.querySelectorAll(".number, ol li:not(.more)")) {
      const text = document.createRange();
      text.selectNodeContents(part);
      const { top, bottom } = part.getBoundingClientRect();
      const { left, right, width } = text.getBoundingClientRect();
      const tile = (part.closest("li") ?? part).getBoundingClientRect();
      const isInside = top >= Math.max(0, tile.top) && bottom <= Math.min(innerHeight, tile.bottom) &&
        left >= Math.max(0, tile.left) && right <= Math.min(innerWidth, tile.right);
      const isOnTop = [0.05, 0.5, 0.95].every((share) =>
        document.elementFromPoint(left + share * width, (top + bottom) / 2) === part);
      shown.push(Number(part.textContent));
      if (!isInside || !isOnTop || width === 0) {
        cut.push(part.textContent + " " + JSON.stringify({ top, bottom, left, right, tile, isOnTop }));
      }
    }
    return { shown, cut };
  })()`);
}

const count = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const SCREENS = {
  low: { width: 1366, height: 768 },
  tv: TELEVISION,
  big: { width: 3840, height: 2160 },
  tall: ON_ITS_SIDE,
  phone: PHONE,
} as const;
const AGED_MS = 8 * 60_000;
/** What the board's clock shows in so many ms. */
const clockIn = (ms: number): string =>
  new Date(Date.now() + ms).toLocaleTimeString("en-US", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });

const EVERY_FONT = Object.keys(FONTS) as Font[];
test.each(EVERY_FONT)(
  "12, 30 and 60 aged orders in each column: every number is whole on every screen, in %s",
  async (font) => {
    await server.start();
    await using browserWithFont = await Browser.start(font);
    await change({ require_code: true, drinks_per_code: 200, code_period_seconds: 3600 });
    const device = await browserWithFont.newDevice("desktop");
    const page = await device.context.newPage();
    await ageBy(page, AGED_MS);
    let [placed, made] = [0, 0];
    for (const orders of [12, 30, 60]) {
      for (; placed < 2 * orders; placed += 1) await placeWithCode(`Customer ${placed + 1} with a name`);
      for (; made < orders; made += 1) await brew(server, "barista=Ada");
      // A new page knows the age of all of them.
      await page.goto(`${server.baristas}/board`);
      await page.getByRole("heading", { name: "Preparing" }).waitFor();
      expect(await familiesOf(page, "h1")).toEqual([FONTS[font]]);
      await page.getByText("Connection lost").waitFor({ state: "detached" });
      await until(async () => (await page.locator(".clock").innerText()) === clockIn(AGED_MS), "they have aged");
      for (const [screen, size] of Object.entries(SCREENS)) {
        await page.setViewportSize(size);
        await until(async () => (await numbersIn(page, "Ready")).shown.length === orders, `${orders} are ready`);
        await until(async () => (await numbersIn(page, "Ready")).cut.length === 0, `${orders} are laid out`);
        for (const [column, first] of [
          ["Ready", 1],
          ["Preparing", orders + 1],
        ] as const) {
          const { shown, cut } = await numbersIn(page, column);
          expect(cut).toEqual([]);
          expect(shown.toSorted((one, other) => one - other)).toEqual(count(first, first + orders - 1));
        }
        await takePicture(page, `board-aged-${orders}-${screen}-${font}`);
        expect(await cutOff(page)).toEqual([]);
        if (screen === "tv") await expectAccessible(page, `${orders} aged orders`);
      }
    }
    await browserWithFont.closeDevices();
  },
);

test("a code is shown as a picture with what remains, and hides once it is used up", async () => {
  const { page } = await visitWithCodes();
  await code(page).waitFor();
  const { code: current, url } = await readCode();
  expect(await code(page).getAttribute("src")).toStartWith("data:image/svg+xml,");
  await page.getByRole("img", { name: url }).waitFor();
  // As text, too, in groups of four.
  await page.getByText(current.match(/.{4}/g)?.join(" ") ?? "").waitFor();
  await shootBoard(page, "board-code");
  await page.getByText("10 drinks left").waitFor();
  for (let drink = 1; drink <= 9; drink += 1) await reserve(current);
  await page.getByText("1 drink left").waitFor();
  await reserve(current);
  await page.getByText("We are making drinks").waitFor();
  expect(await code(page).count()).toBe(0);
  await reserve(current, 409);
  await shootBoard(page, "board-used-up");
});

test("while orders need no code, the board says where to order instead of how to scan", async () => {
  const { page } = await visit();
  const { host } = new URL((await readCode()).url);
  await page.getByText(`Order at ${host}`).waitFor();
  await place(server, { customer_name: "Ada" });
  await tiles(page, "Preparing").getByText("Ada").waitFor();
  expect(await page.getByRole("region", { name: "How to order" }).count()).toBe(0);
  await shootBoard(page, "board-no-code");
  await change({ require_code: true });
  await code(page).waitFor();
  await change({ require_code: false });
  await code(page).waitFor({ state: "detached" });
  await change({ open: false });
  await page.getByRole("heading", { name: "We are closed" }).waitFor();
});

test("a code hides for its last 15 seconds, and the next one is shown", async () => {
  const { page } = await visitWithCodes({ code_period_seconds: 20 });
  await page.getByText("We are making drinks").waitFor({ timeout: 25_000 });
  const { code: old } = await readCode();
  await page.getByText(/New code in\s*0:(0\d|1[0-5])/).waitFor();
  await code(page).waitFor({ timeout: 25_000 });
  const { code: current, url } = await readCode();
  expect(current).not.toBe(old);
  await page.getByRole("img", { name: url }).waitFor();
});

test("a closed shop and a full one are shown, and no one is invited", async () => {
  const { page } = await visitWithCodes();
  await code(page).waitFor();
  await change({ open: false });
  await page.getByRole("heading", { name: "We are closed" }).waitFor();
  expect(await code(page).count()).toBe(0);
  await shootBoard(page, "board-closed");
  await change({ open: true, capacity: 1 });
  await code(page).waitFor();
  await placeWithCode("Ada");
  await page.getByText("Please come back in a few minutes.").waitFor();
  expect(await code(page).count()).toBe(0);
  await brew(server);
  await code(page).waitFor();
});

test("a lost connection is shown, and the board mends itself", async () => {
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
  await page.getByText("Nothing just now.").waitFor();
  await page.reload();
  await page.getByText("Nothing just now.").waitFor();
});

test("a script in a name is shown as text", async () => {
  const { page } = await visit();
  const script = `<img src=x onerror="document.title='owned'">`;
  await place(server, { customer_name: script });
  await tiles(page, "Preparing").getByText(script).waitFor();
  expect(await page.title()).toBe("Board – Longpour");
});
