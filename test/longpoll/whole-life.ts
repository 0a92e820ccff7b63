/**
 * Owns the life of one server without its ports: opened, used in every way that holds a caller, closed as src/main.ts
 * does. Run as a program (Redis's URL, shop) it must end by itself: nothing it opened may keep it alive.
 */
import { WaitingRoom } from "../../src/longpoll/room.ts";
import { WakeRoom } from "../../src/longpoll/wake-room.ts";
import { startSweeper } from "../../src/orders/sweeper.ts";
import { createOrders, DEFAULT_QUEUE } from "../../src/orders/orders.ts";
import { openRedis } from "../../src/redis/connections.ts";
import { createOrderEnds } from "../../src/service/order-ends.ts";
import { Staffing } from "../../src/service/staffing.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { silent } from "../support/redis.ts";

/** Resolves once all is closed; rejects when one got another answer than expected. */
export async function wholeLife(url: string, shop: string): Promise<void> {
  const redis = await openRedis({ address: { url }, shop, outageSeconds: 5, log: silent });
  const orders = createOrders(redis, ORDER_SETTINGS);
  const sweeper = startSweeper(orders, silent);
  const room = new WaitingRoom(createOrderEnds(redis, orders, silent), redis, 4);
  orders.onFinal(room);
  const baristas = new WakeRoom(redis, redis.keys.wake);
  const { signal } = new AbortController();
  const staffing = new Staffing({ orders, room: baristas, closing: signal });
  const barista = (queue: string) =>
    staffing.start({ barista: "Grace", queue, seconds: 3600, signal }, (outcome) => outcome);

  const [drunk, given, neverMade] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  const idle = barista("nobody-orders-here");
  const busy = barista(DEFAULT_QUEUE);
  await orders.place({ orderId: drunk, queue: DEFAULT_QUEUE, draft: {} });
  const answered = room.wait({ id: drunk, signal, seconds: 3600 });
  expectKind(await busy, "started");
  await orders.finish({ orderId: drunk });
  expectKind(await answered, "final");

  await orders.place({ orderId: given, queue: DEFAULT_QUEUE, draft: {} });
  expectKind(await room.wait({ id: given, signal, seconds: 0.1 }), "time_over");
  await orders.place({ orderId: neverMade, queue: DEFAULT_QUEUE, draft: {} });
  const held = room.wait({ id: neverMade, signal });
  await orders.find(neverMade);

  room.close();
  baristas.close();
  expectKind(await held, "redirected");
  expectKind(await idle, "empty");
  sweeper.stop();
  orders.close();
  redis.close();
}

function expectKind({ kind }: { readonly kind: string }, expected: string): void {
  if (kind !== expected) throw new Error(`${kind} instead of ${expected}`);
}

if (import.meta.main) {
  const [url = "", shop = ""] = process.argv.slice(2);
  await wholeLife(url, shop);
  process.stdout.write("closed\n");
}
