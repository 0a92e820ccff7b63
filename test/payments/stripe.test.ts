/** Stripe's library, through the port, against the test acquirer as a process of its own. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { StripeProvider } from "../../src/payments/stripe.ts";
import type { PaymentProvider } from "../../src/payments/provider.ts";
import { TestAcquirer } from "../support/acquirer.ts";
import { freePort } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const AMOUNT = 350;
let acquirer: TestAcquirer;
let provider: PaymentProvider;

beforeAll(async () => {
  acquirer = await TestAcquirer.start();
  provider = providerAt(acquirer.url, acquirer.settings.STRIPE_SECRET_KEY);
});
afterAll(() => acquirer.stop());

function providerAt(apiUrl: string, secretKey = "sk_test_wrong"): PaymentProvider {
  return new StripeProvider({ name: "test", publishableKey: null, secretKey, webhookSecret: "whsec_any", apiUrl });
}

/** An order with an open intent. */
async function opened(amount = AMOUNT): Promise<{ orderId: string; intentId: string }> {
  const orderId = crypto.randomUUID();
  const outcome = await provider.open({ orderId, amount, currency: "eur", step: `${orderId}:open` });
  if (outcome.kind !== "opened") throw new Error(outcome.kind);
  return { orderId, intentId: outcome.intentId };
}

async function authorised(amount = AMOUNT): Promise<{ orderId: string; intentId: string }> {
  const order = await opened(amount);
  const { intentId } = order;
  expect(await authorise(intentId)).toMatchObject({ kind: "authorised" });
  return order;
}

async function captured(): Promise<{ orderId: string; intentId: string }> {
  const order = await authorised();
  const { intentId } = order;
  expect(await provider.capture({ intentId, amount: AMOUNT, step: `${intentId}:capture` })).toEqual({
    kind: "captured",
  });
  return order;
}

function authorise(intentId: string, method = "pm_card_visa", step: string = crypto.randomUUID()) {
  return provider.authorise({ intentId, method, step });
}

const newStep = (): string => crypto.randomUUID();

describe("a step that goes well", () => {
  test("open, authorise, capture and refund: each once, and the same step again answers the same", async () => {
    const orderId = crypto.randomUUID();
    const open = () => provider.open({ orderId, amount: AMOUNT, currency: "eur", step: `${orderId}:open` });
    const outcome = await open();
    expect(await open()).toEqual(outcome);
    const intentId = outcome.kind === "opened" ? outcome.intentId : "";

    const held = await authorise(intentId, "pm_card_visa", `${orderId}:authorise`);
    expect(held).toMatchObject({ kind: "authorised", amount: AMOUNT });
    const captureBeforeMs = held.kind === "authorised" ? held.captureBeforeMs : null;
    expect(captureBeforeMs).toBeGreaterThan(Date.now() + 6 * 86_400_000);
    expect(await authorise(intentId, "pm_card_visa", `${orderId}:authorise`)).toEqual(held);
    expect(await acquirer.row(orderId)).toMatchObject({ status: "requires_capture", held: AMOUNT, captured: 0 });

    const capture = () => provider.capture({ intentId, amount: AMOUNT, step: `${orderId}:capture` });
    expect(await capture()).toEqual({ kind: "captured" });
    expect(await capture()).toEqual({ kind: "captured" });

    const refund = () => provider.refund({ intentId, amount: AMOUNT, step: `${orderId}:refund` });
    expect(await refund()).toEqual({ kind: "refunded" });
    expect(await refund()).toEqual({ kind: "refunded" });
    expect(await acquirer.row(orderId)).toMatchObject({
      status: "succeeded",
      authorised: AMOUNT,
      authorisations: 1,
      held: 0,
      captured: AMOUNT,
      captures: 1,
      refunded: AMOUNT,
      refunds: 1,
    });
  });

  test("an authorisation is voided, and an intent that holds nothing too", async () => {
    for (const { orderId, intentId } of [await authorised(), await opened()]) {
      expect(await provider.void({ intentId, step: `${orderId}:void` })).toEqual({ kind: "voided" });
      expect(await acquirer.row(orderId)).toMatchObject({ status: "canceled", held: 0, captured: 0 });
    }
  });
});

