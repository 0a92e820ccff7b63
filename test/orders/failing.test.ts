/**
 * Owns the tests of operations that fail in a run that goes on: each leaves nothing behind, and the others are done.
 *
 * The commit script is loaded with an `enter` and an `add_order` that throw for one order: the last lines at which an
 * operation can fail.
 */
import { describe, expect, test } from "bun:test";
import { createCodes } from "../../src/shop/codes.ts";
import { createShop } from "../../src/shop/settings.ts";
import { createOrders } from "../../src/orders/orders.ts";
import { asFunction, loadFunction, type RunScript, type Script } from "../../src/redis/script.ts";
import { ORDER_SETTINGS, TestOrders } from "../support/orders.ts";
import { endings } from "../support/settled.ts";
import type { State } from "../support/state.ts";
import { parsing, type ParsedOrders } from "../support/wire.ts";

const BROKEN = "broken";
const LAST_LINES = ["  if order.was == nil then\n", "  order.was = false\n"];
const commit = loadFunction("commit");
const failing = LAST_LINES.reduce(
  (script, at) => changed(script, at, `  if id == '${BROKEN}' then\n    error('it broke')\n  end\n${at}`),
  commit,
);

function changed(script: Script, from: string, to: string): Script {
  const text = script.source.replace(/^#!.*\n/, "").replaceAll(script.id, "$NAME");
  if (!text.includes(from)) throw new Error("nothing to change");
  return asFunction("commit", text.replace(from, to));
}

/** A shop with orders in every state, `broken` among them. Another customer's order is in the same state. */
interface Stage {
  readonly shop: TestOrders;
  readonly orders: ParsedOrders;
  readonly code: string;
}
type Status = "nothing" | "reserved" | "overdue" | "queued" | "brewing" | "delayed";

async function openStage(status: Status): Promise<Stage> {
  const shop = await TestOrders.open();
  const { change } = createShop(shop.redis, "default");
  await change({ code_period_seconds: 86_400 });
  await createCodes(shop.redis)();
  const code = "ABCDEFGHJKMN";
  await shop.client.hset(shop.key("code"), { code });
  const draft = { customer_id: "c1", customer_name: "Ada" };
  await shop.place(["a1", "a2", "a3"]);
  await shop.start("Grace");
  if (status === "reserved" || status === "overdue") {
    await shop.orders.reserve({ orderId: BROKEN, draft: { ...draft, code } });
  } else if (status !== "nothing") await shop.place([BROKEN], { draft });
  if (status === "brewing" || status === "delayed") {
    await shop.orders.start({ barista: "Grace", queue: "default", orderId: BROKEN });
  }
  if (status === "overdue") await shop.client.zadd(shop.key("reserved"), "XX", 1, BROKEN);
  if (status === "delayed") {
    await shop.orders.fail({ orderId: BROKEN, barista: "Grace", error: "no milk", retry: true, retryAfterMs: 1 });
    await Bun.sleep(2);
  }
  const run: RunScript = (script, args) => shop.redis.run(script.name === "commit" ? failing : script, args);
  const orders = parsing(createOrders({ run, runWhenReconnected: () => {} }, ORDER_SETTINGS));
  return { shop, orders, code };
}

/** One operation of each kind on other orders, in one turn with whatever else is asked for. */
function others({ orders, code }: Stage): Promise<unknown>[] {
  return [
    orders.place({
      orderId: "d4",
      queue: "default",
      draft: { customer_id: "c2" },
      idempotencyKey: "k4",
      bucket: "b:4",
    }),
    orders.finish({ orderId: "a1", barista: "Grace", result: "{}" }),
    orders.cancel({ orderId: "a2", canceller: "customer", reason: "customer" }),
    orders.start({ barista: "Linus", queue: "default", claimId: "c1" }),
    orders.reserve({ orderId: "e5", draft: { code }, bucket: "b:5" }),
  ];
}

const OPERATIONS: Readonly<Record<string, { status: Status; ask: (stage: Stage) => Promise<unknown> }>> = {
  place: {
    status: "nothing",
    ask: ({ orders }) =>
      orders.place({
        orderId: BROKEN,
        queue: "default",
        draft: { customer_id: "c1" },
        idempotencyKey: "k",
        bucket: "b:1",
        holder: "a replica",
      }),
  },
  reserve: {
    status: "nothing",
    ask: ({ orders, code }) =>
      orders.reserve({ orderId: BROKEN, draft: { code, customer_id: "c1" }, idempotencyKey: "k", bucket: "b:1" }),
  },
  complete: {
    status: "reserved",
    ask: ({ orders }) => orders.complete({ orderId: BROKEN, queue: "default", completion: { item: "latte" } }),
  },
  start: {
    status: "queued",
    ask: ({ orders }) => orders.start({ barista: "Ada", queue: "default", orderId: BROKEN, claimId: "c9" }),
  },
  finish: {
    status: "brewing",
    ask: ({ orders }) => orders.finish({ orderId: BROKEN, barista: "Grace", result: "{}" }),
  },
  fail: {
    status: "brewing",
    ask: ({ orders }) =>
      orders.fail({ orderId: BROKEN, barista: "Grace", error: "no milk", retry: true, retryAfterMs: 60_000 }),
  },
  "fail for the last time": {
    status: "brewing",
    ask: ({ orders }) =>
      orders.fail({ orderId: BROKEN, barista: "Grace", error: "no milk", retry: false, retryAfterMs: 0 }),
  },
  release: { status: "brewing", ask: ({ orders }) => orders.release({ orderId: BROKEN, barista: "Grace" }) },
  extend: { status: "brewing", ask: ({ orders }) => orders.extend({ orderId: BROKEN, barista: "Grace" }) },
  cancel: {
    status: "queued",
    ask: ({ orders }) => orders.cancel({ orderId: BROKEN, canceller: "customer", reason: "customer" }),
  },
  "cancel of a reservation": {
    status: "reserved",
    ask: ({ orders }) => orders.cancel({ orderId: BROKEN, canceller: "customer", reason: "customer" }),
  },
  watch: { status: "queued", ask: ({ orders }) => orders.watch({ orderId: BROKEN, holder: "another replica" }) },
  requeue: { status: "delayed", ask: ({ orders }) => orders.expire() },
  expire: { status: "overdue", ask: ({ orders }) => orders.expire() },
};

/** What the same shop comes to without the operation that fails. */
async function stateWithout(status: Status): Promise<State> {
  const stage = await openStage(status);
  await using shop = stage.shop;
  const outcomes = await endings(others(stage));
  expect(outcomes).toEqual(outcomes.map(() => "fulfilled"));
  return await shop.state();
}

describe.each(Object.entries(OPERATIONS))("%s", (_name, { status, ask }) => {
  test("that fails after its last look leaves nothing behind, and the others of its run are done", async () => {
    const stage = await openStage(status);
    await using shop = stage.shop;
    const [failed, ...rest] = await endings([ask(stage), ...others(stage)]);
    expect(failed).toContain("it broke");
    expect(rest).toEqual(rest.map(() => "fulfilled"));
    expect(await shop.state()).toEqual(await stateWithout(status));
  });
});

test("one that fails alone leaves nothing behind either", async () => {
  const stage = await openStage("brewing");
  await using shop = stage.shop;
  const changes = await shop.changes(async () =>
    expect(await endings([stage.orders.finish({ orderId: BROKEN })])).toEqual([
      expect.stringContaining("finish: ") as never,
    ]),
  );
  expect(changes).toEqual({});
});
