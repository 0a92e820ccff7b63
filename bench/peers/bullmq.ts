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
import { redisUrl, servePeer, type PeerOrder, type PeerQueue } from "./serve.ts";

type Made = Pick<PeerOrder, "barista" | "started_at" | "finished_at">;
type OrderJob = Job<PeerOrder, Made>;

interface Waiter {
  readonly barista: string;
  readonly take: (order: PeerOrder) => void;
}

interface Brewing {
  readonly job: OrderJob;
  readonly order: PeerOrder;
}

const QUEUE = "orders";
/** Longpour's lease. */
const LOCK_MS = 900_000;
const TOKEN = crypto.randomUUID();

class BullmqQueue implements PeerQueue {
  readonly #queue: Queue<PeerOrder, Made>;
  readonly #events: QueueEvents;
  readonly #worker: Worker<PeerOrder, Made>;
  readonly #brewing = new Map<string, Brewing>();
  readonly #waiters: Waiter[] = [];
  #reads = 0;
  #isBlocked = false;

  private constructor(url: string) {
    const connection = { url, maxRetriesPerRequest: null };
    this.#queue = new Queue(QUEUE, { connection: { url } });
    this.#events = new QueueEvents(QUEUE, { connection });
    this.#worker = new Worker(QUEUE, null, { connection, lockDuration: LOCK_MS });
    // One listener a customer who waits.
    this.#events.setMaxListeners(0);
    this.#queue.setMaxListeners(0);
  }

  static async open(url: string): Promise<BullmqQueue> {
    const opened = new BullmqQueue(url);
    await Promise.all([opened.#queue, opened.#events, opened.#worker].map((part) => part.waitUntilReady()));
    await opened.#worker.startStalledCheckTimer();
    return opened;
  }

  async order(order: PeerOrder): Promise<PeerOrder> {
    const job = await this.#queue.add("order", order, { jobId: order.order_id });
    const made = await job.waitUntilFinished(this.#events);
    return { ...order, ...made, status: "ready" };
  }

  async start(barista: string, seconds: number): Promise<PeerOrder | undefined> {
    const { promise, resolve } = Promise.withResolvers<PeerOrder | undefined>();
    const waiter = { barista, take: resolve };
    this.#waiters.push(waiter);
    this.#read();
    const timer = setTimeout(() => void this.#leave(waiter, resolve), Math.max(seconds * 1000, 1));
    return await promise.finally(() => clearTimeout(timer));
  }

  async finish(orderId: string): Promise<PeerOrder | undefined> {
    const brewing = this.#brewing.get(orderId);
    if (!brewing) return undefined;
    this.#brewing.delete(orderId);
    const { job, order } = brewing;
    const made = {
      barista: order.barista ?? "",
      started_at: order.started_at ?? "",
      finished_at: new Date().toISOString(),
    };
    await job.moveToCompleted(made, TOKEN, false);
    return { ...order, ...made, status: "ready" };
  }

  /** Time is over, unless a job has come. A read that is under way may still bring one. */
  async #leave(waiter: Waiter, resolve: (none: undefined) => void): Promise<void> {
    while (this.#reads > 0 && this.#waiters.includes(waiter)) await Bun.sleep(1);
    const at = this.#waiters.indexOf(waiter);
    if (at < 0) return;
    this.#waiters.splice(at, 1);
    resolve(undefined);
  }

  /** As many reads as there are baristas without one. */
  #read(): void {
    while (this.#reads < this.#waiters.length && !this.#isBlocked) {
      this.#reads += 1;
      void this.#readOne();
    }
  }

  async #readOne(): Promise<void> {
    const job = await this.#worker.getNextJob(TOKEN, { block: false });
    this.#reads -= 1;
    if (job) return this.#give(job);
    if (this.#waiters.length > 0 && !this.#isBlocked) await this.#block();
  }

  /** Nothing is there: one blocking read for all who wait. */
  async #block(): Promise<void> {
    this.#isBlocked = true;
    const job = await this.#worker.getNextJob(TOKEN);
    this.#isBlocked = false;
    if (job) this.#give(job);
    this.#read();
  }

  #give(job: OrderJob): void {
    const waiter = this.#waiters.shift();
    // Nobody is left to take it: it waits for the next one.
    if (!waiter) return void job.moveToWait(TOKEN);
    const started = { status: "brewing", barista: waiter.barista, started_at: new Date().toISOString() } as const;
    const order = { ...job.data, ...started };
    this.#brewing.set(order.order_id, { job, order });
    waiter.take(order);
  }
}

servePeer(await BullmqQueue.open(redisUrl()));
