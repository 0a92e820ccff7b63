/** `longpour acquirer`: how it starts and ends, what it answers, its ledger, its file, its webhooks. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stripe } from "stripe";
import { TestAcquirer } from "../support/acquirer.ts";
import { ask } from "../support/http.ts";
import { until } from "../support/until.ts";
import { begin, run, untilSaid } from "./program.ts";

setDefaultTimeout(60_000);

const OPEN = { amount: "350", currency: "eur", capture_method: "manual", "metadata[order_id]": "order-1" };

/** Asks for a step in a form; resolves to the answer. */
async function step(acquirer: TestAcquirer, path: string, fields: Record<string, string> = {}, key?: string) {
  const headers = { ...acquirer.authorization, ...(key !== undefined && { "idempotency-key": key }) };
  const body = new URLSearchParams(fields).toString();
  const response = await fetch(acquirer.url + path, { method: "POST", headers, body });
  const read = (await response.json()) as { readonly id: string; readonly error?: Record<string, unknown> };
  return { status: response.status, body: read, isReplay: response.headers.get("idempotent-replayed") === "true" };
}

/** Asks for what is no part of Stripe's API: in JSON. */
function control({ url, authorization: headers }: TestAcquirer, path: string, json?: object) {
  return ask(url + path, json === undefined ? { headers } : { headers, method: "POST", json });
}

/** An intent that a card was charged for. */
async function authorised(acquirer: TestAcquirer): Promise<string> {
  const { body } = await step(acquirer, "/v1/payment_intents", OPEN);
  const path = `/v1/payment_intents/${body.id}`;
  expect(await step(acquirer, `${path}/confirm`, { payment_method: "pm_card_visa" })).toMatchObject({ status: 200 });
  return path;
}

