/**
 * Owns how a refused order request becomes an answer: one table from refusal to problem.
 *
 * **Invariants**
 * - An answer names the faulty field where there is one, and says what to do.
 * - It has the headers of the rate limit where the request was counted.
 */
import { MAX_HELD_PER_ORDER } from "../limits/wait-limit.ts";
import type { Limiter } from "../limits/limiter.ts";
import type { ShopRefusal } from "../orders/admission.ts";
import { MAX_SCHEDULED_DAYS } from "../orders/status.ts";
import { invalidInput, problem, type ProblemName } from "../problem.ts";
import type { OrderRefusal } from "../service/caller.ts";
import { answerClosing } from "./answers.ts";

type Headers = Readonly<Record<string, string>>;

/** When to ask again, in seconds: a shop opens seldom, and has room again when the next order is finished. */
const CLOSED_SECONDS = 60;
const FULL_SECONDS = 10;
const WAIT_REJECTION_SECONDS = 5;

/** Not thrown: a flood is refused here, and an error costs more than an answer. */
export function answerRefusal(refusal: OrderRefusal, limiter: Pick<Limiter, "headers">): Response {
  const limits = refusal.limit && limiter.headers(refusal.limit);
  switch (refusal.kind) {
    case "closing":
      return answerClosing();
    case "damaged":
      return problem("order_damaged");
    case "denied": {
      const detail = `Your address orders too fast: try again in ${limits?.["Retry-After"]} s.`;
      return problem("too_many_orders", { detail, headers: limits });
    }
    case "mismatch":
      return problem("idempotency_mismatch", { headers: limits });
    case "too_many_held":
    case "room_full":
      return problem(refusal.kind, { headers: { ...limits, "Retry-After": String(WAIT_REJECTION_SECONDS) } });
    case "too_many_for_order":
      return problem("too_many_held", {
        detail: `${MAX_HELD_PER_ORDER} requests wait for this order already: let some end, or look without waiting.`,
        headers: { ...limits, "Retry-After": String(WAIT_REJECTION_SECONDS) },
      });
    case "refused":
      return answerShopRefusal(refusal, limits);
  }
}

/** The problems that `answerShopRefusal` can answer with, beside invalid_input. */
export const SHOP_PROBLEMS = [
  "shop_closed",
  "shop_full",
  "too_many_open",
  "code_used_up",
] as const satisfies readonly ProblemName[];

/** `limits` go into every answer. */
export function answerShopRefusal({ why, subject }: Omit<ShopRefusal, "kind">, limits: Headers = {}): Response {
  switch (why) {
    case "closed":
      return problem("shop_closed", {
        headers: { ...limits, "Retry-After": String(CLOSED_SECONDS) },
      });
    case "full":
      return problem("shop_full", {
        headers: { ...limits, "Retry-After": String(FULL_SECONDS) },
      });
    case "too_many_open":
      return problem("too_many_open", {
        headers: limits,
      });
    case "code_required":
      return problem("code_required", { headers: limits });
    case "code_used_up":
      return problem("code_used_up", { headers: limits });
    case "unknown_item":
      return faulty("item", `must be on the menu (GET /coffees): ${subject} is not`, limits);
    case "unavailable_item":
      return faulty("item", `must be available: there is no ${subject} now`, limits);
    case "unknown_modifier":
      return faulty(`modifiers.${subject}`, "is none of this coffee's modifiers (GET /coffees)", limits);
    case "unknown_option":
      return faulty(`modifiers.${subject}`, "must be one of its options (GET /coffees)", limits);
    case "not_before_past":
      return faulty("not_before", "must be in the future: leave it out to have the order queued at once", limits);
    case "not_before_far":
      return faulty("not_before", `must be at most ${MAX_SCHEDULED_DAYS} days ahead`, limits);
    case "queue_unknown":
      return problem("queue_unknown");
    case "queue_full":
      return problem("queue_full", { headers: { ...limits, "Retry-After": String(FULL_SECONDS) } });
    case "code_wrong":
      return faulty("code", "must be the current one: scan the board again", limits);
  }
}

function faulty(field: string, detail: string, headers: Headers): Response {
  return invalidInput([{ field, detail }], headers);
}
