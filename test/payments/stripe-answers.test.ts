/** What a provider answers that is no clear answer, and webhooks that are none of its own. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { sign } from "../../src/cli/acquirer/webhooks.ts";
import { StripeProvider } from "../../src/payments/stripe.ts";

setDefaultTimeout(60_000);

const SECRET_KEY = "sk_test_very_secret_of_the_tests";
const WEBHOOK_SECRET = "whsec_of_the_tests";

/** Answers the next requests so, in turn; the last one for ever. */
let answers: (() => Response)[] = [];
const asked: { readonly path: string; readonly key: string | null; readonly bearer: string | null }[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => {
    const { headers } = request;
    asked.push({
      path: new URL(request.url).pathname,
      key: headers.get("idempotency-key"),
      bearer: headers.get("authorization"),
    });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer?.() ?? new Response(null, { status: 404 });
  },
});
afterAll(() => server.stop(true));

const provider = new StripeProvider({
  name: "stripe",
  publishableKey: "pk_test",
  secretKey: SECRET_KEY,
  webhookSecret: WEBHOOK_SECRET,
  apiUrl: server.url.href,
});

const STEP = { intentId: "pi_1", amount: 350, method: "pm_card_visa", step: "one-step" };

/** What each step of the port makes of these answers. */
async function eachStep(...given: (() => Response)[]): Promise<object[]> {
  const outcomes: object[] = [];
  for (const ask of [
    () => provider.open({ orderId: "1", amount: 350, currency: "eur", step: "one-step" }),
    () => provider.authorise(STEP),
    () => provider.capture(STEP),
    () => provider.void(STEP),
    () => provider.refund(STEP),
  ]) {
    answers = [...given];
    outcomes.push(await ask());
  }
  return outcomes;
}

