/**
 * Owns the retrying runner: calls wait until Redis serves, and are sent again when they were lost or refused. Every
 * script is idempotent by an id that its caller made, so sending again is safe.
 *
 * Redis *serves* until its connection is lost, it refuses a call, or it is silent. Then it is *unavailable*: no call is
 * sent. One harmless script is sent instead, with pauses that grow, until Redis runs it. So however many calls wait,
 * Redis is asked little.
 *
 * **Invariants**
 * - A call waits for `outageMs` at most, twice that if Redis falls silent under it.
 * - A call that has given up is never sent afterwards.
 * - A script that was denied is not waited for, and not sent again before its rights are back.
 */
import type { Redis } from "ioredis";
import { RedisUnavailableError } from "./unavailable.ts";
import { faultOf } from "./errors.ts";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import { within } from "../within.ts";
import type { Outage, OutageCause } from "./outage.ts";

/** Most tasks that wait for Redis to be back. */
const MAX_TASKS = 10_000;
const BACK_OFF: BackOff = { firstMs: 50, maxMs: 1000 };
const WATCH_MS = 1000;
/** A connection on which nothing is answered for so long is silent. */
const SILENT_MS = 3000;

export interface RetryingRunnerOptions {
  readonly redis: Redis;
  readonly outageMs: number;
  readonly outage: Outage;
  /** Asks Redis for nothing, in a way that it refuses where it would refuse a script. */
  readonly probe: () => Promise<unknown>;
  /** Whether the server's user may do all that the server does. */
  readonly hasRights: () => Promise<boolean>;
  /** Called when Redis serves again, before those who wait go on. */
  readonly served: () => void;
}

export class RetryingRunner {
  readonly #options: RetryingRunnerOptions;
  readonly #tasks = new Set<() => Promise<unknown>>();
  readonly #watch: ReturnType<typeof setInterval>;
  #isClosed = false;
  #isConnected = true;
  #connected = Promise.withResolvers<void>();
  #isServing = true;
  #serves = Promise.withResolvers<void>();
  /** Tries to reach Redis since a call was answered last. */
  #tries = 0;
  readonly #pauses = new Set<() => void>();
  /** Calls that are not answered yet, and when one was last answered, or the first of them sent. */
  #unanswered = 0;
  #movedAtMs = 0;
  /**
   * The value of #movedAtMs at the last look: only the second look finds Redis silent, as this process may have been
   * busy.
   */
  #seenMs = 0;

