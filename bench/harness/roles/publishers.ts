/**
 * Owns who publishes on Nchan's channels so many answers a second, by the clock: one to each subscriber in turn.
 *
 * **Invariants**
 * - Every channel that a subscriber waits on gets one message, in the end too.
 */
import { clock } from "../clock.ts";
import { endpointOf } from "../connection.ts";
import { pace } from "../pace.ts";
import { Pool } from "../pool.ts";
import { emptyReport, note, noteFault } from "../report.ts";
import { requestsTo, type Requests } from "../requests.ts";
import { allEnd, messageOf, type Role } from "./role.ts";

export interface PublishersSpec {
  readonly role: "publishers";
  readonly url: string;
  readonly perSecond: number;
  /** Each part of the subscribers: how many, and how their notes begin. */
  readonly to: readonly { readonly count: number; readonly prefix: string }[];
}

export class Publishers implements Role {
  readonly report = emptyReport();
  readonly #perSecond: number;
  readonly #pool: Pool;
  readonly #requests: Requests;
  /** Each subscriber's channels, without the number of the visit. */
  readonly #names: readonly string[];
  readonly #running = new Set<Promise<void>>();
  #published = 0;
  #stopPacing = (): void => {};

  constructor({ url, perSecond, to }: PublishersSpec) {
    this.#perSecond = perSecond;
    const endpoint = endpointOf(url);
    this.#pool = new Pool(endpoint);
    this.#requests = requestsTo(endpoint);
    this.#names = to.flatMap(({ count, prefix }) => Array.from({ length: count }, (_, index) => `${prefix}${index}`));
  }

  async begin(): Promise<void> {
    this.#stopPacing = pace(this.#perSecond, () => this.#publishNext());
  }

  async pause(): Promise<void> {
    this.#stopPacing();
    await allEnd([...this.#running]);
  }

  /** One more to each, for all wait again. */
  async end(): Promise<void> {
    await this.pause();
    for (let count = 0; count < this.#names.length; count++) {
      this.#publishNext();
      if (count % 100 === 99) await allEnd([...this.#running]);
    }
    await allEnd([...this.#running]);
    this.#pool.close();
  }

  #publishNext(): void {
    const visit = Math.floor(this.#published / this.#names.length);
    const channel = `${this.#names[this.#published % this.#names.length]}.${visit}`;
    this.#published += 1;
    const running = this.#publish(channel)
      .catch((error: unknown) => noteFault(this.report, messageOf(error)))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #publish(channel: string): Promise<void> {
    let sentAt = 0;
    const { status } = await this.#pool.send(this.#requests.publish(channel), () => (sentAt = clock()));
    if (status !== 200 && status !== 201 && status !== 202) throw new Error(`publish was answered ${status}`);
    note(this.report.finished, channel, sentAt);
  }
}