describe("a step that is done already, under another key, is answered as done", () => {
  test("authorised", async () => {
    const { orderId, intentId } = await authorised();
    expect(await authorise(intentId)).toMatchObject({ kind: "authorised", amount: AMOUNT });
    expect(await acquirer.row(orderId)).toMatchObject({ authorisations: 1 });
  });

  test("captured", async () => {
    const { orderId, intentId } = await captured();
    expect(await provider.capture({ intentId, amount: AMOUNT, step: newStep() })).toEqual({ kind: "captured" });
    expect(await acquirer.row(orderId)).toMatchObject({ captures: 1 });
  });

  test("voided", async () => {
    const { intentId } = await authorised();
    await provider.void({ intentId, step: newStep() });
    expect(await provider.void({ intentId, step: newStep() })).toEqual({ kind: "voided" });
  });

  test("refunded", async () => {
    const { orderId, intentId } = await captured();
    await provider.refund({ intentId, amount: AMOUNT, step: newStep() });
    expect(await provider.refund({ intentId, amount: AMOUNT, step: newStep() })).toEqual({ kind: "refunded" });
    expect(await acquirer.row(orderId)).toMatchObject({ refunds: 1, refunded: AMOUNT });
  });
});

describe("a step that comes too late", () => {
  test("what is cancelled or captured can't be authorised", async () => {
    const cancelled = await opened();
    await provider.void({ intentId: cancelled.intentId, step: newStep() });
    expect(await authorise(cancelled.intentId)).toEqual({ kind: "over" });
    expect(await authorise((await captured()).intentId)).toEqual({ kind: "over" });
  });

  test("what is captured can't be voided", async () => {
    const { intentId } = await captured();
    expect(await provider.void({ intentId, step: newStep() })).toEqual({ kind: "captured" });
  });

  test("what holds nothing can't be captured: it was voided, or never authorised", async () => {
    const { intentId } = await authorised();
    await provider.void({ intentId, step: newStep() });
    for (const id of [intentId, (await opened()).intentId]) {
      expect(await provider.capture({ intentId: id, amount: AMOUNT, step: newStep() })).toEqual({ kind: "lapsed" });
    }
  });

  test("an authorisation whose time is over has lapsed", async () => {
    await acquirer.fail({ hold_seconds: 0 });
    const { orderId, intentId } = await authorised();
    await acquirer.fail({ hold_seconds: 604_800 });
    expect(await provider.capture({ intentId, amount: AMOUNT, step: newStep() })).toEqual({ kind: "lapsed" });
    expect(await acquirer.row(orderId)).toMatchObject({ status: "canceled", held: 0 });
  });
});

describe("a step that is refused", () => {
  test.each([
    ["pm_card_chargeDeclined", "Your card was declined."],
    ["pm_card_visa_chargeDeclined", "Your card was declined."],
    ["pm_card_chargeDeclinedInsufficientFunds", "Your card has insufficient funds."],
    ["pm_card_chargeDeclinedExpiredCard", "Your card has expired."],
    ["pm_nonsense", "No such PaymentMethod: 'pm_nonsense'"],
    [
      "pm_card_threeDSecure2Required",
      "this card asks for a confirmation that is not offered here: please use another card",
    ],
  ])("%s is declined with the provider's words, and another card is taken then", async (method, detail) => {
    const { orderId, intentId } = await opened();
    expect(await authorise(intentId, method)).toEqual({ kind: "declined", detail });
    expect(await acquirer.row(orderId)).toMatchObject({ status: "requires_payment_method", authorised: 0 });
    expect(await authorise(intentId)).toMatchObject({ kind: "authorised" });
  });

  test.each([
    [302, "Your card was declined."],
    [395, "Your card has insufficient funds."],
  ])("a good card is declined by the amount %d", async (amount, detail) => {
    expect(await authorise((await opened(amount)).intentId)).toEqual({ kind: "declined", detail });
  });

  test("the same declined step again answers the same", async () => {
    const { intentId } = await opened();
    const ask = () => authorise(intentId, "pm_card_chargeDeclined", `${intentId}:first`);
    const declined = await ask();
    expect(await ask()).toEqual(declined);
  });

  test("an amount that is too small is refused when it is opened", async () => {
    const outcome = await provider.open({ orderId: newStep(), amount: 1, currency: "eur", step: newStep() });
    expect(outcome).toMatchObject({ kind: "refused", detail: expect.stringContaining("at least") as string });
  });

  test("a refund is refused of what was never captured, and of more than was", async () => {
    const { intentId } = await authorised();
    expect(await provider.refund({ intentId, amount: AMOUNT, step: newStep() })).toMatchObject({ kind: "refused" });
    const sold = { ...(await captured()), amount: AMOUNT + 1, step: newStep() };
    expect(await provider.refund(sold)).toMatchObject({ kind: "refused" });
  });

  test("a card that chance declines", async () => {
    await acquirer.fail({ decline: 1 });
    const { intentId } = await opened();
    expect(await authorise(intentId)).toEqual({ kind: "declined", detail: "Your card was declined." });
    await acquirer.fail({ decline: 0 });
    expect(await authorise(intentId)).toMatchObject({ kind: "authorised" });
  });
});

