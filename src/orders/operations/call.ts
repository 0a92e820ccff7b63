/** Owns the operation that queues a new order in a queue of machines (`redis/operations/call.lua`). */
import type { Operation } from "../../redis/operation.ts";
import { encodeDue, hashOfJson, inFixedOrder, inUtc } from "../draft.ts";
import { readPlaced, type PlaceOutcome } from "./place.ts";

/** A new order for machines. `orderId` (UUIDv7) is made by the caller: calling with the same id changes nothing. */
export interface Call {
  readonly orderId: string;
  readonly queue: string;
  /** What it is for: JSON in one line. */
  readonly input: string;
  /** Not to be queued before: RFC 3339. */
  readonly notBefore?: string | undefined;
  /** Where it is posted once it is final. */
  readonly callbackUrl?: string | undefined;
  /** What the order can be found by in its queue: 1 to 64 letters, digits, _ or -. */
  readonly label?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** The bucket that it takes a token of; undefined: no limit. */
  readonly bucket?: string | undefined;
  /** The replica that holds its customer; undefined: none does. */
  readonly holder?: string | undefined;
  /** The trace that it is part of, as `traceparent` spells it: kept with the order; undefined: it is not traced. */
  readonly traceparent?: string | undefined;
}

type Field =
  | "order_id"
  | "queue"
  | "input"
  | "bucket"
  | "holder"
  | "details"
  | "idempotency_key"
  | "body_hash"
  | "due"
  | "label";

export const call: Operation<Call, PlaceOutcome, Field> = {
  name: "call",
  fields: ["order_id", "queue", "input", "bucket", "holder", "details", "idempotency_key", "body_hash", "due", "label"],
  optional: 5,
  encode: ({ orderId, queue, input, label = "", idempotencyKey = "", bucket = "", holder = "", ...more }) => ({
    order_id: orderId,
    queue,
    input,
    bucket,
    holder,
    details: encodeMore(more),
    idempotency_key: idempotencyKey,
    body_hash: idempotencyKey && hashOfCall({ queue, input, ...more }),
    due: encodeDue(more.notBefore),
    label,
  }),
  decode: (outcome, rest, { orderId }) => readPlaced(outcome, rest, orderId),
};

function encodeMore({
  notBefore,
  callbackUrl,
  traceparent,
}: Pick<Call, "notBefore" | "callbackUrl" | "traceparent">): string {
  if (notBefore === undefined && callbackUrl === undefined && traceparent === undefined) return "";
  // (A retry leaves `not_before` out: it looks for it at the end.)
  return JSON.stringify({ traceparent, callback_url: callbackUrl, not_before: inUtc(notBefore) });
}

/** (A call that every version takes has the hash that every version gives it. Its trace is no part of it.) */
function hashOfCall({ queue, input, notBefore, callbackUrl }: Omit<Call, "orderId">): string {
  const called = callbackUrl === undefined ? [] : [callbackUrl];
  return hashOfJson(JSON.stringify([queue, inFixedOrder(input), encodeDue(notBefore), ...called]));
}
