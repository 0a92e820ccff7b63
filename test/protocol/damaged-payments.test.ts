/** What becomes of a shop in which a payment can't be read: it fails alone, and staff see which it is. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Redis } from "ioredis";
import { spoil } from "../support/damage.ts";
import { Shop } from "../support/damaged.ts";
import { applyVerb, ask, expectOrder, expectStatus, place } from "../support/http.ts";
import { expectPayment, lookAtPayment, takeMoney } from "../support/payments.ts";
import { sharedRedis } from "../support/redis.ts";
import { changeShop, expectRefusal } from "../support/shop.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

let redis: Redis;
beforeAll(async () => {
  redis = (await sharedRedis()).connect();
});
afterAll(() => redis.disconnect());

async function readPayments({ server }: Shop): Promise<unknown[]> {
  const answer = await ask(`${server.baristas}/payment`);
  expectStatus(answer, 200);
  return (answer.body as { payments: { payment_id: unknown }[] }).payments.map(({ payment_id }) => payment_id);
}

test.each([
  ["of another type", (key: string) => spoil(redis, key)],
  [
    "garbled",
    async (key: string) => {
      const kept = (await redis.get(key)) ?? "";
      await redis.set(key, kept.slice(1));
      return async () => void (await redis.set(key, kept));
    },
  ],
])(
  "a payment that is %s fails alone; its order can be cancelled; staff see it until it is put right",
  async (_what, harm) => {
    await using shop = await Shop.open();
    const { server } = shop;
    await changeShop(server, { payment: "counter" });
    const [damaged, sound] = [await place(server), await place(server)];
    const putRight = await harm(shop.key(`payment:${damaged.order_id}`));
    expectRefusal(await lookAtPayment(server, damaged.order_id), 500, "order_damaged");
    expectRefusal(await takeMoney(server, damaged.order_id), 500, "order_damaged");
    expect(await readPayments(shop)).toEqual([sound.order_id]);
    expectPayment(await takeMoney(server, sound.order_id), "SUCCESSFUL");
    const { orders } = await shop.damaged();
    expect(orders).toMatchObject([{ order_id: damaged.order_id, reason: "its payment is garbled" }]);
    expectOrder(await applyVerb(server, "cancel", damaged.order_id), { status: "cancelled" });
    await putRight();
    await until(async () => (await shop.damaged()).orders.length === 0, "nothing is damaged");
    expect(await readPayments(shop)).toEqual([damaged.order_id, sound.order_id]);
  },
);
