/**
 * Owns the making of one order by a worker's handler, from its start until it is known how it ended.
 *
 * **Invariants**
 * - The order's lease is extended until then.
 * - A handler that does not end by itself is not waited for once its order has to go.
 */
import type { Order } from "../orders/order.ts";
import { boundError } from "../machines/error-text.ts";
import { ProgressReport, type Progress } from "../machines/progress.ts";
import { isRetryLater, retryAfterMs } from "../machines/retry-later.ts";
import type { Barista } from "./barista.ts";
import type { FailureDraft } from "../orders/views.ts";
import type { LeaseTerm } from "./lease.ts";
import { pause } from "../pause.ts";
import { OrderRefused } from "./problem.ts";
import type { Made } from "./turns.ts";

const EXTENSIONS_A_LEASE = 3;
/** The shortest lease is a second. What is made sooner needs no extension. */
const FIRST_LOOK_MS = 300;

/** What a handler is given beside the input. */
export interface Work {
  readonly order: Order;
  /** Aborted when the order is given back, and when it is no longer this worker's: what is answered then is dropped. */
  readonly signal: AbortSignal;
  /** Shows how far the order is. Sent in the background: of many the latest, and the last before the order ends. */
  readonly progress: (progress: Progress) => void;
}

/** Makes one order. What it answers is its result; what it throws fails the order; a RetryLater puts it back. */
export type Handler<Input = unknown, Output = unknown> = (input: Input, work: Work) => Output | Promise<Output>;

export interface MakingOptions {
  readonly barista: Barista;
  readonly lease: LeaseTerm;
  /** Aborting it gives the order back. */
  readonly giveBack: AbortSignal;
}

/** Runs the handler until it has ended or its order has to go. Never rejects. */
export async function makeOrder(order: Order, handler: Handler, options: MakingOptions): Promise<Made> {
  const { giveBack } = options;
  if (giveBack.aborted) return { kind: "released" };
  const making = new Making(order, options);
  giveBack.addEventListener("abort", making.release);
  try {
    return await making.run(handler);
  } finally {
    giveBack.removeEventListener("abort", making.release);
  }
}

class Making {
  readonly #order: Order;
  readonly #options: MakingOptions;
  readonly #report: ProgressReport;
  /** The handler's. */
  readonly #handling = new AbortController();
  /** Aborted when it is known how the order ended. */
  readonly #over = new AbortController();
  readonly #cut: Promise<Made>;
  #resolveCut = (_made: Made): void => {};

  constructor(order: Order, options: MakingOptions) {
    this.#order = order;
    this.#options = options;
    this.#cut = new Promise((resolve) => (this.#resolveCut = resolve));
    this.#report = new ProgressReport((progress) => this.#sendProgress(progress));
  }

  readonly release = (): void => this.#end({ kind: "released" }, this.#options.giveBack.reason);

  async run(handler: Handler): Promise<Made> {
    void this.#keepLease();
    const made = await Promise.race([this.#handle(handler), this.#cut]);
    if (!this.#handling.signal.aborted) await Promise.race([this.#report.flush(), this.#cut]);
    this.#report.drop();
    this.#over.abort();
    return made;
  }

  async #handle(handler: Handler): Promise<Made> {
    try {
      const progress = (said: Progress): void => this.#report.say(said);
      const order = this.#order;
      const result = await handler(order.input, {
        order,
        signal: this.#handling.signal,
        progress,
      });
      return { kind: "finished", result: JSON.stringify(result) };
    } catch (error) {
      return { kind: "failed", failure: failureOf(error, this.#order.attempts) };
    }
  }

  /** Extends the lease until the order has ended. A try that fails is made up for by the next. */
  async #keepLease(): Promise<void> {
    const { barista, lease } = this.#options;
    const { signal } = this.#over;
    for (let waitedMs = FIRST_LOOK_MS; ; waitedMs = 0) {
      await pause(waitedMs, signal);
      if (signal.aborted) return;
      await pause((await lease.readMs()) / EXTENSIONS_A_LEASE - waitedMs, signal);
      if (signal.aborted) return;
      await barista.extend(this.#order.order_id, signal).catch(this.#judge);
    }
  }

  async #sendProgress(progress: string): Promise<void> {
    await this.#options.barista.progress(this.#order.order_id, progress, this.#over.signal).catch(this.#judge);
  }

  /** What is refused because the order is another's, or has ended, cuts its making short. Nothing else does. */
  readonly #judge = (error: unknown): void => {
    const isLost = error instanceof OrderRefused && [404, 409].includes(error.status);
    if (isLost) this.#end({ kind: "lost" }, error);
  };

  #end(made: Made, reason: unknown): void {
    this.#resolveCut(made);
    this.#handling.abort(reason);
  }
}

function failureOf(error: unknown, attempts: number): FailureDraft {
  const said = boundError(error instanceof Error ? error.message : String(error), "the worker failed");
  if (!isRetryLater(error)) return { error: said, retry: false };
  const seconds = Math.ceil(retryAfterMs(error.seconds, attempts) / 1000);
  return { error: said, retry: true, retry_after_seconds: seconds };
}
