/** A module for MACHINES: the squares' machine, inside each replica. */
import { Type } from "@sinclair/typebox";
import { defineMachine } from "../../../src/machines/machine.ts";
import { makeSquare } from "./makings.ts";

export const squares = defineMachine({
  queue: "squares",
  input: Type.Object({ n: Type.Integer() }),
  output: Type.Object({ n: Type.Integer(), square: Type.Integer() }),
  make: (input, { order }) => makeSquare("machine", order.order_id, input),
});
