/** A module for MACHINES: at an order's first attempt its machine hangs, if the input says so. */
import { Type } from "@sinclair/typebox";
import { defineMachine } from "../../../src/machines/machine.ts";

export const gated = defineMachine({
  queue: "gated",
  input: Type.Object({ waits: Type.Boolean() }),
  output: Type.Object({ attempts: Type.Integer() }),
  make: async ({ waits }, { order }) => {
    if (waits && order.attempts === 1) await new Promise(() => {});
    return { attempts: order.attempts };
  },
});
