/**
 * Owns what a barista can do that is more than one change of an order: start and wait, finish and start the next,
 * cancel. To finish, fail, release or extend an order, a transport calls `orders` itself.
 *
 * **Invariants**
 * - An order is given to one barista at a time.
 * - An order goes back if its barista has left and has no claim to fetch it with.
 * - A barista who waits asks again when woken, and at the latest when the wake room says so.
 */
import type { WakeRoom, Waiter } from "../longpoll/wake-room.ts";
import type { Finish } from "../orders/operations/finish.ts";
import type { Claim, StartOutcome } from "../orders/operations/start.ts";
import type { CancelReason } from "../orders/order.ts";
import type { Change, ChangeOutcome } from "../orders/outcomes.ts";
import { DEFAULT_QUEUE, type Orders } from "../orders/orders.ts";
import type { Read } from "../redis/operation.ts";
import { scopeToBarista } from "./key-scope.ts";

/** A barista without a name. Any other barista without a name can take over such orders. */
export const ANONYMOUS = "anonymous";
const EMPTY: StartOutcome = { kind: "empty" };

/** The start that a barista asks for. */
export interface StartRequest {
  /** The Idempotency-Key as it was sent. */
  readonly key?: string | undefined;
  readonly barista?: string | undefined;
  readonly queue?: string | undefined;
  /** Only this order, out of its turn. */
  readonly orderId?: string | undefined;
  /** Of their request, where something is traced. */
  readonly traceparent?: string | undefined;
  /** How long they wait for an order; 0 asks once. */
  readonly seconds: number;
  /** Aborted when the barista leaves. */
  readonly signal: AbortSignal;
}

/** `closing`: the server is stopping. */
export type StaffingOutcome = StartOutcome | { readonly kind: "closing" };

interface BaristaWait extends Claim {
  readonly seconds: number;
  readonly signal: AbortSignal;
}

interface BaristaCancellation extends Change {
  readonly reason?: CancelReason | undefined;
}

/** Of a finish, and of the start that came with it. */
export interface Handover {
  readonly finished: ChangeOutcome;
  readonly started: StartOutcome;
}

export interface StaffingParts {
  readonly orders: Pick<Orders, "finish" | "release" | "cancel" | "start">;
  /** The baristas who wait, by queue. */
  readonly room: WakeRoom;
  /** Aborted when the server stops: nothing new begins. */
  readonly closing: AbortSignal;
}

export class Staffing {
  readonly #parts: StaffingParts;

  constructor(parts: StaffingParts) {
    this.#parts = parts;
  }

  /**
   * Starts an order for the barista, waiting up to `seconds` for one, and makes an answer of the outcome at once.
   * Rejects when Redis does not answer.
   */
  start<Answer>(request: StartRequest, answer: Read<StaffingOutcome, Answer>): Promise<Answer> {
    if (this.#parts.closing.aborted) return Promise.resolve(answer({ kind: "closing" }));
    return this.#start(readWait(request), answer);
  }

  /**
   * Finishes an order and starts the next one, both in one run; waits up to `seconds` for one, and makes an answer. A
   * refused finish starts nothing.
   */
  finishAndStart<Answer>(wanted: Finish, next: StartRequest, answer: (handover: Handover) => Answer): Promise<Answer> {
    const { orders, room } = this.#parts;
    if (room.isClosed) return orders.finish.into(wanted, (finished) => answer({ finished, started: EMPTY }));
    const wait = readWait(next);
    return new Promise((resolve, reject) => {
      let finished: ChangeOutcome | undefined;
      let first: StartOutcome | undefined;
      const settle = (): void => {
        if (finished && first) resolve(this.#handOver(finished, first, wait, answer));
      };
      // Both are asked for in this turn: a run does finishes first.
      const noteFinished = (outcome: ChangeOutcome): void => {
        finished = outcome;
        settle();
      };
      const noteFirst = (outcome: StartOutcome): void => {
        first = outcome;
        settle();
      };
      orders.finish.callBack(wanted, noteFinished, reject);
      orders.start.callBack({ ...wait, after: wanted.orderId }, noteFirst, reject);
    });
  }

  cancel({ orderId, barista, reason = "barista", traceparent }: BaristaCancellation): Promise<ChangeOutcome> {
    return this.#parts.orders.cancel({ orderId, barista, canceller: "barista", reason, traceparent });
  }

  #handOver<Answer>(
    finished: ChangeOutcome,
    first: StartOutcome,
    wait: BaristaWait,
    answer: (handover: Handover) => Answer,
  ): Answer | PromiseLike<Answer> {
    if (finished.kind !== "changed") return answer({ finished, started: EMPTY });
    const answerWith = (started: StartOutcome): Answer => answer({ finished, started });
    const isWaiting = wait.seconds > 0 && !wait.signal.aborted && !this.#parts.room.isClosed;
    return first.kind === "empty" && isWaiting ? this.#start(wait, answerWith) : this.#give(first, wait, answerWith);
  }

  #start<Answer>(wait: BaristaWait, answer: Read<StartOutcome, Answer>): Promise<Answer> {
    const { orders, room } = this.#parts;
    if (wait.seconds === 0) return orders.start.into(wait, (outcome) => this.#give(outcome, wait, answer));
    const waitsMs = wait.seconds * 1000;
    const deadline = performance.now() + waitsMs;
    const waiter = room.enter(wait.queue);
    return new Promise((resolve, reject) => {
      const settle = (outcome: StartOutcome): void => {
        if (outcome.kind === "empty") return resolve(this.#startLater(waiter, wait, deadline).then(answer));
        room.leave(waiter);
        resolve(this.#give(outcome, wait, answer));
      };
      const fail = (error: unknown): void => {
        room.leave(waiter);
        reject(error);
      };
      orders.start.callBack({ ...wait, waitsMs }, settle, fail);
    });
  }

  /** Waits for an order: there was none. */
  async #startLater(waiter: Waiter, wait: BaristaWait, deadline: number): Promise<StartOutcome> {
    const { orders, room } = this.#parts;
    try {
      for (;;) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0 || !(await room.untilWoken(waiter, wait.signal, leftMs))) return EMPTY;
        const again = { ...wait, waitsMs: Math.max(0, deadline - performance.now()) };
        const outcome = await orders.start(again);
        if (outcome.kind !== "empty") return await this.#give(outcome, wait, (given) => given);
      }
    } finally {
      room.leave(waiter);
    }
  }

  /** Gives an order out; where its barista has left, and can't come back to it by a claim, it goes back. */
  #give<Answer>(
    outcome: StartOutcome,
    wait: BaristaWait,
    answer: Read<StartOutcome, Answer>,
  ): Answer | PromiseLike<Answer> {
    if (outcome.kind !== "started" || wait.claimId !== undefined || !wait.signal.aborted) return answer(outcome);
    const { orderId } = outcome;
    // They never had it: that was no attempt.
    const release = { orderId, barista: wait.barista, isUncounted: true };
    return this.#parts.orders.release(release).then(() => answer(EMPTY));
  }
}

function readWait({
  key,
  barista = ANONYMOUS,
  queue = DEFAULT_QUEUE,
  orderId,
  traceparent,
  seconds,
  signal,
}: StartRequest): BaristaWait {
  return { claimId: scopeToBarista(key, barista), barista, queue, orderId, traceparent, seconds, signal };
}
