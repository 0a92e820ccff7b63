/**
 * Owns a staff that finishes so many orders a second, by the clock, and starts as many.
 *
 * **Invariants**
 * - It finishes from a stock of started orders, so that the time of a finish is its own.
 * - The stock is finished in the end.
 */
import { clock } from "../clock.ts";
import { endpointOf } from "../connection.ts";
import { pace } from "../pace.ts";
import { Pool } from "../pool.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readOrder, requestsTo, type Requests } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface FinishersSpec {
  readonly role: "finishers";
  readonly url: string;
  readonly perSecond: number;
  /** Orders that are started before the first is finished. */
  readonly stock: number;
}

const NAME = "finisher";

export class Finishers implements Role {
  readonly report = emptyReport();
  readonly #spec: FinishersSpec;
  readonly #pool: Pool;
  readonly #requests: Requests;
  readonly #stock: string[] = [];
  readonly #running = new Set<Promise<void>>();
  #stopPacing = (): void => {};

  constructor(spec: FinishersSpec) {
    this.#spec = spec;
    const endpoint = endpointOf(spec.url);
    this.#pool = new Pool(endpoint);
    this.#requests = requestsTo(endpoint);
  }

  async begin(): Promise<void> {
    await beginEach(this.#spec.stock, () => this.#start());
    this.#stopPacing = pace(this.#spec.perSecond, () => {
      this.#run(this.#start());
      const orderId = this.#stock.shift();
      if (orderId !== undefined) this.#run(this.#finish(orderId));
    });
  }

  async pause(): Promise<void> {
    this.#stopPacing();
    await allEnd([...this.#running]);
  }

  async end(): Promise<void> {
    await this.pause();
    await allEnd(this.#stock.splice(0).map((orderId) => this.#finish(orderId)));
    this.#pool.close();
  }

  #run(task: Promise<void>): void {
    const running = task
      .catch((error: unknown) => noteFault(this.report, messageOf(error)))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #start(): Promise<void> {
    let sentAt = 0;
    const { status, body } = await this.#pool.send(this.#requests.start(NAME, 0), () => (sentAt = clock()));
    if (status === 404) return;
    if (status !== 200) throw new Error(`start was answered ${status}`);
    const { order_id: orderId } = readOrder(body);
    note(this.report.started, orderId, sentAt);
    this.#stock.push(orderId);
  }

  async #finish(orderId: string): Promise<void> {
    let sentAt = 0;
    const { status } = await this.#pool.send(this.#requests.finish(orderId, NAME), () => (sentAt = clock()));
    if (status !== 200) throw new Error(`finish was answered ${status}`);
    note(this.report.finished, orderId, sentAt);
  }
}
