/**
 * Owns one part of the load in its process: people who go round in closed loops, or come by the clock.
 *
 * **Invariants**
 * - What goes wrong with one of them is noted as a fault.
 * - Every wait at an end is bounded. What does not end is missing from the report, and so lost.
 */
import { within } from "../../src/within.ts";
import { Connection } from "./http.ts";
import { emptyReport, noteFault } from "./report.ts";

/** What one part of the load does: it begins, and resolves once all are where the load begins. */
export type Load<Spec> = (crew: Crew, spec: Spec) => Promise<void>;

/** Connections that are being opened at the same time: fewer than a listener's backlog. */
const OPENERS = 64;
const LOOK_MS = 1;
const END_TIMEOUT_MS = 60_000;

export class Crew {
  readonly report = emptyReport();
  /** Nothing new begins. */
  isEnding = false;
  /** What is to be done at the end, before the loops are. */
  beforeEnd = async (): Promise<void> => {};
  readonly #connections = new Set<Connection>();
  readonly #free: Connection[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #pacing: ReturnType<typeof setInterval> | undefined;

  /** Opens a connection that is closed at the end. */
  async open(url: string, localAddress?: string): Promise<Connection> {
    const connection = await Connection.open(url, localAddress);
    this.#connections.add(connection);
    return connection;
  }

  /** Lends a connection for requests that overlap: as many are opened as are needed at once. */
  async lend<Result>(url: string, use: (connection: Connection) => Promise<Result>): Promise<Result> {
    let connection = this.#free.pop();
    // A server closes connections that idle.
    while (connection?.isClosed) connection = this.#free.pop();
    connection ??= await this.open(url);
    const result = await use(connection);
    this.#free.push(connection);
    return result;
  }

  /** Goes on beside everything else. */
  run(task: Promise<unknown>): void {
    const noted = task.catch((error: unknown) => noteFault(this.report, messageOf(error)));
    const running = noted.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** A closed loop: one visit after the other, numbered from 0. */
  loop(visit: (number: number) => Promise<void>): void {
    const comeAgain = async (): Promise<void> => {
      for (let number = 0; !this.isEnding; number++) await visit(number);
    };
    this.run(comeAgain());
  }

  /** An open loop: a tick so many times a second by the clock, whatever became of those before. */
  pace(perSecond: number, tick: () => void): void {
    const begun = performance.now();
    let ticks = 0;
    this.#pacing = setInterval(() => {
      const due = Math.floor(((performance.now() - begun) / 1000) * perSecond);
      for (; ticks < due; ticks++) tick();
    }, LOOK_MS);
  }

  /** Ends what comes by the clock, and waits for what has come. */
  async pause(): Promise<void> {
    clearInterval(this.#pacing);
    await this.settle();
  }

  /** Waits for all that goes on, bounded. */
  async settle(): Promise<void> {
    await within(END_TIMEOUT_MS, Promise.all(this.#running));
  }

  async end(): Promise<void> {
    clearInterval(this.#pacing);
    await this.beforeEnd();
    this.isEnding = true;
    await this.pause();
    this.hangUp();
  }

  hangUp(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** Calls `begin` for 0 … count - 1, a few at a time, and resolves when each has. */
export async function beginEach(count: number, begin: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) await begin(next++);
  };
  await Promise.all(Array.from({ length: Math.min(OPENERS, count) }, opener));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
