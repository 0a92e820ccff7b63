/**
 * Owns what the test acquirer answers: a status and a body, what it changed, and its refusals in Stripe's words.
 *
 * **Invariants**
 * - A question that can't be read changes nothing, and is not kept under its idempotency key.
 */
import type { Intent } from "./intent.ts";
import { intentJson, type EventType, type Json } from "./wire.ts";

export interface Answer {
  readonly status: number;
  readonly body: Json;
  /** The intent as it is now, where it was changed, and the event that webhooks carry. */
  readonly changed?: { readonly intent: Intent; readonly event?: EventType };
  /** It was not begun: the same key may be asked again with other values. */
  readonly isUnread?: boolean;
}

interface Fault {
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
}

export function refuse(status: number, fault: Fault, type = "invalid_request_error"): Answer {
  return { status, body: { error: { type, ...fault } } };
}

/** 400 for what can't be read. */
export function unread(fault: Fault): Answer {
  return { ...refuse(400, fault), isUnread: true };
}

export function unknownIntent(id: string): Answer {
  const message = `No such payment_intent: '${id}'`;
  return { ...refuse(404, { code: "resource_missing", message, param: "intent" }), isUnread: true };
}

/** 400 for a step that its state does not take. */
export function wrongState(intent: Intent, message: string): Answer {
  const error = { code: "payment_intent_unexpected_state", message, payment_intent: intentJson(intent) };
  return { status: 400, body: { error: { type: "invalid_request_error", ...error } } };
}