describe("the process", () => {
  test("prints its settings, made up where none were given, and ends with a signal", async () => {
    const running = begin(["acquirer", "--port", "0"]);
    await untilSaid(running, /STRIPE_WEBHOOK_SECRET=whsec_\w{32}\n/);
    expect(running.said()).toMatch(/^STRIPE_API=http:\/\/127\.0\.0\.1:\d+\nSTRIPE_SECRET_KEY=sk_test_\w{32}\n/);
    running.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("prints them as JSON, and none of the secrets that it was given", async () => {
    const running = begin(["acquirer", "--port", "0", "--json"], { STRIPE_SECRET_KEY: "sk_test_given" });
    await untilSaid(running, "\n");
    expect(JSON.parse(running.said())).toEqual({
      STRIPE_API: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      STRIPE_WEBHOOK_SECRET: expect.stringMatching(/^whsec_/) as string,
    });
    running.kill("SIGINT");
    expect((await running.ended).exitCode).toBe(0);
  });

  test("ends with its standard input, where that is asked for", async () => {
    const { exitCode, stdout } = await begin(["acquirer", "--port", "0", "--with-stdin"]).ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining("STRIPE_API=") as string });
  });

  test("says that a port is taken, and what to do", async () => {
    const acquirer = await TestAcquirer.start();
    const { port } = new URL(acquirer.url);
    const { exitCode, stderr } = await run("acquirer", "--port", port);
    await acquirer.stop();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `longpour acquirer: port ${port} can't be listened on: --port chooses another, and 0 takes a free one\n`,
    });
  });

  test.each([
    [["--drop", "2"], "It must be a number from 0 to 1"],
    [["--delay-ms", "-1"], "It must be a whole number from 0 to"],
    [["--fail-as", "fire"], "Allowed choices are either, lost, 500"],
    [["--webhook", "ftp://here"], "It must be an http:// or https:// address"],
  ])("%p is wrong usage", async (argv, words) => {
    const { exitCode, stderr } = await run("acquirer", ...argv);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe("the API", () => {
  let acquirer: TestAcquirer;
  beforeAll(async () => {
    acquirer = await TestAcquirer.start();
  });
  afterAll(() => acquirer.stop());

  test("answers nothing without the key", async () => {
    for (const authorization of ["", "Bearer sk_test_wrong", acquirer.settings.STRIPE_SECRET_KEY]) {
      for (const path of ["/ledger", "/faults", "/v1/payment_intents/pi_1"]) {
        const response = await fetch(acquirer.url + path, { headers: { authorization } });
        expect(response.status).toBe(401);
        expect(await response.text()).not.toContain(acquirer.settings.STRIPE_SECRET_KEY);
      }
    }
  });

  test("the same key and body are answered as before; another body, or one under way, is refused", async () => {
    const open = (fields: Record<string, string>) => step(acquirer, "/v1/payment_intents", fields, "key-1");
    const first = await open(OPEN);
    expect(first).toMatchObject({ status: 200, isReplay: false });
    expect(await open(OPEN)).toEqual({ ...first, isReplay: true });
    expect(await open({ ...OPEN, amount: "351" })).toMatchObject({
      status: 400,
      body: { error: { type: "idempotency_error" } },
    });
    await acquirer.fail({ delay_ms: 200 });
    const answers = await Promise.all([1, 2].map(() => step(acquirer, "/v1/payment_intents", OPEN, "key-2")));
    await acquirer.fail({ delay_ms: 0 });
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
  });

  test("what can't be read is not kept under its key", async () => {
    const open = (fields: Record<string, string>) => step(acquirer, "/v1/payment_intents", fields, "key-3");
    expect(await open({ ...OPEN, amount: "much" })).toMatchObject({ status: 400 });
    expect(await open(OPEN)).toMatchObject({ status: 200, isReplay: false });
  });

  test.each([
    [{ ...OPEN, amount: "1.5" }, "amount"],
    [{ ...OPEN, amount: "-5" }, "amount"],
    [{ ...OPEN, currency: "euro" }, "currency"],
    [{ ...OPEN, capture_method: "automatic" }, "capture_method"],
    [{ ...OPEN, nonsense: "1" }, "nonsense"],
    [{ amount: "350" }, "currency"],
  ])("%p is refused, and names %s", async (fields, param) => {
    const { status, body } = await step(acquirer, "/v1/payment_intents", fields);
    expect({ status, param: body.error?.["param"] }).toEqual({ status: 400, param });
  });

  test.each([
    ["/v1/payment_intents/pi_unknown/capture", 404],
    ["/v1/customers", 400],
  ])("%s is not there", async (path, status) => {
    expect(await step(acquirer, path)).toMatchObject({ status });
  });

  test("a part may be captured, and a refund given back in parts, up to what was captured", async () => {
    const path = await authorised(acquirer);
    expect(await step(acquirer, `${path}/capture`, { amount_to_capture: "351" })).toMatchObject({ status: 400 });
    expect(await step(acquirer, `${path}/capture`, { amount_to_capture: "300" })).toMatchObject({ status: 200 });
    const id = path.split("/").at(-1) ?? "";
    const refund = (amount: string) => step(acquirer, "/v1/refunds", { payment_intent: id, amount });
    expect(await refund("100")).toMatchObject({ status: 200 });
    expect(await refund("201")).toMatchObject({ status: 400 });
    expect(await refund("200")).toMatchObject({ status: 200 });
    expect(await refund("1")).toMatchObject({ status: 400, body: { error: { code: "charge_already_refunded" } } });
    const row = (await acquirer.ledger()).find((intent) => intent.id === id);
    expect(row).toMatchObject({ authorised: 350, held: 0, captured: 300, captures: 1, refunded: 300, refunds: 2 });
  });

  test("the sums of the ledger are those of its rows", async () => {
    const { intents, sums } = await acquirer.report();
    const sumOf = (name: "authorised" | "held" | "captured" | "captures" | "refunded" | "refunds") =>
      intents.reduce((sum, row) => sum + row[name], 0);
    expect(intents.length).toBeGreaterThan(0);
    expect(sums).toEqual({
      intents: intents.length,
      authorised: sumOf("authorised"),
      held: sumOf("held"),
      captured: sumOf("captured"),
      captures: sumOf("captures"),
      refunded: sumOf("refunded"),
      refunds: sumOf("refunds"),
    });
  });

  test.each([
    [{ drop: 2 }, "drop"],
    [{ delay_ms: "5" }, "delay_ms"],
    [{ fail_as: "fire" }, "fail_as"],
    [{ dropp: 1 }, "dropp"],
  ])("the faults %p are refused, and change nothing", async (faults, param) => {
    const before = await control(acquirer, "/faults");
    expect(await control(acquirer, "/faults", faults)).toMatchObject({ status: 400, body: { error: { param } } });
    expect((await control(acquirer, "/faults")).body).toEqual(before.body);
  });
});

describe("the file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "acquirer-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("a killed acquirer finds its intents and its answers again, and drops a line that was cut off", async () => {
    const data = join(folder, "new", "acquirer.jsonl");
    const before = await TestAcquirer.start("--data", data);
    const path = await authorised(before);
    const capture = await step(before, `${path}/capture`, {}, "capture-1");
    const report = await before.report();
    await before.stop();
    await appendFile(data, '{"intent":{"id":"pi_cut');

    const after = await TestAcquirer.start("--data", data);
    expect(await after.report()).toEqual(report);
    expect(await step(after, `${path}/capture`, {}, "capture-1")).toEqual({ ...capture, isReplay: true });
    await authorised(after);
    await after.stop();
    const third = await TestAcquirer.start("--data", data);
    expect((await third.report()).sums).toMatchObject({ intents: 2, captured: 350, held: 350 });
    await third.stop();
  });

  test("one that is none of its own is left alone", async () => {
    const data = join(folder, "notes.txt");
    await Bun.write(data, "remember the milk\n");
    const { exitCode, stderr } = await run("acquirer", "--port", "0", "--data", data);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `longpour acquirer: line 1 of ${data} is none of a test acquirer: give another file, or move it away\n`,
    });
    expect(await Bun.file(data).text()).toBe("remember the milk\n");
  });
});

