/**
 * Double taps at the counter, in a real browser: when a card goes, the next one slides to where the finger still is.
 *
 * **Invariants**
 * - The presses are real ones, and how far apart the page felt them is measured there, not assumed.
 */
import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { ask, expectStatus, place, start, applyVerb, type WireOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { until } from "../support/until.ts";
import { hand, nextButton, openBarista, row, settled } from "./barista-page.ts";
import { useBrowser, type Size } from "../support/browser.ts";

setDefaultTimeout(180_000);

const GAPS_MS = [80, 200, 400];
/** A press that a busy machine delivers later is no double tap any more. */
const MAX_GAP_MS = 650;
const TRIES = 5;

const browser = useBrowser();
let server: Server;

beforeAll(async () => {
  server = await startServer();
});

/** Each test finds an empty shop. */
afterEach(async () => {
  for (const status of ["brewing", "queued"] as const) {
    for (const { order_id } of await find(status)) expectStatus(await applyVerb(server, "cancel", order_id), 200);
  }
});

async function find(status: WireOrder["status"]): Promise<readonly WireOrder[]> {
  const answer = await ask(`${server.baristas}/order/?status=${status}&limit=200`);
  expectStatus(answer, 200);
  return (answer.body as { orders: readonly WireOrder[] }).orders;
}

const countOf = async (status: WireOrder["status"]): Promise<number> => (await find(status)).length;

type Supply = () => Promise<void>;

/** Two more orders that wait. */
async function queueTwo(): Promise<void> {
  for (let placed = 0; placed < 2; placed += 1) await place(server, { item: "espresso" });
}

/** Two more orders in Ada's hands. */
async function handTwo(): Promise<void> {
  await queueTwo();
  for (let started = 0; started < 2; started += 1) await start(server, "barista=Ada");
}

/** Ada's page, at which presses are counted. */
async function open(supply: Supply, size: Size = "desktop"): Promise<Page> {
  await supply();
  const { page } = await openBarista(browser, server, "Ada", size);
  await (supply === handTwo ? hand(page) : row(page)).nth(1).waitFor();
  await page.evaluate(`{
    globalThis.pressed = [];
    for (const type of ["pointerup", "keyup"]) {
      addEventListener(type, (event) => pressed.push(event.timeStamp), { capture: true });
    }
  }`);
  return page;
}

/** Presses twice; resolves to how far apart the page felt it, ms. */
async function twice(page: Page, press: () => Promise<void>, gapMs: number): Promise<number> {
  await page.evaluate("void (pressed.length = 0)");
  await press();
  await Bun.sleep(gapMs);
  await press();
  await until(async () => (await page.evaluate<number>("pressed.length")) >= 2, "both presses were felt");
  return await page.evaluate<number>("pressed[1] - pressed[0]");
}

/** A press on one spot of the screen, whatever comes to lie there. */
async function spotOf(page: Page, target: Locator, size: Size): Promise<() => Promise<void>> {
  await target.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await target.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
  const at = [x + width / 2, y + height / 2] as const;
  return () => (size === "phone" ? page.touchscreen.tap(...at) : page.mouse.click(...at));
}

async function untilIdle(page: Page): Promise<void> {
  await settled(page);
  const busy = page.locator('main [aria-disabled="true"]:not(:has-text("Nothing waits"))');
  await until(async () => (await busy.count()) === 0, "every answer is here");
}

interface Pressing {
  readonly page: Page;
  readonly press: () => Promise<void>;
  readonly supply: Supply;
}

/** Presses twice, and expects one more order in `status`; then once more, and expects the next. */
async function expectOneEach({ page, press, supply }: Pressing, gapMs: number): Promise<void> {
  const status = supply === handTwo ? "ready" : "brewing";
  for (let tries = 1; tries <= TRIES; tries += 1) {
    await supply();
    const before = await countOf(status);
    const feltMs = await twice(page, press, gapMs);
    await until(async () => (await countOf(status)) > before, `one more is ${status}`);
    await untilIdle(page);
    if (feltMs > MAX_GAP_MS) continue;
    expect(await countOf(status)).toBe(before + 1);
    await press();
    await until(async () => (await countOf(status)) === before + 2, "the press after it counts");
    await untilIdle(page);
    return;
  }
  throw new Error(`the machine was too busy for presses ${gapMs} ms apart`);
}

async function expectOneEachAt(pressing: Pressing): Promise<void> {
  for (const gapMs of GAPS_MS) await expectOneEach(pressing, gapMs);
}

describe("two presses 80, 200 and 400 ms apart", () => {
  test.each(["desktop", "phone"] as const)("on Finish finish one order: %s", async (size) => {
    const page = await open(handTwo, size);
    const press = await spotOf(page, hand(page).first().getByRole("button", { name: "Finish" }), size);
    await expectOneEachAt({ page, press, supply: handTwo });
  });

  test.each(["desktop", "phone"] as const)("on Take next take one: %s", async (size) => {
    const page = await open(queueTwo, size);
    const press = await spotOf(page, nextButton(page), size);
    await expectOneEachAt({ page, press, supply: queueTwo });
  });

  test("on Take, in the line, take one", async () => {
    const page = await open(queueTwo);
    const press = await spotOf(page, row(page).first().getByRole("button", { name: "Take" }), "desktop");
    await expectOneEachAt({ page, press, supply: queueTwo });
  });

  test.each([
    ["f", handTwo],
    ["n", queueTwo],
  ] as const)("of the key %s count once", async (key, supply) => {
    const page = await open(supply);
    await expectOneEachAt({ page, press: () => page.keyboard.press(key), supply });
  });

  test("of Enter on the button that has the focus count once", async () => {
    const page = await open(queueTwo);
    await nextButton(page).focus();
    await expectOneEachAt({ page, press: () => page.keyboard.press("Enter"), supply: queueTwo });
  });

  test("on Cancel… open the question, and answer nothing", async () => {
    const page = await open(handTwo, "phone");
    const button = hand(page).first().getByRole("button", { name: "Cancel" });
    for (const gapMs of GAPS_MS) {
      await twice(page, await spotOf(page, button, "phone"), gapMs);
      await page.getByRole("dialog").waitFor();
      await untilIdle(page);
      await page.getByRole("button", { name: "Keep it" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
    expect(await countOf("brewing")).toBe(2);
  });
});

test("a key that is held down on a button presses it once", async () => {
  const page = await open(queueTwo);
  await nextButton(page).focus();
  // Each further "down" is what a keyboard sends while the key stays down.
  for (let repeats = 0; repeats < 3; repeats += 1) {
    await page.keyboard.down("Enter");
    await hand(page).first().waitFor();
    await untilIdle(page);
  }
  await page.keyboard.up("Enter");
  expect(await countOf("brewing")).toBe(1);
});

test("quick work at another place, or with another key, is done at once", async () => {
  const page = await open(handTwo);
  const finish = await spotOf(page, hand(page).first().getByRole("button", { name: "Finish" }), "desktop");
  const next = await spotOf(page, nextButton(page), "desktop");
  const key = (name: string) => () => page.keyboard.press(name);
  for (const pair of [
    [finish, next],
    [key("f"), key("n")],
  ]) {
    let feltMs = Infinity;
    for (let tries = 1; tries <= TRIES && feltMs > MAX_GAP_MS; tries += 1) {
      await queueTwo();
      await row(page).nth(1).waitFor();
      const before = [await countOf("ready"), await countOf("queued")];
      const presses = [...pair];
      feltMs = await twice(page, async () => await presses.shift()?.(), 0);
      await untilIdle(page);
      expect([(await countOf("ready")) - 1, (await countOf("queued")) + 1]).toEqual(before);
    }
    expect(feltMs).toBeLessThan(MAX_GAP_MS);
  }
});
