/**
 * Owns what the work service takes: how far to add up, and the code that its row is found by.
 *
 * **Invariants**
 * - Every sum of what it takes is exact.
 */
import { Type } from "@sinclair/typebox";
import { wholeNumber } from "../numeric.ts";

/** The queue of the work service. */
export const WORK_QUEUE = "work";

/** A millisecond or two of adding. (Sums would be exact up to 134,217,727.) */
const MAX_ADD_UP_TO = 1_000_000;

const AddUpTo = wholeNumber(1, MAX_ADD_UP_TO, { examples: [10] });

export const WorkCode = Type.String({
  pattern: "^[A-Za-z0-9_-]{1,64}$",
  description: "1 to 64 letters, digits, _ or -",
  examples: ["api-x4v09tq2mk"],
});

const OPTIONAL = {
  work_code: Type.Optional(WorkCode),
  done: Type.Optional(Type.Boolean({ description: "true or false; it is ignored" })),
};

/** The input of an order in queue `work`. */
export const WorkInput = Type.Object(
  { add_up_to: AddUpTo, ...OPTIONAL },
  { additionalProperties: false, description: "an object with `add_up_to`", examples: [{ add_up_to: 10 }] },
);

/** The body of `POST /work`. */
export const WorkDraft = Type.Object(
  { add_up_to: Type.Optional(AddUpTo), ...OPTIONAL },
  { $id: "WorkDraft", additionalProperties: false, description: "an object", examples: [{ add_up_to: 10 }] },
);
