/**
 * Owns the contract of orders: what can be asked of them, and what comes of it.
 *
 * **Invariants**
 * - Outcomes that can be expected are values. Only an unavailable Redis, a damaged order or a broken script rejects.
 * - Every change is one operation of a group commit.
 */
import type { ShopRedis } from "../redis/connections.ts";
import { GroupCommit, type AnsweredRun } from "../redis/group-commit.ts";
import type { Ask } from "../redis/operation.ts";
import type { RunScript } from "../redis/script.ts";
import { SupersededError } from "../redis/superseded.ts";
import {
  createQueries,
  type DeadSearch,
  type FindOutcome,
  type QueueMeasure,
  type Search,
  type SearchOutcome,
} from "./queries.ts";
import type { StateList, StateMeasure, StatePage } from "./open-states.ts";
import { Flow } from "./flow.ts";
import type { MachineQueueMeasure } from "./queues.ts";
import type { FindLabelledOutcome, LabelSearch, LabelPage, Numbered } from "./labels.ts";
import { createMaintenance, type Due, type Forgotten, type Inspection, type Mending } from "./maintenance.ts";
import { bury, type Burial, type BuryOutcome } from "./operations/bury.ts";
import { call, type Call } from "./operations/call.ts";
import { cancel, type Cancellation } from "./operations/cancel.ts";
import { complete, type Choice, type CompleteOutcome } from "./operations/complete.ts";
import { expire } from "./operations/expire.ts";
import { extend } from "./operations/extend.ts";
import { fail, type Failure } from "./operations/fail.ts";
import { finish, type Finish } from "./operations/finish.ts";
import { note, type Note, type NoteOutcome } from "./operations/note.ts";
import { place, type PlaceOutcome, type Placement } from "./operations/place.ts";
import { progress, type Progress } from "./operations/progress.ts";
import { release, type Release } from "./operations/release.ts";
import { requeue } from "./operations/requeue.ts";
import { reserve, type Reservation, type ReserveOutcome } from "./operations/reserve.ts";
import { retry, type Retry, type RetryOutcome } from "./operations/retry.ts";
import { start, type Claim, type StartOutcome } from "./operations/start.ts";
import { watch, type Watch, type WatchOutcome } from "./operations/watch.ts";
import type { OrderJson } from "./order.ts";
import type { Change, ChangeOutcome } from "./outcomes.ts";
import { createPayments, type Payments } from "./payments.ts";

export { DEFAULT_QUEUE } from "../queue-settings.ts";

export interface OrderSettings {
  readonly leaseSeconds: number;
  /** How many leases of one order may run out before it is cancelled. */
  readonly maxAttempts: number;
  readonly retentionHours: number;
  /** The bucket of an address: see `limits/limiter.ts`. */
  readonly limitCapacity: number;
  readonly limitRefillPerSecond: number;
  /** How long a call waits for a Redis that is unavailable. */
  readonly outageSeconds: number;
  /** The names of the queues of machines that this server declares: what becomes of their orders is counted apart. */
  readonly queueNames?: readonly string[];
}

/** All calls reject with RedisUnavailableError when Redis does not answer in time. */
export interface Orders {
  /** This server, as orders name it that are held here. */
  readonly replica: string;
  /** What became of orders by this server. */
  readonly flow: Flow;
  /**
   * Queues a new order. One that its customer got no answer for, and can't come back to by a key, is cancelled later.
   */
  readonly place: Ask<Placement, PlaceOutcome>;
  /** The same in a queue of machines. */
  readonly call: Ask<Call, PlaceOutcome>;
  /** Keeps a demand as a dead letter that no machine can make. */
  readonly bury: (burial: Burial) => Promise<BuryOutcome>;
  /** Makes a dead order again: a new order, which names it. */
  readonly retry: (wanted: Retry) => Promise<RetryOutcome>;
  /** Redeems a code for an order whose drink is chosen later. */
  readonly reserve: (reservation: Reservation) => Promise<ReserveOutcome>;
  /** Queues a reserved order, its drink chosen. The same choice again answers the same. */
  readonly complete: (choice: Choice) => Promise<CompleteOutcome>;
  /** Gives the barista the order whose lease ran out first, else the oldest queued one. */
  readonly start: Ask<Claim, StartOutcome>;
  /** Makes a brewing order ready. */
  readonly finish: Ask<Finish, ChangeOutcome>;
  /** Notes that a brewing order can't be made: queued again while attempts are left, else cancelled. */
  readonly fail: (wanted: Failure) => Promise<ChangeOutcome>;
  /** Puts a brewing order back into its queue. */
  readonly release: (wanted: Release) => Promise<ChangeOutcome>;
  /** Notes how far a brewing order is. */
  readonly progress: (wanted: Progress) => Promise<ChangeOutcome>;
  /** Adds a machine's own event to those of a brewing order. */
  readonly note: (wanted: Note) => Promise<NoteOutcome>;
  /** Gives a brewing order a new lease. */
  readonly extend: (wanted: Change) => Promise<ChangeOutcome>;
  /** Cancels a queued or scheduled order; a barista may cancel a brewing one too. */
  readonly cancel: (wanted: Cancellation) => Promise<ChangeOutcome>;
  /** Notes that a customer waits for the order at a server, or answers its end. */
  readonly watch: (wanted: Watch) => Promise<WatchOutcome>;
  /** The order as it is now, with its position and expected wait while queued. */
  readonly find: (orderId: string) => Promise<FindOutcome>;
  /** A page of orders by time placed. */
  readonly search: (wanted: Search) => Promise<SearchOutcome>;
  /** A page of dead letters, newest first. */
  readonly dead: (wanted: DeadSearch) => Promise<SearchOutcome>;
  /** The order of a number in a queue of machines, where it was given a label. */
  readonly findLabelled: (wanted: Numbered) => Promise<FindLabelledOutcome>;
  /** A page of those that were given a label. */
  readonly searchLabelled: (wanted: LabelSearch) => Promise<LabelPage>;
  /** How long queues of machines are, and who works there. */
  readonly listQueues: (queues: readonly string[]) => Promise<MachineQueueMeasure[]>;
  /** How long a queue is. */
  readonly measure: (queue: string) => Promise<QueueMeasure>;
  /** How many orders of a queue are in each open state, and what happened to its orders a moment ago. */
  readonly measureStates: (queue: string) => Promise<StateMeasure>;
  /** A page of those that are in an open state. */
  readonly listState: (wanted: StateList) => Promise<StatePage>;
  /** Those of orders that are paid for. */
  readonly payments: Payments;
  /** Looks after leases and reservations that ran out. */
  readonly expire: () => Promise<Due>;
  /**
   * Drops a batch of what retention removed from the indexes. `from` is where the batch before says to go on; empty at
   * the start.
   */
  readonly forget: (from: string) => Promise<Forgotten>;
  /**
   * Finds damaged keys and orders: at most `maxOrders` are looked at. Orders that were put right go back into their
   * queues.
   */
  readonly inspect: (maxOrders: number) => Promise<Inspection>;
  /** Has a queue's stream and its indexes agree again. */
  readonly mend: (queue: string) => Promise<Mending>;
  /** Notifies this listener, from now on, of each order that this server makes final, by whichever verb. */
  readonly onFinal: (listener: FinalListener) => void;
  /** Notifies this listener, from now on, of each run that Redis has answered. */
  readonly onRun: (listener: RunListener) => void;
  readonly close: () => void;
}

