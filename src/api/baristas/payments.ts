/**
 * Owns the baristas' routes of payments: look, search, money taken at the counter, money given back.
 *
 * **Invariants**
 * - A page is bounded, and a search changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { BODY_PROBLEMS, createBodyReader, createQueryReader, missingBody } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { Payment, PAYMENT_EXAMPLE, PaymentStatus, type PaymentJson } from "../../orders/payment.ts";
import type { Payments } from "../../orders/payments.ts";
import { InvalidInputError } from "../../problem.ts";
import { CURSOR_GONE } from "../answers.ts";
import { readRange } from "../day.ts";
import { Cursor, OrderId, OrderParams, PAGE_LIMIT, PageLimit, readOrderId, type PathContext } from "../parameters.ts";
import { answerPaymentChange, createFindPayment, RefundReason } from "../payments.ts";
import { BaristaName } from "./order-descriptions.ts";

const SearchQuery = Type.Object({
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  order_id: Type.Optional(OrderId),
  status: Type.Optional(PaymentStatus),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

const PatchQuery = Type.Object({ barista: Type.Optional(BaristaName) });

const PaymentPage = Type.Object(
  {
    payments: Type.Array(Payment),
    cursor: Type.Union([Type.String(), Type.Null()], { description: "goes on after this page; null on the last one" }),
  },
  { $id: "PaymentPage", examples: [{ payments: [PAYMENT_EXAMPLE], cursor: null }] },
);

const PaymentPatch = Type.Object(
  {
    status: Type.Union([Type.Literal("PAYMENT_SUCCESSFUL"), Type.Literal("PAYMENT_REFUNDED")], {
      description: "one of PAYMENT_SUCCESSFUL, PAYMENT_REFUNDED",
    }),
    reason: Type.Optional(RefundReason),
  },
  {
    $id: "PaymentPatch",
    additionalProperties: false,
    description: "an object with `status`, and `reason` of a refund",
    examples: [{ status: "PAYMENT_SUCCESSFUL" }],
  },
);

export interface PaymentDependencies {
  readonly payments: Pick<Payments, "find" | "search" | "take" | "refund">;
}

export function paymentRoutes(dependencies: PaymentDependencies) {
  return new Elysia()
    .get("/payment", createSearch(dependencies), SEARCH_PAYMENTS)
    .get("/payment/:id", createFindPayment(dependencies.payments), FIND_PAYMENT)
    .patch("/payment/:id", createChange(dependencies), CHANGE_PAYMENT);
}

function createSearch({ payments }: PaymentDependencies) {
  const readSearch = createQueryReader(SearchQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const { date, order_id: orderId, status, cursor, limit = PAGE_LIMIT } = readSearch(request);
    if (orderId !== undefined) {
      const found = await payments.find(orderId.toLowerCase());
      return answerPage(found.kind === "found" && isOf(found.payment, { date, status }) ? [found.payment] : []);
    }
    const outcome = await payments.search({ status, ...readRange({ date }), cursor, limit });
    if (outcome.kind === "cursor_gone") throw new InvalidInputError([CURSOR_GONE]);
    return answerPage(outcome.payments, outcome.cursor);
  };
}

interface Filter {
  readonly date: string | undefined;
  readonly status: PaymentStatus | undefined;
}

function isOf(json: PaymentJson, { date, status }: Filter): boolean {
  const payment = JSON.parse(json) as Payment;
  return (date === undefined || payment.created_at.startsWith(date)) && (status ?? payment.status) === payment.status;
}

function answerPage(payments: readonly PaymentJson[], cursor?: string): Response {
  return answerJson(`{"payments":[${payments.join()}],"cursor":${JSON.stringify(cursor ?? null)}}`);
}

function createChange({ payments }: PaymentDependencies) {
  const readQuery = createQueryReader(PatchQuery);
  const readPatch = createBodyReader(PaymentPatch);

  return async ({ params, request }: PathContext): Promise<Response> => {
    const orderId = readOrderId(params);
    const { barista } = readQuery(request);
    const patch = await readPatch(request);
    if (!patch) throw missingBody(PaymentPatch.description);
    const { status, reason } = patch;
    if (status === "PAYMENT_SUCCESSFUL") return answerPaymentChange(await payments.take({ orderId, barista }));
    if (reason === undefined) {
      throw new InvalidInputError([{ field: "reason", detail: "is missing: say why the money is given back" }]);
    }
    return answerPaymentChange(await payments.refund({ orderId, reason, barista }));
  };
}

const SEARCH_PAYMENTS = documented({
  query: SearchQuery,
  tag: "Payments",
  operationId: "searchPayments",
  summary: "Search payments",
  description: "Those of a day, by the time they were created, oldest first; or that of one order.",
  answers: { 200: { description: "A page of payments.", schema: PaymentPage } },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});

const FIND_PAYMENT = documented({
  params: OrderParams,
  tag: "Payments",
  operationId: "findPayment",
  summary: "Look at a payment",
  description: "A payment has its order's id.",
  answers: { 200: { description: "The payment as it is now.", schema: Payment } },
  problems: ["unauthorized", "payment_unknown", "invalid_input", "redis_away"],
});

const CHANGE_PAYMENT = documented({
  params: OrderParams,
  query: PatchQuery,
  body: { schema: PaymentPatch, required: true },
  tag: "Payments",
  operationId: "changePayment",
  summary: "Take the money at the counter, or give it back",
  description:
    "`PAYMENT_SUCCESSFUL`: the money of an order that is paid at the counter was taken; the order is queued. `PAYMENT_REFUNDED`, with " +
    "`reason`: the money of an order that is over is given back: at the counter at once; by card once the provider has done so. " +
    "The same again answers the same.",
  answers: { 200: { description: "It is changed, or being refunded.", schema: Payment } },
  problems: ["unauthorized", "payment_unknown", "payment_conflict", ...BODY_PROBLEMS, "redis_away"],
});
