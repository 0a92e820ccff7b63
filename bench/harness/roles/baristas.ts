/**
 * Owns baristas in a closed loop, who brew in no time: start, held up to five seconds for an order, then finish; or,
 * with `next`, finish and start the next in one request, and start only where none came.
 *
 * **Invariants**
 * - An order that was started is finished.
 * - At their end nothing is left in the queue.
 */
import { clock } from "../clock.ts";
import { Connection, endpointOf, type Endpoint } from "../connection.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readHandover, readOrder, requestsTo, type Requests } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface BaristasSpec {
  readonly role: "baristas";
  readonly url: string;
  readonly count: number;
  /** Finish and start the next in one request. */
  readonly withNext?: boolean;
}

const WAIT_SECONDS = 5;
/** An order that is on its way back, from somebody who hung up, is in the queue again by then. */
const SETTLE_MS = 100;

interface Barista {
  readonly name: string;
  readonly connection: Connection;
  /** Held for an order, and nothing else: may hang up. */
  isAsking: boolean;
}

export class Baristas implements Role {
  readonly report = emptyReport();
  readonly #count: number;
  readonly #withNext: boolean;
  readonly #endpoint: Endpoint;
  readonly #requests: Requests;
  readonly #baristas: Barista[] = [];
  readonly #loops: Promise<void>[] = [];
  #isEnding = false;

  constructor({ url, count, withNext = false }: BaristasSpec) {
    this.#count = count;
    this.#withNext = withNext;
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
      let orderId: string | undefined;
      while (!this.#isEnding || orderId !== undefined) {
        orderId ??= await this.#start(barista, WAIT_SECONDS);
        if (orderId !== undefined) orderId = await this.#finish(barista, orderId);
      }
    } catch (error) {
      if (!this.#isEnding) noteFault(this.report, messageOf(error));
    }
    barista.connection.close();
  }

  async #drain(barista: Barista): Promise<void> {
    for (;;) {
      const orderId = await this.#start(barista, 0);
      if (orderId === undefined) return;
      await this.#finishOnly(barista, orderId);
    }
  }

  /** Undefined when there was no order. */
  async #start(barista: Barista, waitSeconds: number): Promise<string | undefined> {
    const askedAt = clock();
    barista.isAsking = true;
    const { status, body } = await barista.connection.send(this.#requests.start(barista.name, waitSeconds));
    barista.isAsking = false;
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`start was answered ${status}`);
    const { order_id: orderId } = readOrder(body);
    note(this.report.started, orderId, askedAt);
    return orderId;
  }

  /** Resolves to the next order, where it asks for one and one came. */
  async #finish(barista: Barista, orderId: string): Promise<string | undefined> {
    if (this.#withNext && !this.#isEnding) return await this.#finishAndStart(barista, orderId);
    await this.#finishOnly(barista, orderId);
    return undefined;
  }

  async #finishOnly({ connection, name }: Barista, orderId: string): Promise<void> {
    const sentAt = clock();
    const { status } = await connection.send(this.#requests.finish(orderId, name));
    if (status !== 200) throw new Error(`finish was answered ${status}`);
    note(this.report.finished, orderId, sentAt);
  }

  async #finishAndStart({ connection, name }: Barista, orderId: string): Promise<string | undefined> {
    const sentAt = clock();
    const { status, body } = await connection.send(this.#requests.finish(orderId, name, WAIT_SECONDS));
    if (status !== 200) throw new Error(`finish with next was answered ${status}`);
    const { finished, started } = readHandover(body);
    if (finished.order_id !== orderId) throw new Error("a barista was told of somebody else's finish");
    note(this.report.finished, orderId, sentAt);
    if (started) note(this.report.started, started.order_id, sentAt);
    return started?.order_id;
  }
}
