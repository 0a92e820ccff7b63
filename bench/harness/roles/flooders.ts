/**
 * Owns a flood of one request: each of many connections from one address sends it again as soon as it is answered.
 *
 * **Invariants**
 * - 429 counts as refused.
 * - Any other status that this flood does not expect is a fault.
 */
import { Connection, endpointOf } from "../connection.ts";
import { emptyReport, noteFault } from "../report.ts";
import { requestsTo, type FloodRequest } from "../requests.ts";
import { allEnd, beginEach, messageOf, type Role } from "./role.ts";

export interface FloodersSpec {
  readonly role: "flooders";
  readonly url: string;
  readonly count: number;
  readonly request: FloodRequest;
  /** Statuses of what is let in. */
  readonly expected: readonly number[];
}

export class Flooders implements Role {
  readonly report = emptyReport();
  readonly #spec: FloodersSpec;
  readonly #request: string;
  readonly #loops: Promise<void>[] = [];
  #isEnding = false;

  constructor(spec: FloodersSpec) {
    this.#spec = spec;
    this.#request = requestsTo(endpointOf(spec.url)).flood(spec.request);
  }

  async begin(): Promise<void> {
    const endpoint = endpointOf(this.#spec.url);
    await beginEach(this.#spec.count, async () => {
      this.#loops.push(this.#ask(await Connection.open(endpoint)));
    });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await allEnd(this.#loops);
  }

  async #ask(connection: Connection): Promise<void> {
    try {
      while (!this.#isEnding) {
        const { status } = await connection.send(this.#request);
        this.report.sent += 1;
        if (status === 429) this.report.refused += 1;
        else if (this.#spec.expected.includes(status)) this.report.served += 1;
        else noteFault(this.report, `a flooder was answered ${status}`);
      }
    } catch (error) {
      noteFault(this.report, messageOf(error));
    }
    connection.close();
  }
}
