/**
 * The floor: the same routes over an array in memory. Nothing is queued anywhere else, kept, limited or checked, so
 * what it costs is HTTP alone. Nobody would run a shop with it; no server behind the same HTTP can be faster.
 */
import { servePeer, type PeerOrder, type PeerQueue } from "./serve.ts";

class MemoryQueue implements PeerQueue {
  readonly #queued: PeerOrder[] = [];
  readonly #baristas: ((order: PeerOrder) => void)[] = [];
  readonly #open = new Map<string, { readonly order: PeerOrder; readonly answer: (order: PeerOrder) => void }>();

  async order(order: PeerOrder): Promise<PeerOrder> {
    const { promise, resolve } = Promise.withResolvers<PeerOrder>();
    this.#open.set(order.order_id, { order, answer: resolve });
    const barista = this.#baristas.shift();
    if (barista) barista(order);
    else this.#queued.push(order);
    return await promise;
  }

  async start(barista: string, seconds: number): Promise<PeerOrder | undefined> {
    const order = this.#queued.shift() ?? (await this.#wait(seconds));
    return order && { ...order, status: "brewing", barista, started_at: new Date().toISOString() };
  }

  async finish(orderId: string): Promise<PeerOrder | undefined> {
    const open = this.#open.get(orderId);
    if (!open) return undefined;
    this.#open.delete(orderId);
    const made = { ...open.order, status: "ready", finished_at: new Date().toISOString() } as const;
    open.answer(made);
    return made;
  }

  async #wait(seconds: number): Promise<PeerOrder | undefined> {
    const { promise, resolve } = Promise.withResolvers<PeerOrder | undefined>();
    this.#baristas.push(resolve);
    const timer = setTimeout(() => {
      const at = this.#baristas.indexOf(resolve);
      if (at < 0) return;
      this.#baristas.splice(at, 1);
      resolve(undefined);
    }, seconds * 1000);
    return await promise.finally(() => clearTimeout(timer));
  }
}

servePeer(new MemoryQueue());
