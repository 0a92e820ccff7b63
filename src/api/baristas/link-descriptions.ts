/**
 * Owns what the routes of finish links take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - They are described as open: the link in the path is all they ask for.
 */
import { Type } from "@sinclair/typebox";
import { documented } from "../../http/documented.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { BREWING_EXAMPLE, Order, QUEUED_EXAMPLE, READY_EXAMPLE } from "../../orders/order.ts";
import { FailureDraft } from "../../orders/views.ts";
import { Result } from "./order-descriptions.ts";

const params = Type.Object({
  // (All else is a link that was altered: 403.)
  link: Type.String({
    pattern: "^[\\w-]+\\.[\\w-]+$",
    description: "of the `finish_url` or `fail_url` that came with an order",
  }),
});

const PROBLEMS = ["link_forged", "too_many_tokens", "order_unknown", "redis_away"] as const;

function look(operationId: string) {
  return documented({
    params,
    tag: "Orders",
    operationId,
    isOpen: true,
    summary: "See what a finish link is for",
    description: "The order as it is now. Looking changes nothing.",
    answers: { 200: { description: "The order.", schema: Order, example: BREWING_EXAMPLE } },
    problems: PROBLEMS,
  });
}

export const LOOK_BY_LINK = { finish: look("findByFinishLink"), fail: look("findByFailLink") };

export const FINISH_BY_LINK = documented({
  params,
  body: { schema: Result, required: false },
  tag: "Orders",
  operationId: "finishByLink",
  isOpen: true,
  summary: "Finish an order by its link",
  description:
    "As a finish, without the staff token: the link is good for the start that it came with. " +
    "Used again it answers the same. Once another barista has the order: 409.",
  answers: { 200: { description: "The order is ready.", schema: Order, example: READY_EXAMPLE } },
  problems: [...PROBLEMS, "order_conflict", ...BODY_PROBLEMS],
});

export const FAIL_BY_LINK = documented({
  params,
  body: { schema: FailureDraft, required: true },
  tag: "Orders",
  operationId: "failByLink",
  isOpen: true,
  summary: "Say by its link that an order can't be made",
  description: "As a fail, without the staff token. The same again answers the same, until a barista has the order.",
  answers: {
    200: {
      description: "The order is queued again, or cancelled: `status` says which.",
      schema: Order,
      example: { ...QUEUED_EXAMPLE, attempts: 1, error: "the grinder is jammed" },
    },
  },
  problems: [...PROBLEMS, "order_conflict", ...BODY_PROBLEMS],
});