describe("webhooks", () => {
  interface Told {
    readonly id: string;
    readonly type: string;
    readonly data: { readonly object: { readonly id: string; readonly metadata: Record<string, string> } };
  }
  let told: Told[];
  let forged: number;
  let refusals: number;
  let receiver: Bun.Server<undefined>;
  let acquirer: TestAcquirer;

  beforeEach(async () => {
    told = [];
    forged = 0;
    refusals = 0;
    receiver = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: receive });
    acquirer = await TestAcquirer.start("--webhook", `${receiver.url.href}payment/webhook`);
  });
  afterEach(async () => {
    await acquirer.stop();
    await receiver.stop(true);
  });

  /** Takes what Stripe's library takes, or refuses it as often as `refusals` says. */
  async function receive(request: Request): Promise<Response> {
    const signature = request.headers.get("stripe-signature") ?? "";
    const body = await request.text();
    if (refusals > 0) {
      refusals -= 1;
      return new Response(null, { status: 503 });
    }
    try {
      const stripe = new Stripe("sk_test_any");
      told.push(
        (await stripe.webhooks.constructEventAsync(
          body,
          signature,
          acquirer.settings.STRIPE_WEBHOOK_SECRET,
        )) as unknown as Told,
      );
    } catch {
      forged += 1;
    }
    return new Response();
  }

  const settled = () => until(async () => (await acquirer.report()).webhooks.waiting === 0, "none waits to be sent");
  const typesTold = () => told.map(({ type }) => type).toSorted();

  test("each change sends one, signed so that Stripe's library takes it", async () => {
    const path = await authorised(acquirer);
    await step(acquirer, `${path}/capture`);
    await step(acquirer, "/v1/refunds", { payment_intent: path.split("/").at(-1) ?? "" });
    await step(acquirer, `${await authorised(acquirer)}/cancel`);
    const { body } = await step(acquirer, "/v1/payment_intents", OPEN);
    await step(acquirer, `/v1/payment_intents/${body.id}/confirm`, { payment_method: "pm_card_chargeDeclined" });
    await settled();
    expect(typesTold()).toEqual([
      "charge.refunded",
      "payment_intent.amount_capturable_updated",
      "payment_intent.amount_capturable_updated",
      "payment_intent.canceled",
      "payment_intent.payment_failed",
      "payment_intent.succeeded",
    ]);
    expect(told.map(({ data }) => data.object.metadata)).toEqual(told.map(() => ({ order_id: "order-1" })));
    expect(forged).toBe(0);
  });

  test("doubled, they are the same event", async () => {
    await acquirer.fail({ double: 1 });
    await authorised(acquirer);
    await settled();
    expect(told).toHaveLength(2);
    expect(told[0]?.id).toBe(told[1]?.id ?? "");
    expect((await acquirer.report()).webhooks).toMatchObject({ delivered: 2, dropped: 0 });
  });

  test("dropped, they never come", async () => {
    await acquirer.fail({ drop: 1 });
    await authorised(acquirer);
    expect((await acquirer.report()).webhooks).toEqual({ delivered: 0, dropped: 1, failed: 0, waiting: 0 });
    expect(told).toEqual([]);
  });

  test("refused, they come again; to a receiver that is gone, they are given up", async () => {
    refusals = 2;
    await authorised(acquirer);
    await settled();
    expect(told).toHaveLength(1);
    await receiver.stop(true);
    await authorised(acquirer);
    await settled();
    expect((await acquirer.report()).webhooks).toEqual({ delivered: 1, dropped: 0, failed: 1, waiting: 0 });
  });

  test("they go to an address that is set while it runs", async () => {
    const other: string[] = [];
    const elsewhere = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        other.push(new URL(request.url).pathname);
        return new Response();
      },
    });
    expect((await control(acquirer, "/webhook-endpoint", { url: "nowhere" })).status).toBe(400);
    await acquirer.tell(`${elsewhere.url.href}hook`);
    await authorised(acquirer);
    await settled();
    await elsewhere.stop(true);
    expect({ other, told }).toEqual({ other: ["/hook"], told: [] });
  });
});
