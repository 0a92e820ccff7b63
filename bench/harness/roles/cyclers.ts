/**
 * Owns a closed loop of place (202 at once), start the oldest, finish it: orders come and go at equal rates, so a
 * backlog keeps its length.
 *
 * **Invariants**
 * - An order that was started is finished.
 */
import { clock } from "../clock.ts";
import { Connection, endpointOf } from "../connection.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readOrder, requestsTo } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface CyclersSpec {
  readonly role: "cyclers";
  readonly customers: string;
  readonly baristas: string;
  readonly count: number;
  /** Orders to place before the first is started. */
  readonly backlog: number;
}

interface Line {
  readonly customer: Connection;
  readonly barista: Connection;
  readonly name: string;
}

export class Cyclers implements Role {
  readonly report = emptyReport();
  readonly #spec: CyclersSpec;
  readonly #loops: Promise<void>[] = [];
  #isEnding = false;
  #notes = 0;

  constructor(spec: CyclersSpec) {
    this.#spec = spec;
  }

  async begin(): Promise<void> {
    const { count, backlog } = this.#spec;
    const customers: Connection[] = [];
    await beginEach(count, async () => {
      customers.push(await Connection.open(endpointOf(this.#spec.customers)));
    });
    let left = backlog;
    const fill = async (customer: Connection): Promise<void> => {
      while (left-- > 0) await this.#place(customer);
    };
    await Promise.all(customers.map(fill));
    // Only now, for a server closes connections that idle.
    await beginEach(count, async (index) => {
      const customer = customers[index] ?? (await Connection.open(endpointOf(this.#spec.customers)));
      const barista = await Connection.open(endpointOf(this.#spec.baristas));
      this.#loops.push(this.#cycle({ customer, barista, name: `cycler-${index + 1}` }));
    });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await allEnd(this.#loops);
  }

  async #cycle({ customer, barista, name }: Line): Promise<void> {
    const requests = requestsTo(endpointOf(this.#spec.baristas));
    try {
      while (!this.#isEnding) {
        await this.#place(customer);
        const startAt = clock();
        const start = await barista.send(requests.start(name, 5));
        if (start.status !== 200) throw new Error(`start was answered ${start.status}`);
        const { order_id: orderId } = readOrder(start.body);
        note(this.report.started, orderId, startAt);
        const finishAt = clock();
        const finish = await barista.send(requests.finish(orderId, name));
        if (finish.status !== 200) throw new Error(`finish was answered ${finish.status}`);
        note(this.report.finished, orderId, finishAt);
      }
    } catch (error) {
      noteFault(this.report, messageOf(error));
    }
    customer.close();
    barista.close();
  }

  async #place(customer: Connection): Promise<void> {
    const sentAt = clock();
    const request = requestsTo(endpointOf(this.#spec.customers)).order(`n${this.#notes++}`, true);
    const { status, body } = await customer.send(request);
    if (status !== 202) throw new Error(`an order was answered ${status}`);
    note(this.report.placed, readOrder(body).order_id, sentAt);
  }
}
