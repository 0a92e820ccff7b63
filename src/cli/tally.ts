/**
 * Owns how customers fared, counted from where they stand: nothing is taken from the server's word.
 *
 * **Invariants**
 * - A customer who arrived ends in exactly one way, or is still waiting.
 * - A second customer with the same order ends in `doubled`.
 */
import { formatSummary, formatWaits, waitFigures, type Row } from "./summary.ts";

/**
 * served, cancelled: the order's final states. refused: turned away, and did not ask again. failed: any other answer.
 * wrong, doubled: another customer's order. lost: no answer to the end. left: hung up.
 */
export type Ending = "served" | "cancelled" | "refused" | "failed" | "wrong" | "doubled" | "lost" | "left";

export class CustomerTally {
  arrived = 0;
  /** Answers of 429 or 503; a patient customer asks again after each. */
  refusals = 0;
  connectionsLost = 0;
  /** Customers who lost a connection and got their order all the same. */
  resumed = 0;
  readonly endings: Record<Ending, number> = {
    served: 0,
    cancelled: 0,
    refused: 0,
    failed: 0,
    wrong: 0,
    doubled: 0,
    lost: 0,
    left: 0,
  };
  readonly #waitedMs: number[] = [];
  readonly #faults = new Map<string, number>();
  readonly #answeredTo: Map<string, string>;

  /** `answeredTo` maps order ids to customers; tallies that share it find an order answered across them. */
  constructor(answeredTo: Map<string, string> = new Map()) {
    this.#answeredTo = answeredTo;
  }

  get ended(): number {
    return Object.values(this.endings).reduce((sum, count) => sum + count, 0);
  }

  get waiting(): number {
    return this.arrived - this.ended;
  }

  /** Whether this order was answered to no other customer; from now on it was answered to `customer`. */
  claim(orderId: string, customer: string): boolean {
    const first = this.#answeredTo.get(orderId) ?? customer;
    this.#answeredTo.set(orderId, first);
    return first === customer;
  }

  /** Counts a customer's end. `waitedMs` counts for who was served; `fault` says what was wrong. */
  end(ending: Ending, { waitedMs, fault }: { waitedMs: number; fault?: string | undefined }): void {
    this.endings[ending]++;
    if (ending === "served") this.#waitedMs.push(waitedMs);
    if (fault) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }

  /** Counters for the live display. */
  counters(): Record<string, number> {
    const { served, cancelled, lost } = this.endings;
    const problems = lost + this.mistakes;
    return {
      served,
      waiting: this.waiting,
      "turned away": this.refusals,
      "connections lost": this.connectionsLost,
      cancelled,
      problems,
    };
  }

  /** Answers that no server may give, to whomever. */
  get mistakes(): number {
    const { failed, wrong, doubled } = this.endings;
    return failed + wrong + doubled;
  }

  /** All of it, as figures. */
  figures(): object {
    const { arrived, refusals, connectionsLost, resumed } = this;
    const counts = { turned_away: refusals, connections_lost: connectionsLost, resumed };
    return { arrived, ...this.endings, ...counts, waited_seconds: waitFigures(this.#waitedMs) };
  }

  /** The summary, in rows; rows that say nothing in most runs are left out while they are 0. */
  summary(title: string): string {
    const { served, cancelled, lost, left, failed, wrong, doubled } = this.endings;
    const always: Row[] = [
      ["served", `${served} of ${this.arrived}`],
      ["waited", formatWaits(this.#waitedMs)],
      ["cancelled", cancelled],
      ["lost", lost],
    ];
    const rest: Row[] = [
      ["turned away (429, 503)", this.refusals],
      ["connections lost", this.connectionsLost],
      ["resumed after that", this.resumed],
      ["hung up", left],
      ["answers that failed", failed],
      ["wrong orders", wrong],
      ["orders answered twice", doubled],
    ];
    const faults: Row[] = [...this.#faults].slice(0, 5).map(([fault, count]) => [fault, count]);
    return formatSummary(title, [...always, ...rest.filter(([, value]) => value !== 0), ...faults]);
  }
}
