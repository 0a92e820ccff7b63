/** Owns the operation that adds a machine's own event to those of a brewing order (`redis/operations/note.lua`). */
import { findBrokenText, writeJson } from "../../any-json.ts";
import { OWN_EVENT_TYPE } from "../../formats.ts";
import type { Operation } from "../../redis/operation.ts";
import { encodeBarista, readRefusal, type Change, type Refusal } from "../outcomes.ts";

const MAX_DATA_CHARACTERS = 1000;
const TYPE = new RegExp(`^${OWN_EVENT_TYPE}$`);

export interface Note extends Change {
  /** The event's type: two words with a slash between, as `compute/start`. */
  readonly event: string;
  /** What it says: it stands in the event as `data`, and may have 1,000 characters as JSON. */
  readonly data: Readonly<Record<string, unknown>>;
}

export type NoteOutcome = { readonly kind: "noted" } | Refusal;

export const note: Operation<Note, NoteOutcome, "order_id" | "barista" | "event" | "data"> = {
  name: "note",
  fields: ["order_id", "barista", "event", "data"],
  encode: ({ orderId, barista, event, data }) => ({
    order_id: orderId,
    barista: encodeBarista(barista),
    event: checkType(event),
    data: encodeData(data),
  }),
  decode: (outcome, rest) => (outcome === "noted" ? { kind: outcome } : readRefusal(outcome, rest)),
};

function checkType(event: string): string {
  if (TYPE.test(event)) return event;
  throw new RangeError("an event's type must be two words with a slash between, such as compute/start");
}

function encodeData(data: unknown): string {
  const json = typeof data === "object" && data !== null ? writeJson(data) : undefined;
  if (json === undefined) throw new RangeError("an event's data must be an object that JSON can hold");
  if (json.length > MAX_DATA_CHARACTERS) {
    throw new RangeError(`an event's data must be at most ${MAX_DATA_CHARACTERS} characters of JSON`);
  }
  if (findBrokenText(json, JSON.parse(json)).length > 0) {
    throw new RangeError("an event's data must be Unicode text: half of a character stands alone in it");
  }
  return json;
}
