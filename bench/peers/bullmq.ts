/**
 * The twin on BullMQ: a customer is a job and waits with `waitUntilFinished`; baristas take jobs by hand ("Manually
 * processing jobs" of its guide): getNextJob, then moveToCompleted.
 *
 * As its guide has it: the queue, the events and the worker have connections of their own; blocking ones never give up
 * (maxRetriesPerRequest: null); stalled jobs are looked for. One blocking read waits on an empty queue for all
 * baristas, and as many reads as there are baristas waiting run at once otherwise. Finished jobs are kept, as Longpour
 * keeps its orders.
 */
import { Queue, QueueEvents, Worker, type Job } from "bullmq";
import { now, servePeer, type PeerOrder } from "./serve.ts";

type Made = Pick<PeerOrder, "barista" | "started_at" | "finished_at">;
type OrderJob = Job<PeerOrder, Made>;

type Waiter = { readonly barista: string; readonly take: (order: PeerOrder | undefined) => void };

const QUEUE = "orders";
/** Longpour's lease. */
const LOCK_MS = 900_000;
const TOKEN = crypto.randomUUID();

const url = process.env.REDIS_URL ?? "";
const connection = { url, maxRetriesPerRequest: null };
const queue = new Queue<PeerOrder, Made>(QUEUE, { connection: { url } });
const events = new QueueEvents(QUEUE, { connection });
const worker = new Worker<PeerOrder, Made>(QUEUE, null, { connection, lockDuration: LOCK_MS });
const brewing = new Map<string, { readonly job: OrderJob; readonly order: PeerOrder }>();
const waiters: Waiter[] = [];
let reads = 0;
let isBlocked = false;

/** As many reads as there are baristas without one. */
function read(): void {
  while (reads < waiters.length && !isBlocked) {
    reads += 1;
    void readOne();
  }
}

async function readOne(): Promise<void> {
  const job = await worker.getNextJob(TOKEN, { block: false });
  reads -= 1;
  if (job) return give(job);
  if (waiters.length > 0 && !isBlocked) await block();
}

/** Nothing is there: one blocking read for all who wait. */
async function block(): Promise<void> {
  isBlocked = true;
  const job = await worker.getNextJob(TOKEN);
  isBlocked = false;
  if (job) give(job);
  read();
}

function give(job: OrderJob): void {
  const waiter = waiters.shift();
  // No barista is left to take it: it waits for the next one.
  if (!waiter) return void job.moveToWait(TOKEN);
  const order = { ...job.data, status: "brewing", barista: waiter.barista, started_at: now() } as const;
  brewing.set(order.order_id, { job, order });
  waiter.take(order);
}

/** Time is over, unless a job has come. A read that is under way may still bring one. */
async function leave(waiter: Waiter): Promise<void> {
  while (reads > 0 && waiters.includes(waiter)) await Bun.sleep(1);
  const at = waiters.indexOf(waiter);
  if (at < 0) return;
  waiters.splice(at, 1);
  waiter.take(undefined);
}

// One listener a customer who waits.
events.setMaxListeners(0);
queue.setMaxListeners(0);
await Promise.all([queue, events, worker].map((part) => part.waitUntilReady()));
await worker.startStalledCheckTimer();
servePeer({
  order: async (order) => {
    const job = await queue.add("order", order, { jobId: order.order_id });
    const made = await job.waitUntilFinished(events);
    return { ...order, ...made, status: "ready" };
  },
  start: async (barista, seconds) => {
    const { promise, resolve } = Promise.withResolvers<PeerOrder | undefined>();
    const waiter = { barista, take: resolve };
    waiters.push(waiter);
    read();
    const timer = setTimeout(() => void leave(waiter), Math.max(seconds * 1000, 1));
    return await promise.finally(() => clearTimeout(timer));
  },
  finish: async (orderId) => {
    const { job, order } = brewing.get(orderId) ?? {};
    if (!job || !order) return undefined;
    brewing.delete(orderId);
    const { barista = "", started_at = "" } = order;
    const made = { barista, started_at, finished_at: now() };
    await job.moveToCompleted(made, TOKEN, false);
    return { ...order, ...made, status: "ready" };
  },
});
