/**
 * Owns customers who lose patience: each orders on a connection of their own, hangs up after a random time, and comes
 * again.
 *
 * **Invariants**
 * - One who was answered first counts as answered.
 */
import { clock } from "../clock.ts";
import { Connection, endpointOf } from "../connection.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { readOrder, requestsTo } from "../requests.ts";
import { allEnd, messageOf, type Role } from "./role.ts";

export interface QuittersSpec {
  readonly role: "quitters";
  readonly url: string;
  readonly count: number;
  /** Longest patience. */
  readonly patienceMs: number;
  readonly prefix: string;
}

export class Quitters implements Role {
  readonly report = emptyReport();
  readonly #spec: QuittersSpec;
  #loops: Promise<void>[] = [];
  #isEnding = false;

  constructor(spec: QuittersSpec) {
    this.#spec = spec;
  }

  async begin(): Promise<void> {
    this.#loops = Array.from({ length: this.#spec.count }, (_, index) => this.#comeAgain(index));
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await allEnd(this.#loops);
  }

  async #comeAgain(index: number): Promise<void> {
    try {
      for (let visit = 0; !this.#isEnding; visit++) await this.#order(`${this.#spec.prefix}${index}.${visit}`);
    } catch (error) {
      noteFault(this.report, messageOf(error));
    }
  }

  async #order(name: string): Promise<void> {
    const endpoint = endpointOf(this.#spec.url);
    const connection = await Connection.open(endpoint);
    const sentAt = clock();
    this.report.sent += 1;
    const answered = connection.send(requestsTo(endpoint).order(name)).catch(() => undefined);
    const answer = await Promise.race([answered, Bun.sleep(Math.random() * this.#spec.patienceMs)]);
    connection.close();
    if (!answer) this.report.left += 1;
    else if (answer.status !== 200) noteFault(this.report, `a customer was answered ${answer.status}`);
    else note(this.report.answered, readOrder(answer.body).order_id, sentAt);
  }
}
