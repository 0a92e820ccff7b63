/**
 * Owns the life of one server without its ports: opened, used in every way that holds somebody, closed as src/main.ts
 * does. Run as a program (Redis's URL, shop) it must end by itself: nothing it opened may keep it alive.
 */
import { BaristaRoom } from "../../src/longpoll/baristas.ts";
import { BLOCK_SECONDS } from "../../src/longpoll/lane.ts";
import { WaitingRoom } from "../../src/longpoll/room.ts";
import type { OrderJson } from "../../src/orders/order.ts";
import { startSweeper } from "../../src/orders/sweeper.ts";
import { createOrders, DEFAULT_QUEUE } from "../../src/orders/verbs.ts";
import { asItIs } from "../../src/redis/group-commit.ts";
import { openRedis } from "../../src/redis/connections.ts";
import { createOrderEnds } from "../../src/service/order-ends.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { silent } from "../support/redis.ts";

/** Resolves once all is closed; rejects when somebody got another answer than expected. */
export async function wholeLife(url: string, shop: string): Promise<void> {
  const redis = await openRedis({ address: { url }, shop, outageSeconds: 5, log: silent });
  const orders = createOrders(redis, ORDER_SETTINGS, {
    notifyFinal: (orderId, order) => room.deliver(orderId, order),
  });
  const sweeper = startSweeper(orders, silent);
  const room = new WaitingRoom<OrderJson>(
    createOrderEnds(redis, orders, silent),
    { openBlocking: () => redis.openBlocking("lane", BLOCK_SECONDS), unblock: (clientId) => redis.unblock(clientId) },
    4,
  );
  const baristas = new BaristaRoom(redis, orders);
  const { signal } = new AbortController();
  const barista = (queue: string) => baristas.start({ barista: "Grace", queue, seconds: 3600, signal }, asItIs);

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
  expectKind(await held, "sent_on");
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
