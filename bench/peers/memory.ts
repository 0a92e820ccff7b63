/**
 * The floor: the same routes over an array in memory. Nothing is queued anywhere else, kept, limited or checked, so
 * what it costs is HTTP alone. No shop would run on it; no server behind the same HTTP can be faster.
 */
import { now, servePeer, type PeerOrder } from "./serve.ts";

const queued: PeerOrder[] = [];
const idle: ((order: PeerOrder) => void)[] = [];
const held = new Map<string, { readonly order: PeerOrder; readonly answer: (made: PeerOrder) => void }>();

servePeer({
  order: (order) => {
    const { promise, resolve } = Promise.withResolvers<PeerOrder>();
    held.set(order.order_id, { order, answer: resolve });
    const take = idle.shift();
    if (take) take(order);
    else queued.push(order);
    return promise;
  },
  start: async (barista, seconds) => {
    const { promise, resolve } = Promise.withResolvers<PeerOrder | undefined>();
    const order = queued.shift();
    if (order || seconds === 0) resolve(order);
    else idle.push(resolve);
    const taken = await promise;
    return taken && { ...taken, status: "brewing", barista, started_at: now() };
  },
  finish: async (orderId) => {
    const { order, answer } = held.get(orderId) ?? {};
    if (!order || !answer) return undefined;
    held.delete(orderId);
    const made = { ...order, status: "ready", finished_at: now() } as const;
    answer(made);
    return made;
  },
});