interface FinalListener {
  notify(orderId: string, order: OrderJson): void;
}

type RunListener = (run: AnsweredRun) => void;

/** `superseded`: called, perhaps more than once, when a newer version has claimed the shop's data. */
export function createOrders(
  { run: runScript, runWhenReconnected }: Pick<ShopRedis, "run" | "runWhenReconnected">,
  settings: OrderSettings,
  superseded: (version: string) => void = () => {},
): Orders {
  const { leaseSeconds, maxAttempts, retentionHours, limitCapacity, limitRefillPerSecond, outageSeconds } = settings;
  const retentionMs = retentionHours * 3_600_000;
  const run: RunScript = async (script, args) => {
    try {
      return await runScript(script, args);
    } catch (error) {
      if (error instanceof SupersededError) superseded(error.version);
      throw error;
    }
  };
  const listeners: FinalListener[] = [];
  const runListeners: RunListener[] = [];
  const replica = crypto.randomUUID().slice(0, 13);
  const flow = new Flow(settings.queueNames);
  const commit = new GroupCommit({
    run,
    runWhenReconnected,
    replica,
    outageMs: outageSeconds * 1000,
    shared: [leaseSeconds * 1000, maxAttempts, retentionMs, limitCapacity, limitRefillPerSecond],
    notifyFinal: (orderId, order) => {
      for (const listener of listeners) listener.notify(orderId, order);
    },
    noteRun: (answered) => {
      flow.note(answered);
      for (const listener of runListeners) listener(answered);
    },
  });
  const cancelOrder = commit.operation(cancel);
  const releaseOrder = commit.operation(release);
  const expireOrder = commit.operation(expire);
  const requeueOrder = commit.operation(requeue);

  const undoPlaced = (outcome: PlaceOutcome, { idempotencyKey }: { readonly idempotencyKey?: string | undefined }) => {
    if (outcome.kind !== "placed" || idempotencyKey !== undefined) return;
    const { orderId } = outcome;
    runWhenReconnected(() => cancelOrder({ orderId, canceller: "customer", reason: "customer_timeout" }));
  };

  return {
    replica,
    flow,
    place: commit.operation({ ...place, undo: undoPlaced }),
    call: commit.operation({ ...call, undo: undoPlaced }),
    bury: commit.operation(bury),
    retry: commit.operation(retry),
    reserve: commit.operation(reserve),
    complete: commit.operation(complete),
    start: commit.operation({
      ...start,
      undo: (outcome, { claimId, barista }) => {
        if (outcome.kind !== "started" || claimId !== undefined) return;
        const { orderId } = outcome;
        runWhenReconnected(() => releaseOrder({ orderId, barista, isUncounted: true }));
      },
    }),
    finish: commit.operation(finish),
    fail: commit.operation(fail),
    release: releaseOrder,
    extend: commit.operation(extend),
    progress: commit.operation(progress),
    note: commit.operation(note),
    cancel: cancelOrder,
    watch: commit.operation(watch),
    ...createQueries(run),
    payments: createPayments(run, commit),
    ...createMaintenance(run, { maxAttempts, retentionMs, leaseMs: leaseSeconds * 1000, expireOrder, requeueOrder }),
    onFinal: (listener) => {
      listeners.push(listener);
    },
    onRun: (listener) => {
      runListeners.push(listener);
    },
    close: () => commit.close(),
  };
}
