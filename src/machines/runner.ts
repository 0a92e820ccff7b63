/**
 * Owns one machine at work on one server: it starts orders of its queue, has them made, and says what came of each.
 *
 * **Invariants**
 * - At most `concurrency` orders are being made at once; those whose time is over count no more, within a bound.
 * - An order that was made is finished as soon as Redis answers, unless it was lost or given back.
 * - While the server stops nothing new is started; what is not made by the drain's end goes back uncounted.
 * - The barista's name is this server's own: no other server's machine can end its orders.
 */
import { maxPauseMs } from "../back-off.ts";
import type { Log } from "../log.ts";
import type { Finish } from "../orders/operations/finish.ts";
import type { NoteOutcome } from "../orders/operations/note.ts";
import type { OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/orders.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import { between, pause } from "../pause.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import type { Staffing, StaffingOutcome } from "../service/staffing.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { within } from "../within.ts";
import { boundError } from "./error-text.ts";
import type { FailureLog } from "./failure.ts";
import { Leases } from "./leases.ts";
import type { Machine, MakeContext } from "./machine.ts";
import { Making, type MakingOutcome } from "./making.ts";
import { Overdue } from "./overdue.ts";
import { retryAfterMs } from "./retry-later.ts";

/** One wait for an order. After it the next one begins. */
const WAIT_SECONDS = 60;
/** Between tries while Redis is unavailable. */
const BACK_OFF = { firstMs: 100, maxMs: 5000 };
/** Where few are made at once: code whose time is over may be left at work so often before no more are started. */
const MIN_OVERDUE = 100;
/** What is given back when the server stops is to be stored in this time: it is about to end. */
const LAST_WORDS_MS = 2000;
/** Errors that come again and again are one line in this time. */
const NEWS_MS = 60_000;
const EMPTY: StaffingOutcome = { kind: "empty" };

export interface RunnerParts {
  readonly orders: Pick<Orders, "replica" | "finish" | "fail" | "extend" | "release" | "progress" | "note">;
  readonly staffing: Pick<Staffing, "start" | "finishAndStart">;
  readonly leaseSeconds: number;
  readonly failures: FailureLog;
  readonly log: Log;
  /** Aborted when the server stops: nothing new is started. */
  readonly closing: AbortSignal;
  /** Undefined: nothing is traced. */
  readonly tracing?: Pick<Tracing, "beginMaking"> | undefined;
}

export class Runner {
  readonly #machine: Machine;
  readonly #parts: RunnerParts;
  readonly #barista: string;
  readonly #log: Log;
  readonly #leases: Leases;
  readonly #overdue: Overdue;
  readonly #stopping = new AbortController();
  /** Aborted when nothing more is asked of Redis. */
  readonly #over = new AbortController();
  readonly #loops: readonly Promise<void>[];
  #errorAtMs = -Infinity;
  #refusedAtMs = -Infinity;

  /** Begins to work. */
  constructor(machine: Machine, parts: RunnerParts) {
    this.#machine = machine;
    this.#parts = parts;
    this.#barista = `machine@${parts.orders.replica}`;
    this.#log = parts.log.child({ queue: machine.queue });
    this.#overdue = new Overdue(Math.max(MIN_OVERDUE, machine.concurrency), this.#log);
    this.#leases = new Leases(parts.leaseSeconds, {
      extend: (orderId) => parts.orders.extend({ orderId, barista: this.#barista }),
      failed: (error) => this.#noteError(error),
    });
    this.#loops = Array.from({ length: machine.concurrency }, () => this.#work());
  }

  /** Lets what is being made end until then (of `performance.now()`), then gives it back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    this.#overdue.close();
    const ended = Promise.all(this.#loops).then(() => true);
    if (!(await within(Math.max(0, deadlineMs - performance.now()), ended))) {
      for (const making of this.#leases.held) making.giveBack();
      await within(LAST_WORDS_MS, ended);
    }
    this.#over.abort();
    this.#leases.close();
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted || this.#parts.closing.aborted;
  }

  /** One of those who work side by side. */
  async #work(): Promise<void> {
    let next: StaffingOutcome = EMPTY;
    let failures = 0;
    while (next.kind === "started" || !this.#isStopping) {
      try {
        next = next.kind === "started" ? await this.#makeOne(next.orderId, next.order) : await this.#start();
        failures = 0;
      } catch (error) {
        next = EMPTY;
        failures += 1;
        this.#noteError(error);
        await pause(between(0, maxPauseMs(failures, BACK_OFF)), this.#stopping.signal);
      }
    }
  }

  /** Waits for an order. */
  async #start(): Promise<StaffingOutcome> {
    await this.#overdue.untilRoom();
    if (this.#isStopping) return EMPTY;
    return await this.#parts.staffing.start({ ...this.#asking, seconds: WAIT_SECONDS }, (outcome) => outcome);
  }

  /** Has an order made and says what came of it; returns the next one where there is one at once. */
  async #makeOne(orderId: string, order: OrderJson): Promise<StaffingOutcome> {
    const { orders, tracing } = this.#parts;
    const change = { orderId, barista: this.#barista };
    const span = tracing?.beginMaking(order);
    // (A machine may say something before its making is there.)
    const lose = (): void => making.lose();
    const sendProgress = (progress: string) => this.#store(orders.progress({ ...change, progress }), lose);
    const note: MakeContext["note"] = (event, data) => this.#store(orders.note({ ...change, event, data }), lose);
    const noteRefused = (error: RangeError): void => this.#noteRefusal(error);
    const given = { machine: this.#machine, orderId, order, traceparent: span?.traceparent, log: this.#log };
    const making = new Making({ ...given, sendProgress, note, noteRefused });
    this.#leases.hold(making);
    try {
      const outcome = await making.outcome();
      span?.end(outcome);
      if (!making.hasReturned) this.#overdue.add(making);
      return (await this.#settle(making, outcome, span?.traceparent)) ?? EMPTY;
    } finally {
      this.#leases.letGo(making);
    }
  }

  /** Waits until what a machine says of an order is stored, or can't be. Rejects with a RangeError for what is none. */
  async #store(storing: Promise<ChangeOutcome | NoteOutcome>, lose: () => void): Promise<void> {
    try {
      const { kind } = await storing;
      if (kind !== "changed" && kind !== "noted") lose();
    } catch (error) {
      if (error instanceof RangeError) throw error;
      this.#noteError(error);
    }
  }

  /** `traceparent`: of the making. */
  async #settle(
    making: Making,
    outcome: MakingOutcome,
    traceparent: string | undefined,
  ): Promise<StaffingOutcome | undefined> {
    const { orders, failures } = this.#parts;
    const change = { orderId: making.orderId, barista: this.#barista, traceparent };
    switch (outcome.kind) {
      case "made":
        return await this.#insist(making, () => this.#finish({ ...change, result: outcome.result }));
      case "failed": {
        failures.note(this.#machine.queue, outcome);
        const failure = { ...change, error: boundError(outcome.error), retry: false, retryAfterMs: 0 };
        await this.#insist(making, () => orders.fail(failure));
        return undefined;
      }
      case "later": {
        const waitMs = retryAfterMs(outcome.seconds, making.attempts);
        const failure = { ...change, error: boundError(outcome.message), retry: true, retryAfterMs: waitMs };
        await this.#insist(making, () => orders.fail(failure));
        return undefined;
      }
      case "given_back":
        await orders.release({ ...change, isUncounted: true });
        return undefined;
      case "lost":
        return undefined;
    }
  }

  /** Finishes an order, and starts the next one in the same run. */
  async #finish(finish: Finish): Promise<StaffingOutcome> {
    const { orders, staffing } = this.#parts;
    if (!this.#isStopping && this.#overdue.hasRoom) {
      return await staffing.finishAndStart(finish, { ...this.#asking, seconds: 0 }, ({ started }) => started);
    }
    await orders.finish(finish);
    return EMPTY;
  }

  get #asking() {
    return { queue: this.#machine.queue, barista: this.#barista, signal: this.#stopping.signal };
  }

  /** Asks Redis until it answers; undefined where the order is gone before. */
  async #insist<Answer>(making: Making, ask: () => Promise<Answer>): Promise<Answer | undefined> {
    for (let failures = 1; !making.isGone && !this.#over.signal.aborted; failures += 1) {
      try {
        return await ask();
      } catch (error) {
        if (!isRedisUnavailable(error)) throw error;
        await pause(between(0, maxPauseMs(failures, BACK_OFF)), this.#over.signal);
      }
    }
    return undefined;
  }

  #noteRefusal({ message }: RangeError): void {
    const now = performance.now();
    if (now - this.#refusedAtMs < NEWS_MS) return;
    this.#refusedAtMs = now;
    this.#log.warn({ why: message }, "a note of a machine's was refused");
  }

  /** An outage has a line of its own. */
  #noteError(error: unknown): void {
    const now = performance.now();
    if (isRedisUnavailable(error) || now - this.#errorAtMs < NEWS_MS) return;
    this.#errorAtMs = now;
    this.#log.error({ err: error }, "a machine can't start or end its orders");
  }
}
