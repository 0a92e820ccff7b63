/**
 * Owns the customers' routes of a payment: pay by card, look; and the provider's webhooks.
 *
 * **Invariants**
 * - No client says an amount: it is the order's price.
 * - A webhook is let in by its signature alone, and changes nothing itself.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { documented } from "../../http/documented.ts";
import { BODY_PROBLEMS, createBodyReader, createTextReader, missingBody } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { Payment, PAYMENT_EXAMPLE } from "../../orders/payment.ts";
import type { Payments } from "../../orders/payments.ts";
import type { Paying } from "../../payments/paying.ts";
import { problem } from "../../problem.ts";
import { OrderId, OrderParams } from "../parameters.ts";
import { answerPaid, createFindPayment, createPay, PaymentMethod } from "../payments.ts";

const WEBHOOK_BYTES = 256 * 1024;

const PaymentDraft = Type.Object(
  {
    order_id: OrderId,
    method: Type.Optional(PaymentMethod),
  },
  {
    $id: "PaymentDraft",
    additionalProperties: false,
    description: "an object with `order_id` and `method`",
    examples: [{ order_id: PAYMENT_EXAMPLE.order_id, method: "pm_card_visa" }],
  },
);

export interface PaymentDependencies {
  readonly payments: Pick<Payments, "find">;
  readonly paying: Paying;
}

export function paymentRoutes(dependencies: PaymentDependencies) {
  return new Elysia()
    .post("/payment", createPost(dependencies), PAY_ORDER)
    .get("/payment/:id", createFindPayment(dependencies.payments), FIND_PAYMENT)
    .post("/payment/webhook", createHear(dependencies), HEAR_WEBHOOK);
}

function createPost({ payments, paying }: PaymentDependencies) {
  const readDraft = createBodyReader(PaymentDraft);
  const pay = createPay(payments, paying);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const draft = await readDraft(request);
    if (!draft) throw missingBody(PaymentDraft.description);
    return answerPaid(await pay(draft.order_id.toLowerCase(), draft.method));
  };
}

function createHear({ paying }: PaymentDependencies) {
  const readWebhook = createTextReader(WEBHOOK_BYTES);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const body = (await readWebhook(request)) ?? "";
    const outcome = await paying.hear(body, request.headers.get("stripe-signature"));
    if (outcome.kind === "heard") return answerJson('{"received":true}');
    return outcome.kind === "forged" ? problem("webhook_forged") : problem("no_cards");
  };
}

const PAY_ORDER = documented({
  tag: "Payments",
  operationId: "payOrder",
  summary: "Pay an order by card",
  description:
    "The amount is the order's price. It is held until the order is ready, and taken then; if the order is cancelled, nothing is taken. " +
    "A customer who waits for the order is held through it all.",
  body: { schema: PaymentDraft, required: true },
  answers: {
    200: { description: "The amount is held: the order is queued.", schema: Payment },
    202: {
      description:
        "The provider has not answered: it is asked on until the time to pay is over. Look again, or listen.",
      schema: Payment,
      example: {
        ...withoutHold(),
        status: "PAYMENT_PENDING",
        expires_at: "2026-11-20T09:40:00.120Z",
        is_under_way: true,
      },
    },
  },
  problems: [
    "cross_site",
    ...BODY_PROBLEMS,
    "payment_declined",
    "payment_unknown",
    "payment_conflict",
    "no_cards",
    "redis_away",
  ],
});

function withoutHold(): Omit<typeof PAYMENT_EXAMPLE, "authorised_at" | "capture_before"> {
  const { authorised_at: _, capture_before: __, ...pending } = PAYMENT_EXAMPLE;
  return pending;
}

const FIND_PAYMENT = documented({
  params: OrderParams,
  tag: "Payments",
  operationId: "findPayment",
  summary: "Look at a payment",
  description: "A payment has its order's id.",
  answers: { 200: { description: "The payment as it is now.", schema: Payment } },
  problems: ["payment_unknown", "invalid_input", "redis_away"],
});

const HEAR_WEBHOOK = documented({
  tag: "Payments",
  operationId: "hearWebhook",
  summary: "Webhooks of the provider of payments",
  description: "For the provider alone, by its signature (Stripe-Signature). The payment that it names is looked at.",
  answers: {
    200: {
      description: "It is heard; once more changes nothing.",
      schema: Type.Object({ received: Type.Boolean() }, { $id: "Received", examples: [{ received: true }] }),
    },
  },
  problems: ["cross_site", "body_too_large", "malformed_json", "webhook_forged", "no_cards", "redis_away", "closing"],
});
