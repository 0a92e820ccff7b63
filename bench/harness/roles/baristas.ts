/**
 * Owns baristas in a closed loop, who brew in no time: start, held up to five seconds for an order, then finish.
 * Always holds: an order that was started is finished; at their end nothing is left in the queue.
 */
import { clock } from "../clock.ts";
import { Connection, endpointOf, type Endpoint } from "../connection.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readOrder, requestsTo, type Requests } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface BaristasSpec {
  readonly role: "baristas";
  readonly url: string;
  readonly count: number;
}

const WAIT_SECONDS = 5;
/** An order that is on its way back, from somebody who hung up, is in the queue again by then. */
const SETTLE_MS = 100;

interface Barista {
  readonly name: string;
  readonly connection: Connection;
  isAsking: boolean;
}

export class Baristas implements Role {
  readonly report = emptyReport();
  readonly #count: number;
  readonly #endpoint: Endpoint;
  readonly #requests: Requests;
  readonly #baristas: Barista[] = [];
  readonly #loops: Promise<void>[] = [];
  #isEnding = false;

  constructor({ url, count }: BaristasSpec) {
    this.#count = count;
    this.#endpoint = endpointOf(url);
    this.#requests = requestsTo(this.#endpoint);
  }

  async begin(): Promise<void> {
    await beginEach(this.#count, async (index) => {
      const barista = await this.#hire(`barista-${index + 1}`);
      this.#baristas.push(barista);
      this.#loops.push(this.#work(barista));
    });
  }

  /** Makes what is left, and sends home who still waits for an order. */
  async end(): Promise<void> {
    const last = await this.#hire("barista-last");
    await this.#drain(last);
    await Bun.sleep(SETTLE_MS);
    await this.#drain(last);
    this.#isEnding = true;
    last.connection.close();
    for (const { isAsking, connection } of this.#baristas) if (isAsking) connection.close();
    await allEnd(this.#loops);
  }

  async #hire(name: string): Promise<Barista> {
    return { name, connection: await Connection.open(this.#endpoint), isAsking: false };
  }

  async #work(barista: Barista): Promise<void> {
    try {
      while (!this.#isEnding) await this.#make(barista, WAIT_SECONDS);
    } catch (error) {
      if (!this.#isEnding) noteFault(this.report, messageOf(error));
    }
    barista.connection.close();
  }

  async #drain(barista: Barista): Promise<void> {
    while (await this.#make(barista, 0)) {
      // Until the queue is empty.
    }
  }

  /** False when there was no order. */
  async #make(barista: Barista, waitSeconds: number): Promise<boolean> {
    const { name, connection } = barista;
    const askedAt = clock();
    barista.isAsking = true;
    const start = await connection.send(this.#requests.start(name, waitSeconds));
    barista.isAsking = false;
    if (start.status === 404) return false;
    if (start.status !== 200) throw new Error(`start was answered ${start.status}`);
    const { order_id: orderId } = readOrder(start.body);
    note(this.report.started, orderId, askedAt);
    const finishedAt = clock();
    const finish = await connection.send(this.#requests.finish(orderId, name));
    if (finish.status !== 200) throw new Error(`finish was answered ${finish.status}`);
    note(this.report.finished, orderId, finishedAt);
    return true;
  }
}
