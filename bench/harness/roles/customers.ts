/**
 * Owns customers in a closed loop: each orders, is held until the answer, and orders again.
 *
 * **Invariants**
 * - A customer has one order at a time, under a note of their own, and looks whether the answer is to it.
 */
import type { Answer } from "../answer.ts";
import { clock } from "../clock.ts";
import { Connection, endpointOf } from "../connection.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readOrder, requestsTo } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface CustomersSpec {
  readonly role: "customers";
  readonly url: string;
  readonly count: number;
  /** Begins every note: customers of different parts of the load need different ones. */
  readonly prefix: string;
  /** Local addresses that customers call from in turn. */
  readonly from?: readonly string[];
  /** Mean of the pause between an answer and the next order. */
  readonly pauseMs?: number;
  /** A customer who is refused (429) orders again at once. */
  readonly isFlood?: boolean;
  /** Waits on Nchan's channel of that name in place of ordering. */
  readonly isSubscriber?: boolean;
}

export class Customers implements Role {
  readonly report = emptyReport();
  readonly #spec: CustomersSpec;
  readonly #request: (name: string) => string;
  readonly #loops: Promise<void>[] = [];
  #isEnding = false;

  constructor(spec: CustomersSpec) {
    this.#spec = spec;
    const requests = requestsTo(endpointOf(spec.url));
    this.#request = spec.isSubscriber ? requests.subscribe : (name) => requests.order(name);
  }

  async begin(): Promise<void> {
    const endpoint = endpointOf(this.#spec.url);
    const { count, from = [] } = this.#spec;
    await beginEach(count, async (index) => {
      const connection = await Connection.open(endpoint, from[index % from.length]);
      this.#loops.push(this.#order(connection, index));
    });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await allEnd(this.#loops);
  }

  async #order(connection: Connection, index: number): Promise<void> {
    const { prefix, pauseMs = 0 } = this.#spec;
    try {
      for (let visit = 0; !this.#isEnding; visit++) {
        const name = `${prefix}${index}.${visit}`;
        this.report.sent += 1;
        const sentAt = clock();
        this.#take(await connection.send(this.#request(name)), name, sentAt);
        if (pauseMs > 0) await Bun.sleep(pauseMs * (0.5 + Math.random()));
      }
    } catch (error) {
      noteFault(this.report, messageOf(error));
    }
    connection.close();
  }

  #take({ status, body }: Answer, name: string, sentAt: number): void {
    if (status === 429 && this.#spec.isFlood) {
      this.report.refused += 1;
      return;
    }
    if (status !== 200) return noteFault(this.report, `a customer was answered ${status}`);
    const order = readOrder(body);
    if (order.note !== name) return noteFault(this.report, "a customer got somebody else's order");
    note(this.report.answered, order.order_id, sentAt);
  }
}
