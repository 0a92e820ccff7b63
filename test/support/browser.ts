/**
 * Owns the real browser of the page tests: headless Chromium, and in it devices that share nothing but the shop.
 *
 * **Invariants**
 * - An error or warning in a page's console fails its test, unless the test expects it.
 * - So does a request to another host, and one that failed.
 * - A browser that a test started is gone when the tests end.
 */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser as Chromium, type BrowserContext, type Page } from "playwright-core";
import { installProgram } from "../../src/redis/install.ts";
import { CHROMIUM } from "./programs.ts";
import { silent } from "./redis.ts";
import { showWords } from "./words.ts";
import { expectAccessible } from "./accessible.ts";
import { fontEnvironment, type Font } from "./fonts.ts";

/** Ignored by git. */
const SCREENSHOTS = join(import.meta.dir, "../web/screenshots");

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const;
export type Size = keyof typeof SIZES;

export class Browser implements AsyncDisposable {
  readonly #browser: Chromium;
  readonly #devices = new Set<Device>();

  readonly #hideWords = showWords();

  private constructor(browser: Chromium) {
    this.#browser = browser;
  }

  /** With the fonts of this machine, or with one font only. */
  static async start(font?: Font): Promise<Browser> {
    const browser = await chromium.launch({
      env: { ...process.env, ...(font && fontEnvironment(font)) },
      executablePath: await installProgram(CHROMIUM, { log: silent }),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    return new Browser(browser);
  }

  /** A device of its own: nothing is kept on it yet. */
  async newDevice(size: Size = "phone"): Promise<Device> {
    const context = await this.#browser.newContext({
      viewport: SIZES[size],
      hasTouch: size === "phone",
      locale: "en-US",
      timezoneId: "UTC",
    });
    context.setDefaultTimeout(30_000);
    const device = new Device(context);
    this.#devices.add(device);
    return device;
  }

  /** To be called after each test: closes its devices, and fails it for what went wrong in their pages. */
  async closeDevices(): Promise<void> {
    const faults = [...this.#devices].flatMap((device) => device.faults);
    await Promise.all([...this.#devices].map((device) => device.context.close()));
    this.#devices.clear();
    expect(faults).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hideWords();
    await this.#browser.close();
  }
}

/**
 * The browser of a test file: started before its tests, its devices closed after each, and gone after the last. To be
 * called once, at the file's top.
 */
export function useBrowser(): Pick<Browser, "newDevice"> {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterEach(() => browser?.closeDevices());
  afterAll(() => browser?.[Symbol.asyncDispose]());
  return {
    newDevice: (size) => {
      if (!browser) throw new Error("the browser has not started");
      return browser.newDevice(size);
    },
  };
}

export class Device {
  readonly context: BrowserContext;
  /** What went wrong in its pages. */
  readonly faults: string[] = [];
  readonly #expected: RegExp[] = [];

  constructor(context: BrowserContext) {
    this.context = context;
    context.on("page", (page) => this.#watch(page));
  }

  /** Faults that belong to what the test does: a refusal is an error in the console, too. */
  expectFault(...expected: RegExp[]): void {
    this.#expected.push(...expected);
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  #watch(page: Page): void {
    let origin: string | undefined;
    const note = (fault: string): void => {
      if (!this.#expected.some((expected) => expected.test(fault))) this.faults.push(fault);
    };
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()))
        note(`console: ${message.text()} (${message.location().url ?? ""})`);
    });
    page.on("pageerror", (error) => note(`page: ${error.message}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol === "data:") return;
      if (request.isNavigationRequest()) origin ??= url.origin;
      if (url.origin !== origin) note(`elsewhere: ${request.url()}`);
    });
    page.on("requestfailed", (request) => {
      // A stream that ends because its page goes is no fault.
      const reason = request.failure()?.errorText ?? "";
      if (reason !== "net::ERR_ABORTED") note(`failed: ${request.url()} ${reason}`);
    });
  }
}

/** The narrowest screen that many phones have. */
const NARROW = { width: 360, height: 740 };

/**
 * Takes a picture of a page in every size, light and dark, for people to look at. Fails where it would have to be
 * scrolled sideways, and where axe-core finds a fault.
 */
export async function shoot(page: Page, name: string, sizes: readonly Size[] = ["phone", "desktop"]): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const before = page.viewportSize();
  for (const size of sizes) {
    await page.setViewportSize(SIZES[size]);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const path = join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path, animations: "disabled" });
      await expectAccessible(page, `${name}, ${size}, ${colorScheme}`);
    }
    await expectNoSideways(page);
  }
  if (sizes.includes("phone")) {
    await page.setViewportSize(NARROW);
    await expectNoSideways(page);
  }
  await page.emulateMedia({ colorScheme: null });
  if (before) await page.setViewportSize(before);
}

async function expectNoSideways(page: Page): Promise<void> {
  const wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  expect(wider).toBeLessThanOrEqual(0);
}
