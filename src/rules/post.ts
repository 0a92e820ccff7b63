/**
 * Owns how a rule posts to a webhook: with the trace that the event is part of, and what that makes of the delivery.
 *
 * **Invariants**
 * - A target that wants no more ends the rule, or makes a dead letter where others have targets of their own.
 */
import { traceparentIn } from "../traceparent.ts";
import type { WebhookMessage, WebhookSender, WebhookTarget } from "../webhooks/sender.ts";
import type { DeliveryOutcome } from "./rule.ts";

interface Posting {
  readonly sender: WebhookSender;
  readonly target: WebhookTarget;
  readonly message: Pick<WebhookMessage, "id" | "body">;
  /** The event's `data`. */
  readonly data: string;
  readonly signal: AbortSignal;
  /** What becomes of it where the target wants no more. */
  readonly gone: "ended" | "dead";
}

/** Tries once. Throws only where `signal` is aborted. */
export async function post({ sender, target, message, data, signal, gone }: Posting): Promise<DeliveryOutcome> {
  const traceparent = traceparentIn(data);
  const headers = traceparent === undefined ? undefined : { traceparent };
  const outcome = await sender.send(target, { ...message, headers }, signal);
  switch (outcome.kind) {
    case "delivered":
      return { kind: "delivered" };
    case "gone":
      return { kind: gone, why: "it answered 410: it wants no more" };
    case "forbidden":
      return { kind: "dead", why: outcome.why };
    case "failed":
    case "held":
      return outcome;
  }
}
