/**
 * Owns one order while a machine makes it: its signal, its time, its progress, and what comes of it.
 *
 * **Invariants**
 * - It has one outcome, the first: what the machine answers after that is dropped.
 * - Its signal is aborted if its outcome came from elsewhere than the machine.
 * - It never rejects, and no promise of the machine's is left unhandled.
 */
import type { Order, OrderJson } from "../orders/order.ts";
import type { Log } from "../log.ts";
import { sayFaults, type FieldFault } from "../problem.ts";
import { failureOf, type Failure } from "./failure.ts";
import type { Machine, MakeContext } from "./machine.ts";
import { ProgressReport } from "./progress.ts";
import { encodeResult } from "./result.ts";
import { isRetryLater } from "./retry-later.ts";

/** So that a machine that does not end pushes few events of others out. */
const MAX_NOTES = 100;

/**
 * `made`: the result as JSON. `failed`: for good. `later`: to be tried again, after so many seconds. `lost`: another
 * has the order, or it is cancelled. `given_back`: the server stops.
 */
export type MakingOutcome =
  | { readonly kind: "made"; readonly result: string }
  | Failure
  | { readonly kind: "later"; readonly seconds: number | undefined; readonly message: string }
  | { readonly kind: "lost" | "given_back" };

export interface MakingParts {
  readonly machine: Machine;
  readonly orderId: string;
  readonly order: OrderJson;
  /** The span of the making; undefined where there is none. */
  readonly traceparent?: string | undefined;
  readonly log: Log;
  /** Stores progress, as JSON. It never rejects. */
  readonly sendProgress: (progress: string) => Promise<void>;
  /** Stores an event of the machine's own. It rejects with a RangeError for what is none. */
  readonly note: MakeContext["note"];
  /** One was refused: the machine itself may never look. */
  readonly noteRefused: (error: RangeError) => void;
}

export class Making {
  readonly orderId: string;
  /** How often the order was started, this time included. */
  readonly attempts: number;
  /** Resolves once the machine's code has ended, however late. */
  readonly returned: Promise<void>;
  readonly #controller = new AbortController();
  readonly #ended = Promise.withResolvers<MakingOutcome>();
  readonly #progress: ProgressReport;
  readonly #note: MakeContext["note"];
  readonly #noteRefused: MakingParts["noteRefused"];
  #noted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasReturned = false;
  #isGone = false;

  /** Has the machine begin. Throws for what is no order. */
  constructor({ machine, orderId, order, traceparent, log, sendProgress, note, noteRefused }: MakingParts) {
    this.#note = note;
    this.#noteRefused = noteRefused;
    this.orderId = orderId;
    const read = JSON.parse(order) as Order;
    this.attempts = read.attempts;
    this.#progress = new ProgressReport(sendProgress);
    this.returned = this.#make(machine, read, { log, traceparent: traceparent ?? read.traceparent });
    const { timeoutSeconds } = machine;
    this.#timer = setTimeout(() => this.#runOut(timeoutSeconds), timeoutSeconds * 1000);
  }

  /** Whether the machine's code has ended. */
  get hasReturned(): boolean {
    return this.#hasReturned;
  }

  /** Whether the order is no longer this one's to end: it was lost, or given back. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** What came of it, once its last progress is sent. */
  async outcome(): Promise<MakingOutcome> {
    const outcome = await this.#ended.promise;
    clearTimeout(this.#timer);
    if (outcome.kind === "lost" || outcome.kind === "given_back") this.#progress.drop();
    else await this.#progress.flush();
    return outcome;
  }

  /** The order is no longer held: another has it, or it is cancelled. */
  lose(): void {
    this.#leave("lost", "the order's lease is lost");
  }

  /** The server stops. */
  giveBack(): void {
    this.#leave("given_back", "the server stops");
  }

  #leave(kind: "lost" | "given_back", why: string): void {
    this.#isGone = true;
    this.#end({ kind });
    this.#abort(why, "AbortError");
  }

  #runOut(seconds: number): void {
    const error = `the machine did not answer within ${seconds} s`;
    this.#end({ kind: "failed", fault: "timed_out", error });
    this.#abort(error, "TimeoutError");
  }

  #end(outcome: MakingOutcome): void {
    this.#ended.resolve(outcome);
  }

  #abort(why: string, name: string): void {
    if (!this.#hasReturned) this.#controller.abort(new DOMException(why, name));
  }

  async #make(machine: Machine, order: Order, given: Pick<MakeContext, "log" | "traceparent">): Promise<void> {
    const { signal } = this.#controller;
    const progress: ProgressReport["say"] = (said) => this.#progress.say(said);
    const note: MakeContext["note"] = (event, data) => {
      const noting = this.#addNote(event, data);
      // One that the machine does not await would end the server.
      noting.catch(this.#noteRefused);
      return noting;
    };
    try {
      const faults = machine.checkInput(order.input);
      if (faults.length > 0) return this.#end(refuseInput(faults));
      const value = await machine.make(order.input, { ...given, signal, order, progress, note });
      // What comes too late need not be read.
      if (!signal.aborted) this.#end(readOutput(machine, value));
    } catch (error) {
      this.#end(readThrown(error));
    } finally {
      this.#hasReturned = true;
    }
  }

  async #addNote(...[event, data]: Parameters<MakeContext["note"]>): Promise<void> {
    if (this.#noted === MAX_NOTES) throw new RangeError(`an order may have ${MAX_NOTES} events of its machine's own`);
    this.#noted += 1;
    await this.#note(event, data);
  }
}

function refuseInput(faults: readonly FieldFault[]): Failure {
  return { kind: "failed", fault: "wrong_input", error: `the machine can't take the input: ${sayFaults(faults)}` };
}

function readOutput(machine: Machine, value: unknown): MakingOutcome {
  const encoded = encodeResult(machine, value);
  return encoded.kind === "result" ? { kind: "made", result: encoded.json } : encoded;
}

/** Reading what was thrown may throw again: it is the machine's. */
function readThrown(error: unknown): MakingOutcome {
  try {
    if (isRetryLater(error)) return { kind: "later", seconds: error.seconds, message: error.message };
    return failureOf(error);
  } catch {
    return failureOf(undefined);
  }
}
