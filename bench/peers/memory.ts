/**
 * The floor: the same routes over an array in memory. Nothing is queued anywhere else, kept, limited or checked, so
 * what it costs is HTTP alone. Nobody would run a shop with it; no server behind the same HTTP can be faster.
 */
import { now, servePeer, type PeerOrder } from "./serve.ts";

type Take = (order: PeerOrder | undefined) => void;

const queued: PeerOrder[] = [];
const baristas: Take[] = [];
const held = new Map<string, { readonly order: PeerOrder; readonly answer: (order: PeerOrder) => void }>();

async function wait(seconds: number): Promise<PeerOrder | undefined> {
  const { promise, resolve } = Promise.withResolvers<PeerOrder | undefined>();
  baristas.push(resolve);
  const timer = setTimeout(() => {
    const at = baristas.indexOf(resolve);
    if (at >= 0) baristas.splice(at, 1);
    resolve(undefined);
  }, seconds * 1000);
  return await promise.finally(() => clearTimeout(timer));
}

servePeer({
  order: async (order) => {
    const { promise, resolve } = Promise.withResolvers<PeerOrder>();
    held.set(order.order_id, { order, answer: resolve });
    const take = baristas.shift();
    if (take) take(order);
    else queued.push(order);
    return await promise;
  },
  start: async (barista, seconds) => {
    const order = queued.shift() ?? (await wait(seconds));
    return order && { ...order, status: "brewing", barista, started_at: now() };
  },
  finish: async (orderId) => {
    const open = held.get(orderId);
    if (!open) return undefined;
    held.delete(orderId);
    const made = { ...open.order, status: "ready", finished_at: now() } as const;
    open.answer(made);
    return made;
  },
});
