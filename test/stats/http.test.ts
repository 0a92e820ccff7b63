/** GET /stats over HTTP: ranges, groups, CSV, and what is refused. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { Figures } from "../../src/stats/tally.ts";
import { applyVerb, ask, brew, cancelByCustomer, expectProblem, expectStatus, place } from "../support/http.ts";
import { giveBack, takeMoney } from "../support/payments.ts";
import { startServer, type Server } from "../support/server.ts";
import { readCsv } from "./csv.ts";

setDefaultTimeout(60_000);

const HOUR_MS = 3_600_000;
const NAME = '=SUM(A1), the "great"';

type Row = Figures & { readonly name: string };

interface WireStats {
  readonly from: string;
  readonly to: string;
  readonly by: string | null;
  readonly counted_until: string | null;
  readonly total: Figures;
  readonly rows: readonly Row[];
}

let server: Server;

beforeAll(async () => {
  server = await startServer({ PAYMENT: "counter" });
  const [latte, espresso, given] = [
    await place(server, { item: "latte" }),
    await place(server, { item: "espresso" }),
    await place(server, { item: "latte" }),
  ];
  for (const { order_id } of [latte, espresso, given]) await takeMoney(server, order_id);
  await brew(server, `barista=${encodeURIComponent(NAME)}`);
  await brew(server, "barista=Ada");
  expectStatus(await applyVerb(server, "cancel", given.order_id), 200);
  expectStatus(await giveBack(server, given.order_id, "no milk"), 200);
  expectStatus(await cancelByCustomer(server, (await place(server)).order_id), 200);
});

async function readStats(query = ""): Promise<WireStats> {
  const answer = await ask(`${server.baristas}/stats?${query}`);
  expectStatus(answer, 200);
  const stats = answer.body as WireStats;
  for (const { name: _name, ...figures } of [{ name: "", ...stats.total }, ...stats.rows]) {
    expect([...Value.Errors(Figures, figures)]).toEqual([]);
  }
  return stats;
}

const REASONS = { customer_timeout: 0, barista_timeout: 0, payment_failed: 0, machine_error: 0 };

test("without a range they are today's, with all that has happened", async () => {
  const { from, to, by, counted_until, total, rows } = await readStats();
  expect(total).toMatchObject({
    placed: 4,
    completed: 2,
    cancelled: { customer: 1, barista: 1, ...REASONS },
    payments: { captured: total.revenue + 400, refunded: 400 },
    wait: { count: 2 },
    brew: { count: 2 },
  });
  expect(total.revenue).toBeGreaterThan(400);
  expect([by, rows]).toEqual([null, []]);
  expect(from).toEndWith("T00:00:00.000Z");
  expect(Date.parse(to) % HOUR_MS).toBe(0);
  expect(Date.parse(String(counted_until))).toBeLessThanOrEqual(Date.parse(to));
});

describe("by", () => {
  test("hour and day have a row for each that has begun, and those add up", async () => {
    const now = new Date();
    const fromMs = now.getTime() - 30 * HOUR_MS;
    const hours = await readStats(`from=${new Date(fromMs).toISOString()}&by=hour`);
    expect(hours.rows.length).toBeGreaterThanOrEqual(31);
    expect(hours.rows.map(({ name }) => Date.parse(name))).toEqual(
      hours.rows.map((_, at) => Math.floor(fromMs / HOUR_MS) * HOUR_MS + at * HOUR_MS),
    );
    expect(hours.rows.reduce((sum, { placed }) => sum + placed, 0)).toBe(4);
    const week = await readStats("from=2020-01-05&to=2020-01-11&by=day");
    expect(week.rows.map(({ name }) => name).join()).toBe(
      [5, 6, 7, 8, 9, 10, 11].map((day) => `2020-01-${String(day).padStart(2, "0")}`).join(),
    );
    expect([week.from, week.to]).toEqual(["2020-01-05T00:00:00.000Z", "2020-01-12T00:00:00.000Z"]);
  });

  test("drink and barista have a row for each name", async () => {
    const drinks = await readStats("by=drink");
    expect(drinks.rows.map(({ name, placed, completed }) => ({ name, placed, completed }))).toEqual([
      { name: "latte", placed: 2, completed: 1 },
      { name: "espresso", placed: 1, completed: 1 },
      { name: "americano", placed: 1, completed: 0 },
    ]);
    const baristas = await readStats("by=barista");
    expect(baristas.rows.map(({ name }) => name).toSorted()).toEqual([NAME, "Ada"]);
    expect(baristas.rows.map(({ placed, completed }) => [placed, completed])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

describe("as CSV", () => {
  test("it has the figures of the JSON, under the same names in each grouping", async () => {
    for (const by of ["hour", "day", "drink", "barista"]) {
      const { rows } = await readStats(`by=${by}`);
      const answer = await ask(`${server.baristas}/stats?by=${by}&format=csv`);
      expectStatus(answer, 200);
      expect(answer.headers["content-type"]).toStartWith("text/csv");
      expect(answer.headers["content-disposition"]).toContain(`stats-by-${by}.csv`);
      const [head = [], ...lines] = readCsv(answer.text);
      expect(head[0]).toBe(by);
      expect(lines).toHaveLength(rows.length);
      for (const [at, line] of lines.entries()) {
        const cells = Object.fromEntries(head.map((name, column) => [name, line[column]]));
        expectCells(cells, rows[at]);
      }
    }
  });

  test("a name is no formula to a spreadsheet, and without by there is one line", async () => {
    const { text } = await ask(`${server.baristas}/stats?by=barista&format=csv`);
    expect(readCsv(text).map(([name]) => name)).toContain(`'${NAME}`);
    const [head, ...lines] = readCsv((await ask(`${server.baristas}/stats?format=csv`)).text);
    expect([head?.[0], lines.map(([name, placed]) => [name, placed])]).toEqual(["name", [["total", "4"]]]);
  });
});

function expectCells(cells: Readonly<Record<string, string | undefined>>, row: Row | undefined): void {
  const text = (value: number | null | undefined): string => String(value ?? "");
  expect(cells).toMatchObject({
    placed: text(row?.placed),
    completed: text(row?.completed),
    cancelled_customer: text(row?.cancelled.customer),
    cancelled_machine_error: text(row?.cancelled.machine_error),
    revenue_cents: text(row?.revenue),
    captured_cents: text(row?.payments.captured),
    refunded_cents: text(row?.payments.refunded),
    waits: text(row?.wait.count),
    wait_median_seconds: text(row?.wait.median_seconds),
    wait_p95_seconds: text(row?.wait.p95_seconds),
    brews: text(row?.brew.count),
    brew_median_seconds: text(row?.brew.median_seconds),
    brew_p95_seconds: text(row?.brew.p95_seconds),
  });
}

test.each([
  ["from", "from=yesterday"],
  ["to", "to=2020-02-30"],
  ["by", "by=week"],
  ["format", "format=xml"],
  ["from", "from=2020-01-02&to=2020-01-01"],
  ["from", "from=2126-01-01"],
  ["from", "from=2019-01-01&to=2020-02-05"],
  ["from", "from=2020-01-01&to=2020-02-01&by=hour"],
  ["from", "from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:00Z"],
  ["by", "by=day&by=hour"],
])("a faulty %s is named: %s", async (field, query) => {
  expectProblem(await ask(`${server.baristas}/stats?${query}`), 422, field);
});

test("the greatest ranges are answered", async () => {
  expect((await readStats("from=2019-01-01&to=2020-02-04&by=day")).rows).toHaveLength(400);
  expect((await readStats("from=2020-01-01&to=2020-01-31&by=hour")).rows).toHaveLength(744);
});
