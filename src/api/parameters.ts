/**
 * Owns the parameters that routes of both ports share.
 *
 * **Invariants**
 * - Each has a description: it is what a client reads when the parameter is faulty.
 */
import { Type } from "@sinclair/typebox";
import { createParamsReader } from "../http/input.ts";
import { wholeNumber } from "../numeric.ts";

export const OrderId = Type.String({ format: "uuid", description: "the order's UUID" });

/** How many a page has at most, and where it is not said. */
export const PageLimit = wholeNumber(1, 200);
export const PAGE_LIMIT = 50;

/** Of a list of orders. */
export const Cursor = Type.String({ format: "uuid", description: "the `cursor` of the page before" });

/** Of a path. */
export const OrderParams = Type.Object({ id: OrderId });

/** The request of a route whose path names one thing. */
export interface PathContext {
  readonly request: Request;
  readonly params: { readonly id: string };
}

const readParams = createParamsReader(OrderParams);

/** The order that a path names, as orders are named: in lower case. Throws a ProblemError. */
export function readOrderId(params: PathContext["params"]): string {
  return readParams(params).id.toLowerCase();
}
