/**
 * The twin of a machine on BullMQ: a call is a job and waits with `waitUntilFinished`; a Worker in the same process
 * makes it, with the machine's own function and concurrency.
 *
 * As its guide has it: the queue, the events and the worker have connections of their own; blocking ones never give up
 * (maxRetriesPerRequest: null). The worker takes its next job with the end of the one before. Finished jobs are kept,
 * as Longpour keeps its orders. The input is checked against the same schema.
 */
import { Queue, QueueEvents, Worker } from "bullmq";
import { Elysia } from "elysia";
import { CONCURRENCY, Input, make, QUEUE } from "../machines/no-work.ts";
import { now, openPeer } from "./serve.ts";

type Call = { readonly queue: string; readonly input: { readonly note: string }; readonly placed_at: string };
type Made = { readonly result: ReturnType<typeof make>; readonly started_at: string; readonly finished_at: string };

/** Longpour's lease. */
const LOCK_MS = 900_000;

const url = process.env.REDIS_URL ?? "";
const connection = { url, maxRetriesPerRequest: null };
const queue = new Queue<Call, Made>(QUEUE, { connection: { url } });
const events = new QueueEvents(QUEUE, { connection });
const worker = new Worker<Call, Made>(
  QUEUE,
  async ({ data }) => {
    const startedAt = now();
    return { result: make(data.input), started_at: startedAt, finished_at: now() };
  },
  { connection, concurrency: CONCURRENCY, lockDuration: LOCK_MS },
);

// One listener a customer who waits.
events.setMaxListeners(0);
queue.setMaxListeners(0);
await Promise.all([queue, events, worker].map((part) => part.waitUntilReady()));
const customers = new Elysia().post(
  `/queue/${QUEUE}/`,
  async ({ body: input }) => {
    const call = { queue: QUEUE, input, placed_at: now() };
    const id = Bun.randomUUIDv7();
    const job = await queue.add("call", call, { jobId: id });
    return { order_id: id, ...call, status: "ready", ...(await job.waitUntilFinished(events)) };
  },
  { body: Input },
);
openPeer(customers, new Elysia());
