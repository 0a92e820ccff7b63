/**
 * Owns the parameters that routes of both ports share.
 *
 * **Invariants**
 * - Each has a description: it is what a client reads when the parameter is faulty.
 */
import { Type } from "@sinclair/typebox";

export const OrderId = Type.String({ format: "uuid", description: "the order's UUID" });

/** Of a path. */
export const OrderParams = Type.Object({ id: OrderId });
