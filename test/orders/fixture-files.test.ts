/** Owns the tests of the fixtures themselves: what a stored shop must hold to stand for its format. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Payment, PAYMENT_KINDS, PAYMENT_STATUSES } from "../../src/orders/payment.ts";
import { dump, load } from "../fixtures/keys.ts";
import { TestOrders } from "../support/orders.ts";
import { LINES } from "../support/state.ts";
import { FORMATS } from "./exhibits.ts";

setDefaultTimeout(60_000);

const STATUSES = ["reserved", "queued", "brewing", "ready", "cancelled"];
/** Lines that format 1 had not. */
const NEW_LINES = ["input", "progress"];
const REASONS = ["customer", "barista", "customer_timeout", "barista_timeout", "payment_failed", "machine_error"];
/** Members that a payment has on the wire, but for its ids: they are its key's. */
const WIRE_MEMBERS = Object.keys(Payment.properties).filter((name) => !name.endsWith("_id"));

describe.each(["1", "2"] as const)("format %s", (format) => {
  const { fixture, ids } = FORMATS[format];
  const lines = LINES.filter((line) => format !== "1" || !NEW_LINES.includes(line));

  test("what was loaded is what was stored", async () => {
    await using shop = await TestOrders.open();
    await load(shop.client, shop.prefix, fixture);
    expect(await dump(shop.client, shop.prefix)).toEqual(fixture);
  });

  test("it has an order in each state, and each line of a record is used", () => {
    const records = Object.values(ids).map((id) => {
      const content = fixture[`order:${id}`];
      return content && "lines" in content ? content.lines : [];
    });
    expect(records.map((record) => record.length)).toEqual(records.map(() => lines.length));
    const values = (line: (typeof LINES)[number]): Set<string> =>
      new Set(records.map((record) => record[lines.indexOf(line)] ?? ""));
    expect(values("format")).toEqual(new Set([format]));
    expect(values("status")).toEqual(new Set(format === "1" ? STATUSES : [...STATUSES, "scheduled", "unpaid"]));
    expect(values("reason")).toEqual(new Set(["", ...REASONS]));
    for (const line of lines) if (line !== "format") expect(values(line).size).toBeGreaterThan(1);
  });
});

test("format 2 has a payment in each state, and each member of one is used", () => {
  const payments = Object.entries(FORMATS[2].fixture).flatMap(([name, content]) =>
    name.startsWith("payment:") && "json" in content ? [content.json] : [],
  );
  expect(new Set(payments.map(({ status }) => status))).toEqual(new Set(PAYMENT_STATUSES));
  expect(new Set(payments.map(({ kind }) => kind))).toEqual(new Set(PAYMENT_KINDS));
  const members = new Set(payments.flatMap((payment) => Object.keys(payment)));
  expect(members).toEqual(new Set([...WIRE_MEMBERS, "attempt", "intent", "method"]));
});
