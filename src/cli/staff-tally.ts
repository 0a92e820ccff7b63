/**
 * Owns what a staff of baristas did, counted from where they stand.
 *
 * **Invariants**
 * - An order that was started is being brewed, or ended in exactly one way.
 */
import { formatSummary, formatWaits, waitFigures, type Row } from "./summary.ts";

/**
 * finished, released: as the server agreed. conflicts: the server said that it was no longer theirs. unsettled: it
 * never answered.
 */
export type Handover = "finished" | "released" | "conflicts" | "unsettled";

export class StaffTally {
  started = 0;
  /** Orders that were handed out while one of these baristas was brewing them, or after one had finished them. */
  doubled = 0;
  connectionsLost = 0;
  refusals = 0;
  lastStartedMs = performance.now();
  readonly handovers: Record<Handover, number> = { finished: 0, released: 0, conflicts: 0, unsettled: 0 };
  readonly #queuedMs: number[] = [];
  readonly #faults = new Set<string>();
  readonly #taken = new Set<string>();

  get brewing(): number {
    return this.started - Object.values(this.handovers).reduce((sum, count) => sum + count, 0);
  }

  get lostNothing(): boolean {
    return this.doubled + this.handovers.conflicts + this.handovers.unsettled + this.#faults.size === 0;
  }

  /** Counts an order that was taken. `queuedMs` is how long it stood in the queue, by the server's clock. */
  start(orderId: string, queuedMs: number): void {
    this.started++;
    this.lastStartedMs = performance.now();
    this.#queuedMs.push(queuedMs);
    if (this.#taken.has(orderId)) this.doubled++;
    this.#taken.add(orderId);
  }

  /** Counts how an order that was taken ended. Only a finished one may never be handed out again. */
  handOver(orderId: string, handover: Handover): void {
    this.handovers[handover]++;
    if (handover !== "finished") this.#taken.delete(orderId);
  }

  /** Notes an answer that sends a barista home. */
  fault(text: string): void {
    this.#faults.add(text);
  }

  /** Counters for the live display. */
  counters(): Record<string, number> {
    const { finished, released, conflicts, unsettled } = this.handovers;
    const problems = this.doubled + conflicts + unsettled + this.#faults.size;
    return { brewing: this.brewing, finished, released, "connections lost": this.connectionsLost, problems };
  }

  /** All of it, as figures. */
  figures(): object {
    const { started, doubled, refusals, connectionsLost } = this;
    const counts = { doubled, turned_away: refusals, connections_lost: connectionsLost, sent_home: [...this.#faults] };
    return { started, ...this.handovers, ...counts, queued_seconds: waitFigures(this.#queuedMs) };
  }

  /** The summary, in rows; rows that say nothing in most runs are left out while they are 0. */
  summary(title: string): string {
    const { finished, released, conflicts, unsettled } = this.handovers;
    const rest: Row[] = [
      ["released", released],
      ["connections lost", this.connectionsLost],
      ["turned away (429, 503)", this.refusals],
      ["no longer theirs when done", conflicts],
      ["never answered when done", unsettled],
      ["orders handed out twice", this.doubled],
    ];
    const faults: Row[] = [...this.#faults].slice(0, 5).map((fault) => ["sent home", fault]);
    const always: Row[] = [
      ["finished", finished],
      ["stood in the queue", formatWaits(this.#queuedMs)],
    ];
    return formatSummary(title, [...always, ...rest.filter(([, value]) => value !== 0), ...faults]);
  }
}
