/**
 * Owns the baristas of the load tests: over HTTP, through whatever goes wrong between.
 *
 * **Invariants**
 * - A barista who lost an answer, or was refused for now, asks for the same order until it is finished.
 * - Each order that one got is noted once for each time it was given out.
 */
import { expect } from "bun:test";
import { ask, expectOrder, applyVerb, type Answer, type Ports, type WireOrder } from "./http.ts";
import { until } from "./until.ts";

/** Statuses that pass: a proxy without its server, a server that stops or has no Redis. */
const PASSING = [502, 503, 504];
const PAUSE_MS = 20;
const SHIFT_MS = 110_000;
/** Longer than any outage of a test: after it, the test has failed, and none asks on. */
const TIMEOUT_MS = 40_000;

interface StaffOptions {
  readonly baristas: number;
  /** How long an order is brewing. */
  readonly brewMs?: number;
  /** How many orders may be started before `mayMake` is raised. */
  readonly mayMake?: number;
}

export class Staff {
  /** Ids of the orders that were given out, once for each time. */
  readonly taken: string[] = [];
  readonly finished: WireOrder[] = [];
  mayMake: number;
  readonly #url: Pick<Ports, "baristas">;
  readonly #brewMs: number;
  readonly #shifts: Promise<void>[];
  /** Orders that are being taken, or were. */
  #claimed = 0;
  #isOver = false;

  constructor(url: Pick<Ports, "baristas">, { baristas, brewMs = 0, mayMake = Infinity }: StaffOptions) {
    this.#url = url;
    this.#brewMs = brewMs;
    this.mayMake = mayMake;
    this.#shifts = Array.from({ length: baristas }, (_, index) => this.#work(`barista-${index}`));
    // Thrown by goHome.
    for (const shift of this.#shifts) shift.catch(() => {});
  }

  /** Lets all finish what they have; rejects with what any was answered that is no way to treat a barista. */
  async goHome(): Promise<void> {
    this.#isOver = true;
    const ends = await Promise.allSettled(this.#shifts);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #work(barista: string): Promise<void> {
    let claim = crypto.randomUUID();
    while (!this.#isOver) {
      await until(() => this.#isOver || this.#claimed < this.mayMake, "there is something to do", SHIFT_MS);
      if (this.#isOver) return;
      this.#claimed += 1;
      const started = await this.#take(barista, claim);
      if (!started) {
        this.#claimed -= 1;
        continue;
      }
      claim = crypto.randomUUID();
      this.taken.push(started.order_id);
      await Bun.sleep(this.#brewMs);
      const { order_id } = started;
      const answer = await this.#insist(() => applyVerb(this.#url, "finish", order_id, `barista=${barista}`));
      this.finished.push(expectOrder(answer, { order_id, barista, status: "ready" }));
    }
  }

  async #take(barista: string, claim: string): Promise<WireOrder | undefined> {
    const headers = { "Idempotency-Key": claim };
    const url = `${this.#url.baristas}/start/?wait=2&barista=${barista}`;
    const answer = await this.#insist(() => ask(url, { headers }));
    return answer.status === 404 ? undefined : expectOrder(answer, { status: "brewing", barista });
  }

  /** Asks until there is an answer that counts. */
  async #insist(asking: () => Promise<Answer>): Promise<Answer> {
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const answer = await asking().catch(() => undefined);
      if (answer && !PASSING.includes(answer.status)) return answer;
      if (performance.now() > deadline) throw new Error(`no answer that counts, at last: ${answer?.text ?? "none"}`);
      await Bun.sleep(PAUSE_MS);
    }
  }
}

/** Expects that these customers got an order each, that all of those were made, each once, and no others. */
export function expectDelivered(got: readonly WireOrder[], staff: Staff): void {
  const ids = got.map(({ order_id }) => order_id).toSorted();
  expect(new Set(ids).size).toBe(ids.length);
  expect(staff.taken.toSorted()).toEqual(ids);
  expect(staff.finished.map(({ order_id }) => order_id).toSorted()).toEqual(ids);
  for (const order of got) expect(order).toMatchObject({ status: "ready", attempts: 1 });
}
