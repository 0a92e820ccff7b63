/** Events of a machine's own, in a server: where they stand, and what may not be one. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { defineMachine, type MakeContext } from "../../src/machines/machine.ts";
import { EventClient } from "../events/client.ts";
import { call, MachineServer, orderOf } from "../support/machines.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const defineNoting = (make: (context: MakeContext) => Promise<unknown>) =>
  defineMachine({
    queue: "noting",
    input: Type.Any(),
    output: Type.Any(),
    make: async (_input, context) => await make(context),
  });

test("one stands between the order's start and its end; of its type alone it can be listened to", async () => {
  const machine = defineNoting(async ({ note }) => {
    await note("press/heat", { degrees: 93 });
    return "pressed";
  });
  await using server = await MachineServer.open({ machines: [machine] });
  const listener = await EventClient.open(`${server.baristas}/events?type=press/heat,order.finished`);
  const { order_id } = orderOf(await call(server, "noting", 1));
  await until(() => listener.events.length === 2, "both came");
  expect(listener.types).toEqual(["press/heat", "order.finished"]);
  expect(listener.events[0]?.data).toMatchObject({ order_id, status: "brewing", data: { degrees: 93 } });
});

test.each([
  ["of a wrong type", ({ note }: MakeContext) => note("order.finished", {}), "two words with a slash"],
  ["that says too much", ({ note }: MakeContext) => note("a/b", { text: "x".repeat(1000) }), "at most 1000"],
  [
    "beyond the hundredth",
    async ({ note }: MakeContext) => {
      for (let count = 0; count < 101; count += 1) await note("a/b", { count });
    },
    "100 events",
  ],
])("one %s fails the order, as anything that a machine throws", async (_what, make, error) => {
  await using server = await MachineServer.open({ machines: [defineNoting(make)] });
  const order = orderOf(await call(server, "noting", 1));
  expect(order).toMatchObject({ status: "cancelled", reason: "machine_error" });
  expect(order.error).toContain(error);
});