describe("a provider in trouble", () => {
  test.each(["lost", "500"] as const)("an answer that is %s: the step asked again is done once", async (failAs) => {
    const orderId = newStep();
    const open = () => provider.open({ orderId, amount: AMOUNT, currency: "eur", step: `${orderId}:open` });
    const twice = async <Outcome extends { readonly kind: string }>(ask: () => Promise<Outcome>): Promise<Outcome> => {
      await acquirer.fail({ fail: 1, fail_as: failAs });
      expect(await ask()).toMatchObject({ kind: "unavailable" });
      await acquirer.fail({ fail: 0 });
      return await ask();
    };
    const outcome = await twice(open);
    const intentId = outcome.kind === "opened" ? outcome.intentId : "";
    expect(await twice(() => authorise(intentId, "pm_card_visa", `${orderId}:authorise`))).toMatchObject({
      kind: "authorised",
    });
    const step = (name: string) => ({ intentId, amount: AMOUNT, step: `${orderId}:${name}` });
    expect(await twice(() => provider.capture(step("capture")))).toEqual({ kind: "captured" });
    expect(await twice(() => provider.refund(step("refund")))).toEqual({ kind: "refunded" });
    const once = { authorisations: 1, captures: 1, captured: AMOUNT, refunds: 1, refunded: AMOUNT };
    expect(await acquirer.row(orderId)).toMatchObject(once);
  });

  test("the same step while it is under way", async () => {
    const { orderId, intentId } = await opened();
    await acquirer.fail({ delay_ms: 300 });
    const ask = () => authorise(intentId, "pm_card_visa", `${orderId}:authorise`);
    const outcomes = await Promise.all([ask(), ask(), ask()]);
    await acquirer.fail({ delay_ms: 0 });
    expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["authorised", "unavailable", "unavailable"]);
    expect(outcomes).toContainEqual({ kind: "unavailable", why: "the same step is still under way there" });
    expect(await acquirer.row(orderId)).toMatchObject({ authorisations: 1 });
  });

  test("the same key with other values", async () => {
    const orderId = newStep();
    const open = (amount: number) => provider.open({ orderId, amount, currency: "eur", step: orderId });
    expect(await open(AMOUNT)).toMatchObject({ kind: "opened" });
    expect(await open(AMOUNT + 1)).toEqual({
      kind: "unavailable",
      why: "this step was asked before with other values",
    });
  });

  test("a provider that is slow beyond the limit: the call ends, and the step again finds what was done", async () => {
    const { orderId, intentId } = await authorised();
    await acquirer.fail({ delay_ms: 10_500 });
    const capture = () => provider.capture({ intentId, amount: AMOUNT, step: `${orderId}:capture` });
    expect(await capture()).toEqual({ kind: "unavailable", why: "no answer in time" });
    await acquirer.fail({ delay_ms: 0 });
    await until(async () => (await acquirer.row(orderId)).captures === 1, "it is done there");
    expect(await capture()).toEqual({ kind: "captured" });
    expect(await acquirer.row(orderId)).toMatchObject({ captures: 1, captured: AMOUNT });
  });

  test("a provider that is down", async () => {
    const down = providerAt(`http://127.0.0.1:${freePort()}`);
    expect(await down.capture({ intentId: "pi_1", amount: 1, step: newStep() })).toEqual({
      kind: "unavailable",
      why: "no answer that can be read",
    });
  });

  test("an intent that it does not know", async () => {
    const asked = { intentId: "pi_unknown", amount: AMOUNT, method: "pm_card_visa", step: newStep() };
    for (const ask of ["authorise", "capture", "void"] as const) {
      expect(await provider[ask]({ ...asked, step: newStep() })).toMatchObject({ kind: "unavailable" });
    }
    expect(await provider.refund(asked)).toMatchObject({ kind: "refused" });
  });

  test("a wrong key is said without the key", async () => {
    const outcome = await providerAt(acquirer.url).void({ intentId: "pi_1", step: newStep() });
    expect(outcome).toEqual({ kind: "unavailable", why: "it does not accept STRIPE_SECRET_KEY" });
  });
});
