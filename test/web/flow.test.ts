/** The flow page in a real browser: it follows a running shop, and what it shows is what the API says. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { shoot, useBrowser } from "../support/browser.ts";
import { applyVerb, expectOrder, place, start, type Ports } from "../support/http.ts";
import { TestRedis } from "../support/redis.ts";
import { useServer } from "../support/server.ts";
import { placeCall } from "../support/calls.ts";
import { until } from "../support/until.ts";
import { fill, NAMES, readCounts, useSimulation } from "./simulation.ts";

setDefaultTimeout(180_000);

const browser = useBrowser();
const server = useServer();
const simulate = useSimulation();

const state = (page: Page, name: string) => page.getByRole("link", { name: new RegExp(`^${name} [\\d–]`) });
const list = (page: Page, name: string) => page.getByRole("list", { name, exact: true });

async function openFlow(query = "", size: "phone" | "desktop" = "desktop"): Promise<Page> {
  const device = await browser.newDevice(size);
  const page = await device.open(`${server.baristas}/flow${query}`);
  await page.locator("main[data-loaded]").waitFor();
  return page;
}

/** The counts on the page, by state. */
async function countsOn(page: Page): Promise<Record<string, number>> {
  const STATES = {
    Choosing: "reserved",
    "To be paid": "unpaid",
    "For later": "scheduled",
    Waiting: "queued",
    "Being made": "brewing",
    Ready: "ready",
    Cancelled: "cancelled",
  };
  const counts: Record<string, number> = {};
  for (const [words, name] of Object.entries(STATES)) {
    counts[name] = Number(await state(page, words).locator(".count").textContent());
  }
  return counts;
}

async function untilCounts(page: Page, ports: Ports): Promise<void> {
  await until(
    async () => JSON.stringify(await countsOn(page)) === JSON.stringify(await readCounts(ports)),
    "the page shows what the server counts",
    30_000,
  );
}

test("an empty shop shows zeros, no rates, and says that there is nothing", async () => {
  await server.start();
  const page = await openFlow();
  await untilCounts(page, server);
  await shoot(page, "flow-empty");
  await state(page, "Waiting").click();
  await page.getByText("None.").waitFor();
});

test("it follows a running shop, and ends with the numbers of the API", async () => {
  await server.start();
  const page = await openFlow("?state=brewing");
  const running = simulate(server, { customers: 60, baristas: 6, brewSeconds: 1 });
  await list(page, "Being made").getByRole("link").nth(3).waitFor();
  await page.locator(".flows").nth(2).waitFor();
  await shoot(page, "flow-running");
  await running;
  await untilCounts(page, server);
  expect(await countsOn(page)).toMatchObject({ queued: 0, brewing: 0, ready: 60, cancelled: 0 });
  await page.getByText("None.").waitFor();
});

test("a full shop: lists, an order's journey, the figures as a table, back and deep links", async () => {
  await server.start();
  await fill(server, 130);
  const page = await openFlow();
  await untilCounts(page, server);
  await state(page, "Waiting").press("Enter");
  const waiting = list(page, "Waiting");
  await waiting.getByRole("link").nth(49).waitFor();
  expect(await waiting.getByRole("link").count()).toBe(50);
  await shoot(page, "flow-full");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Back", disabled: false }).waitFor();
  await state(page, "Cancelled").click();
  expect(new URL(page.url()).search).toBe("?state=cancelled");
  await list(page, "Cancelled").getByRole("link").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("list", { name: "What happened" }).getByText("Cancelled").waitFor();
  await shoot(page, "flow-journey");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.goBack();
  await dialog.waitFor();
  await page.reload();
  await dialog.getByText("it could not be made").first().waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Today at the counter" }).scrollIntoViewIfNeeded();
  await page.locator("canvas").nth(2).waitFor();
  await page.evaluate("document.querySelector('#today').scrollIntoView()");
  await shoot(page, "flow-today");
  await page.getByText("The same as a table").click();
  await page.getByRole("table").scrollIntoViewIfNeeded();
  await shoot(page, "flow-table");
  await page.goto(`${server.baristas}/flow?state=nonsense&queue=a/b&id=`);
  await page.getByRole("heading", { name: "Now" }).waitFor();
});