  /** The connection is ready. */
  constructor(options: RetryingRunnerOptions) {
    this.#options = options;
    options.redis.on("ready", () => {
      this.#isConnected = true;
      this.#connected.resolve();
    });
    options.redis.on("close", () => {
      // Failed attempts to connect close too: calls that wait already go on waiting for the same promise.
      if (this.#isConnected) this.#connected = Promise.withResolvers();
      this.#isConnected = false;
      this.#beginOutage({ kind: "lost" });
    });
    this.#watch = setInterval(() => this.#checkProgress(), WATCH_MS);
  }

  /** As far as the calls showed. */
  get isServing(): boolean {
    return this.#isServing;
  }

  /** Calls `send` once Redis serves, and again when the call was lost or refused. `name` is what may be denied. */
  async run<Reply>(name: string, send: () => Promise<Reply>): Promise<Reply> {
    const { outage, outageMs } = this.#options;
    const deadline = performance.now() + outageMs;
    let mayHaveRun = false;
    let met: unknown;
    for (;;) {
      if (!this.#isServing && !(await this.#servesBefore(deadline))) throw new RedisUnavailableError(mayHaveRun, met);
      if (outage.isDenied(name)) throw new RedisUnavailableError(mayHaveRun, met);
      try {
        const reply = await this.#track(send);
        if (outage.isOn) this.#noteAnswer();
        return reply;
      } catch (error) {
        met = error;
        mayHaveRun = this.#judge(name, error) || mayHaveRun;
      }
    }
  }

  /**
   * Runs a task once Redis serves (again). Of too many, those that come last are dropped, but not vital ones: these are
   * few.
   */
  runWhenReconnected(task: () => Promise<unknown>, isVital = false): void {
    if (this.#isClosed || (this.#tasks.size >= MAX_TASKS && !isVital)) return;
    this.#tasks.add(task);
    if (this.#isServing) this.#runTasks();
  }

  close(): void {
    this.#isClosed = true;
    this.#isServing = false;
    clearInterval(this.#watch);
    for (const endPause of this.#pauses) endPause();
    this.#tasks.clear();
    this.#serves.resolve();
    this.#connected.resolve();
  }

  /** Returns whether the call that failed may have run. Throws what sending again can't mend. */
  #judge(name: string, error: unknown): boolean {
    const fault = faultOf(error);
    switch (fault.kind) {
      case "lost":
        // It is known before the connection says that it closed.
        if (this.#options.redis.status !== "ready") this.#beginOutage({ kind: "lost" });
        return true;
      case "unavailable":
        this.#beginOutage(fault);
        return false;
      case "timed_out":
        this.#beginOutage({ kind: "silent" }, performance.now() - this.#options.outageMs);
        throw new RedisUnavailableError(true, error);
      case "denied":
        this.#deny(name, fault.said);
        // A script that is denied one of its steps has done those before it.
        throw new RedisUnavailableError(true, error);
      case "unknown_script":
      case "known_library":
      case "other":
        throw error;
    }
  }

  async #track<Reply>(send: () => Promise<Reply>): Promise<Reply> {
    if (this.#unanswered === 0) this.#movedAtMs = performance.now();
    this.#unanswered += 1;
    try {
      return await send();
    } finally {
      this.#unanswered -= 1;
      this.#movedAtMs = performance.now();
    }
  }

  /** Only a call's answer ends an outage: a Redis that takes probes and refuses calls is still unavailable. */
  #noteAnswer(): void {
    if (!this.#isServing) return;
    this.#tries = 0;
    this.#options.outage.end();
  }

  #deny(name: string, said: string): void {
    const { outage } = this.#options;
    const isFirst = !outage.hasDenials;
    outage.deny(name, said);
    if (isFirst) void this.#untilAllowed();
  }

  async #untilAllowed(): Promise<void> {
    const { outage, hasRights } = this.#options;
    do await this.#pause(BACK_OFF.maxMs);
    while (!this.#isClosed && !(await hasRights().catch(() => false)));
    if (this.#isClosed) return;
    outage.allowAll();
    this.#runTasks();
  }

  #checkProgress(): void {
    const movedAtMs = this.#movedAtMs;
    const isStuck = this.#unanswered > 0 && movedAtMs === this.#seenMs;
    if (isStuck && performance.now() - movedAtMs > SILENT_MS) this.#beginOutage({ kind: "silent" }, movedAtMs);
    this.#seenMs = movedAtMs;
  }

  #beginOutage(cause: OutageCause, sinceMs?: number): void {
    if (!this.#isServing || this.#isClosed) return;
    this.#isServing = false;
    this.#serves = Promise.withResolvers();
    this.#options.outage.begin(cause, sinceMs);
    // One that has just refused a call would refuse the probe.
    if (cause.kind === "unavailable") this.#tries = Math.max(this.#tries, 1);
    void this.#recover();
  }

  async #recover(): Promise<void> {
    do {
      if (this.#tries > 0) await this.#pause(pauseMs(this.#tries));
      this.#tries += 1;
      if (!this.#isConnected) await this.#connected.promise;
    } while (!this.#isClosed && !(await this.#answersProbe()));
    if (this.#isClosed) return;
    this.#isServing = true;
    this.#options.served();
    this.#serves.resolve();
    this.#runTasks();
  }

  async #answersProbe(): Promise<boolean> {
    try {
      await this.#options.probe();
      return true;
    } catch (error) {
      const { kind } = faultOf(error);
      // The calls report any other failure.
      return kind === "denied" || kind === "other";
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#pauses.add(resolve);
    await promise;
    this.#pauses.delete(resolve);
    clearTimeout(timer);
  }

  #runTasks(): void {
    for (const task of this.#tasks) {
      this.#tasks.delete(task);
      task().catch((error: unknown) => {
        // It waits for the next time that Redis serves again.
        if (error instanceof RedisUnavailableError && !this.#isClosed) this.#tasks.add(task);
      });
    }
  }

  async #servesBefore(deadline: number): Promise<boolean> {
    while (!this.#isServing) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.#isClosed) return false;
      await within(leftMs, this.#serves.promise);
    }
    return true;
  }
}

/** Half of it is chance, so that replicas do not ask in step. */
function pauseMs(tries: number): number {
  return maxPauseMs(tries, BACK_OFF) * (0.5 + Math.random() / 2);
}
