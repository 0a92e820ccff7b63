/**
 * Owns the HTTP side of a peer: Longpour's routes of the cycle, answered as plainly as can be, so that what differs is
 * the queue.
 *
 * **Invariants**
 * - A held request has no time limit.
 * - Standard output says both addresses in one line of JSON.
 */
import { Elysia, type AnyElysia } from "elysia";

/** An order as the peers keep it. Times are RFC 3339. */
export interface PeerOrder {
  readonly order_id: string;
  readonly status: "queued" | "brewing" | "ready";
  readonly item: string;
  readonly note?: string;
  readonly barista?: string;
  readonly placed_at: string;
  readonly started_at?: string;
  readonly finished_at?: string;
}

export interface PeerQueue {
  /** Queues the order, and resolves to it once it is ready. */
  order(order: PeerOrder): Promise<PeerOrder>;
  /** The oldest order; waits up to `seconds` for one. */
  start(barista: string, seconds: number): Promise<PeerOrder | undefined>;
  /** Undefined for an order that no barista has started. */
  finish(orderId: string): Promise<PeerOrder | undefined>;
}

/** Serves the cycle's routes. */
export function servePeer(queue: PeerQueue): void {
  const customers = new Elysia().post("/order/", ({ body }) => {
    const { item = "americano", note } = (body ?? {}) as { item?: string; note?: string };
    // A queue that two processes may share needs ids that the other does not make.
    const placed = { order_id: Bun.randomUUIDv7(), status: "queued", placed_at: now() } as const;
    return queue.order({ ...placed, item, ...(note !== undefined && { note }) });
  });
  const baristas = new Elysia()
    .get("/start/", async ({ query, status }) => {
      return (await queue.start(query.barista ?? "anonymous", Number(query.wait ?? 0))) ?? status(404);
    })
    .post("/finish/", async ({ query, status }) => (await queue.finish(query.order_id ?? "")) ?? status(404));
  openPeer(customers, baristas);
}

/** Opens both ports, and says where. */
export function openPeer(customers: AnyElysia, baristas: AnyElysia): void {
  const [at, staffAt] = [customers, baristas].map((app) => {
    const { server } = app.listen({ hostname: "127.0.0.1", port: 0, idleTimeout: 0 });
    return `http://127.0.0.1:${server?.port}`;
  });
  console.log(JSON.stringify({ msg: "open: a peer", customers: at, baristas: staffAt }));
}

export function now(): string {
  return new Date().toISOString();
}