describe("where the shop is not as it should be", () => {
  test("a token is asked for, a wrong one is refused, and the right one shows the page", async () => {
    const token = "hush-hush-42";
    await server.start({ STAFF_TOKEN: token, BARISTA_HOST: "127.0.0.1" });
    const device = await browser.newDevice("phone");
    device.expectFault(/401/);
    for (const [path, heading] of [
      ["flow", "Now"],
      ["orders?state=queued", "Orders"],
    ] as const) {
      const page = await device.open(`${server.baristas}/${path}`);
      await page.getByLabel("Staff token").fill("wrong");
      await page.getByRole("button", { name: "Unlock" }).click();
      await page.getByRole("alert").waitFor();
      await shoot(page, `${path.slice(0, 4)}-locked`, ["phone"]);
      await page.getByLabel("Staff token").fill(token);
      await page.getByRole("button", { name: "Unlock" }).click();
      await page.getByRole("heading", { name: heading }).waitFor();
      if (heading === "Orders") await page.getByText("None.").waitFor();
      else await page.locator("main[data-loaded]").waitFor();
      await page.evaluate("localStorage.clear()");
    }
  });

  test("machines' queues: each has its own numbers, lists and events", async () => {
    await server.start({ QUEUES: "compute" });
    const page = await openFlow();
    await place(server);
    await untilCounts(page, server);
    await page.getByLabel("Queue").selectOption("compute");
    await state(page, "Waiting").getByText("0", { exact: true }).waitFor();
    const call = await placeCall(server, "compute");
    await state(page, "Waiting").getByText("1", { exact: true }).waitFor();
    await state(page, "Waiting").click();
    await list(page, "Waiting").getByRole("link").first().click();
    await page.getByRole("dialog").getByText("compute").waitFor();
    await shoot(page, "flow-machines");
    await page.keyboard.press("Escape");
    expectOrder(await applyVerb(server, "finish", (await start(server, "queue=compute")).order_id), {
      order_id: call.order_id,
    });
    await state(page, "Waiting").getByText("0", { exact: true }).waitFor();
    // Stats are of the counter: what is not known is no zero.
    expect(await state(page, "Ready").locator(".count").textContent()).toBe("–");
    await state(page, "Ready").click();
    await list(page, "Ready").getByRole("link").first().waitFor();
    expect(new URL(page.url()).search).toBe("?queue=compute&state=ready");
  });

  test("a lost connection is said, and what happened meanwhile counts once it is back", async () => {
    await server.start();
    const device = await browser.newDevice();
    device.expectFault(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/);
    const page = await device.open(`${server.baristas}/flow?state=queued`);
    await place(server, { customer_name: "Ada" });
    await list(page, "Waiting").getByText("for Ada").waitFor();
    await device.context.setOffline(true);
    await page.getByText("Connection lost").waitFor();
    await fill(server, 30);
    await device.context.setOffline(false);
    await page.getByText("Connection lost").waitFor({ state: "detached" });
    await untilCounts(page, server);
    await list(page, "Waiting").getByRole("link").nth(9).waitFor();
  });

  test("Redis goes and comes back: the page says so, keeps what it had, and is right again", async () => {
    const redis = await TestRedis.start();
    await server.start({ REDIS_URL: redis.url, OUTAGE_SECONDS: "1" });
    const device = await browser.newDevice();
    device.expectFault(/503/);
    const page = await device.open(`${server.baristas}/flow?state=queued`);
    await page.locator("main[data-loaded]").waitFor();
    await place(server, { customer_name: NAMES[0] });
    await list(page, "Waiting").getByText("for Ada").waitFor();
    await redis.kill();
    await page.getByText("what you see may be old").waitFor();
    expect(await state(page, "Waiting").locator(".count").textContent()).toBe("1");
    await shoot(page, "flow-outage");
    await redis.resume();
    await place(server, { customer_name: "Grace" });
    await list(page, "Waiting").getByText("for Grace").waitFor();
    await untilCounts(page, server);
    await page.getByText("what you see may be old").waitFor({ state: "detached" });
    await server.stop();
    await redis.stop();
  });
});