test("the library is loaded by the first call, and not before", async () => {
  const script = `
    const { StripeProvider } = await import(${JSON.stringify(join(import.meta.dir, "../../src/payments/stripe.ts"))});
    const loaded = () => Object.keys(require.cache).some((path) => path.includes("node_modules/stripe/"));
    const account = { secretKey: "sk_test", webhookSecret: "whsec", apiUrl: "http://127.0.0.1:1" };
    const provider = new StripeProvider({ name: "test", publishableKey: null, ...account });
    const before = loaded();
    await provider.readWebhook("", null);
    console.log(before, loaded());
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe" });
  expect(await child.stdout.text()).toBe("false true\n");
});

const json = (body: unknown, init: ResponseInit = {}) => new Response(JSON.stringify(body), init);

describe("an answer that is none: each step is unavailable, and asked once", () => {
  test.each([
    ["nothing", () => new Response("")],
    ["a page", () => new Response("<html>Bad gateway</html>", { status: 502 })],
    ["half of its JSON", () => new Response('{"id":"pi_1","status":"succ')],
    ["a JSON text", () => json("succeeded")],
    ["a number", () => json(5)],
    ["null", () => json(null)],
    ["a list", () => json([{ id: "pi_1", status: "succeeded" }])],
    ["an empty object", () => json({})],
    ["a status that nobody knows", () => json({ id: 7, status: "sold" })],
    ["a hold of no amount", () => json({ id: 7, status: "requires_capture" })],
    ["an error that is a number", () => json({ error: 5 }, { status: 400 })],
    ["an error that is a text", () => json({ error: "invalid" }, { status: 400 })],
    ["an error without anything", () => json({ error: {} }, { status: 418 })],
    ["an endless body", () => new Response("x".repeat(2_000_000))],
    ["a redirect", () => Response.redirect(new URL("/elsewhere", server.url).href, 307)],
    ["a connection that ends", () => new Response("{", { headers: { "content-length": "10" }, status: 200 })],
  ])("%s", async (_name, answer) => {
    asked.length = 0;
    for (const outcome of await eachStep(answer)) {
      expect(outcome).toEqual({ kind: "unavailable", why: expect.any(String) as string });
      expect(JSON.stringify(outcome)).not.toContain(SECRET_KEY);
    }
    expect(asked).toHaveLength(5);
    expect(asked.every(({ key, bearer }) => key === "one-step" && bearer === `Bearer ${SECRET_KEY}`)).toBeTrue();
  });

  test.each([
    [429, "it has too many requests"],
    [503, "it answers 503"],
  ])("%d says how long to leave it alone", async (status, why) => {
    const answer = () => json({ error: { message: "later" } }, { status, headers: { "retry-after": "7" } });
    for (const outcome of await eachStep(answer)) {
      expect(outcome).toEqual({ kind: "unavailable", why, retryAfterMs: 7000 });
    }
  });

  test("a refusal that repeats the key does not carry it further", async () => {
    const error = { type: "invalid_request_error", message: `The key ${SECRET_KEY} may not do this.` };
    for (const outcome of await eachStep(() => json({ error }, { status: 400 }))) {
      expect(JSON.stringify(outcome)).toContain("The key *** may not do this.");
    }
  });
});

describe("an error that is kept under the step's key", () => {
  const kept = () =>
    json({ error: { type: "api_error" } }, { status: 500, headers: { "idempotent-replayed": "true" } });
  const intent = (status: string, refunded = 0) =>
    json({ id: "pi_1", status, amount_capturable: 350, latest_charge: { amount_refunded: refunded } });

  test("the intent says what came of it", async () => {
    answers = [kept, () => intent("requires_capture")];
    expect(await provider.authorise(STEP)).toMatchObject({ kind: "authorised" });
    answers = [kept, () => intent("succeeded")];
    expect(await provider.capture(STEP)).toEqual({ kind: "captured" });
    answers = [kept, () => intent("canceled")];
    expect(await provider.void(STEP)).toEqual({ kind: "voided" });
    answers = [kept, () => intent("succeeded", STEP.amount)];
    expect(await provider.refund(STEP)).toEqual({ kind: "refunded" });
  });

  test("where nothing came of it, nothing is claimed", async () => {
    answers = [kept, () => intent("requires_capture")];
    expect(await provider.capture(STEP)).toEqual({
      kind: "unavailable",
      why: "the payment is requires_capture there",
    });
    answers = [kept, () => intent("succeeded")];
    expect(await provider.refund(STEP)).toMatchObject({ kind: "unavailable" });
    answers = [kept, kept];
    expect(await provider.capture(STEP)).toMatchObject({ kind: "unavailable" });
  });
});

test.each([
  ["as a state of the intent", () => json({ id: "pi_1", status: "requires_action" })],
  [
    "as an error of the card",
    () => json({ error: { type: "card_error", code: "authentication_required", message: "Ask" } }, { status: 402 }),
  ],
])("a confirmation by the card's owner counts as declined, where it is said %s", async (_how, answer) => {
  answers = [answer];
  const detail = expect.stringContaining("confirmation that is not offered here") as string;
  expect(await provider.authorise(STEP)).toEqual({ kind: "declined", detail });
});

describe("a webhook", () => {
  const body = JSON.stringify({ object: "event", data: { object: { metadata: { order_id: "order-1" } } } });
  const now = () => Math.floor(Date.now() / 1000);

  test("that is signed says which order it is about, where it is one of ours", async () => {
    expect(await provider.readWebhook(body, sign(body, WEBHOOK_SECRET))).toEqual({ kind: "told", orderId: "order-1" });
    const other = JSON.stringify({ object: "event", data: { object: {} } });
    expect(await provider.readWebhook(other, sign(other, WEBHOOK_SECRET))).toEqual({ kind: "told", orderId: null });
  });

  test.each([
    ["without a signature", () => null],
    ["with nonsense for a signature", () => "nonsense"],
    ["signed with another secret", () => sign(body, "whsec_other")],
    ["signed for another body", () => sign(`${body} `, WEBHOOK_SECRET)],
    ["signed six minutes ago", () => sign(body, WEBHOOK_SECRET, now() - 360)],
  ])("%s is forged", async (_name, signature) => {
    const reading = await provider.readWebhook(body, signature());
    expect(reading).toEqual({ kind: "forged", why: expect.any(String) as string });
    expect(JSON.stringify(reading)).not.toMatch(/whsec|order-1|\\n/);
  });

  test.each(["", "nonsense", "null", "5", "{}", '{"data":null}', '{"data":{"object":null}}'])(
    "of the body %p is forged, even if it is signed",
    async (text) => {
      expect(await provider.readWebhook(text, sign(text, WEBHOOK_SECRET))).toMatchObject({ kind: "forged" });
    },
  );
});
