/**
 * Owns the supervisor, the loop that keeps the one Redis running: it dies, there is a pause, it is started again.
 *
 * **Invariants**
 * - It is a running child, a pause, or stopped.
 * - Once stopped, no process is left.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { StartError } from "../../lifecycle.ts";
import type { Log } from "../../log.ts";
import { maxPauseMs, type BackOff } from "../../back-off.ts";
import { within } from "../../within.ts";
import { ask } from "./ask.ts";
import { type Child, type Home, logTail, startChild, untilAnswers, writeFault } from "./child.ts";

/** A Redis that lived shorter than this died at once. */
const QUICK_DEATH_MS = 5000;
/** So many quick deaths in a row are more than bad luck. */
const ALARMING_DEATHS = 5;
const BACK_OFF: BackOff = { firstMs: 100, maxMs: 5000 };

type Settings = { readonly program: string; readonly home: Home; readonly log: Log; readonly stopTimeoutMs: number };

export class Supervisor {
  readonly #program: string;
  readonly #home: Home;
  readonly #log: Log;
  readonly #stopTimeoutMs: number;
  readonly #stopping = new AbortController();
  #child: Child | undefined;
  #supervision: Promise<void> = Promise.resolve();

  constructor({ program, home, log, stopTimeoutMs }: Settings) {
    this.#program = program;
    this.#home = home;
    this.#log = log;
    this.#stopTimeoutMs = stopTimeoutMs;
  }

  /**
   * Resolves once Redis answers. `silenceTimeoutMs` is how long it may say nothing until then. Throws StartError, and
   * leaves no process, if it does not come to that.
   */
  async start(silenceTimeoutMs: number): Promise<void> {
    const child = this.#startChild();
    const outcome = await untilAnswers({ child, home: this.#home, log: this.#log, silenceTimeoutMs });
    if (outcome === "answers") {
      this.#supervision = this.#supervise(child);
      return;
    }
    await this.#endChild();
    const what =
      outcome === "ended" ? `did not start (${await child.ended})` : `said nothing for ${silenceTimeoutMs / 1000} s`;
    throw new StartError(`${this.#program} ${what}. The end of ${this.#home.logPath}:\n${await logTail(this.#home)}`);
  }

  /** Resolves once no process is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#endChild();
    await this.#supervision;
  }

  #startChild(): Child {
    this.#child = startChild(this.#program, this.#home);
    return this.#child;
  }

  /** Asks the child to end, waits, and kills it as the last resort. */
  async #endChild(): Promise<void> {
    const child = this.#child;
    if (!child || child.hasEnded()) return;
    const deadline = performance.now() + this.#stopTimeoutMs;
    // Without a snapshot: every answered write is in the append-only file already.
    const { kind } = await ask({
      socketPath: this.#home.socketPath,
      command: ["SHUTDOWN", "NOSAVE"],
      timeoutMs: this.#stopTimeoutMs,
    });
    // It was only just started and does not listen yet.
    if (kind === "no_process") child.signal("SIGTERM");
    if (await endsWithin(child, Math.max(0, deadline - performance.now()))) return;
    this.#log.error(
      `the embedded Redis did not stop within ${this.#stopTimeoutMs / 1000} s and is killed; no order is lost by that`,
    );
    child.signal("SIGKILL");
    await child.ended;
  }

  async #supervise(first: Child): Promise<void> {
    const { signal } = this.#stopping;
    let child = first;
    let quickDeaths = 0;
    let outageSince: number | undefined;
    for (;;) {
      const how = await child.ended;
      if (signal.aborted) return;
      if (outageSince === undefined) await this.#logDeath(child, how);
      outageSince ??= performance.now();
      quickDeaths = performance.now() - child.startedAt < QUICK_DEATH_MS ? quickDeaths + 1 : 0;
      if (quickDeaths === ALARMING_DEATHS) this.#logAlarm(how);
      await pause(pauseMs(quickDeaths), signal);
      if (signal.aborted) return;
      child = this.#startChild();
      // However long it takes: customers wait through an outage, and a child that can't start ends.
      const outcome = await untilAnswers({
        child,
        home: this.#home,
        log: this.#log,
        silenceTimeoutMs: Number.POSITIVE_INFINITY,
      });
      if (outcome !== "answers") continue;
      this.#log.info({ seconds: secondsSince(outageSince) }, "the embedded Redis runs again");
      outageSince = undefined;
    }
  }

  async #logDeath(child: Child, how: string): Promise<void> {
    const fault = await writeFault(child, this.#home).catch(() => undefined);
    if (fault === undefined) return this.#log.warn({ how }, "the embedded Redis died and is started again");
    this.#log.error(
      { how, see: this.#home.logPath },
      `the embedded Redis can't write to ${this.#home.folder} (${fault}): orders wait until there is room; it is started again`,
    );
  }

  #logAlarm(how: string): void {
    const alarm = `the embedded Redis died ${ALARMING_DEATHS} times in a row; it is still tried, every ${BACK_OFF.maxMs / 1000} s in the end`;
    this.#log.error({ how, see: this.#home.logPath }, alarm);
  }
}

async function endsWithin(child: Child, timeoutMs: number): Promise<boolean> {
  const hasEnded = child.ended.then(() => true);
  return (await within(timeoutMs, hasEnded)) ?? false;
}

/** Resolves after `ms`, or at once when `signal` says so. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** None after a long life, then longer with each quick death. */
function pauseMs(quickDeaths: number): number {
  return quickDeaths === 0 ? 0 : maxPauseMs(quickDeaths, BACK_OFF);
}

function secondsSince(time: number): number {
  return Math.round(performance.now() - time) / 1000;
}
