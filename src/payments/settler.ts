/**
 * Owns the settler: one loop a replica that has payments follow their orders at the provider.
 *
 * **Invariants**
 * - A payment is one replica's for LEASE_MS: if it dies, another goes on, and nothing is done twice there.
 * - Events wake it; a payment whose event was lost is looked at within LOOK_AGAIN_MS all the same.
 * - A provider that is away is asked again with back-off, and is one line in the log until it answers.
 */
import { maxPauseMs } from "../back-off.ts";
import type { Log } from "../log.ts";
import type { DuePayment, Payments } from "../orders/payments.ts";
import { between, pause } from "../pause.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { LOOK_AGAIN_MS, type Steps } from "./steps.ts";

/** Longer than two calls of the provider take. */
const LEASE_MS = 25_000;
const MOST_AT_ONCE = 32;
const MAX_SLEEP_MS = 1000;
const BACK_OFF = { firstMs: 500, maxMs: 30_000 };
/** The log warns of an authorisation that lapses so soon. */
const LAPSING_MS = 24 * 3_600_000;
/** Of how many payments failures are remembered. */
const MAX_REMEMBERED = 10_000;

export class Settler {
  readonly #payments: Payments;
  readonly #steps: Steps;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  /** Failures in a row, by order id. */
  readonly #failures = new Map<string, number>();
  readonly #told = new Set<string>();
  #woken = new AbortController();
  #isAway = false;
  readonly #loop: Promise<void>;

  constructor(payments: Payments, steps: Steps, log: Log) {
    this.#payments = payments;
    this.#steps = steps;
    this.#log = log;
    this.#loop = this.#run();
  }

  /** Has these payments looked at now, where they are not settled. */
  async look(orderIds: readonly string[]): Promise<void> {
    if ((await this.#payments.putOff(orderIds, 0)) > 0) this.#woken.abort();
  }

  /** Has one looked at again after its step failed. */
  async tryAgain(orderId: string, retryAfterMs = 0): Promise<void> {
    const failures = (this.#failures.get(orderId) ?? 0) + 1;
    if (this.#failures.size < MAX_REMEMBERED) this.#failures.set(orderId, failures);
    const longestMs = maxPauseMs(failures, BACK_OFF);
    await this.#payments.putOff([orderId], Math.ceil(Math.max(retryAfterMs, between(longestMs / 2, longestMs))));
  }

  /** Resolves once the steps under way have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#woken = new AbortController();
      const sleepMs = await this.#round();
      await pause(sleepMs, this.#woken.signal, this.#stopping.signal);
    }
  }

  /** Resolves to how long nothing is to be done, in ms. */
  async #round(): Promise<number> {
    try {
      const due = await this.#payments.takeDue({ leaseMs: LEASE_MS, againMs: LOOK_AGAIN_MS, most: MOST_AT_ONCE });
      await Promise.all(due.payments.map((payment) => this.#follow(payment)));
      return Math.min(MAX_SLEEP_MS, due.nextMs ?? MAX_SLEEP_MS);
    } catch (error) {
      // An outage is logged by itself.
      if (!isRedisUnavailable(error)) this.#log.warn({ err: error }, "payments can't be looked after: trying again");
      return MAX_SLEEP_MS;
    }
  }

  async #follow(due: DuePayment): Promise<void> {
    this.#tellIfLapsing(due);
    const outcome = await this.#steps.next(due);
    if (outcome.kind === "waiting") return;
    if (outcome.kind === "done") {
      this.#failures.delete(due.orderId);
      this.#isAway = false;
      return;
    }
    if (!this.#isAway) this.#log.warn({ why: outcome.why }, "the provider of payments does not answer: trying again");
    this.#isAway = true;
    await this.tryAgain(due.orderId, outcome.retryAfterMs);
  }

  #tellIfLapsing({ orderId, status, capture_before }: DuePayment): void {
    const leftMs = Date.parse(capture_before ?? "") - Date.now();
    if (status !== "PAYMENT_CREATED" || !(leftMs < LAPSING_MS) || this.#told.has(orderId)) return;
    if (this.#told.size < MAX_REMEMBERED) this.#told.add(orderId);
    this.#log.warn(
      { order_id: orderId, capture_before },
      "an authorisation lapses soon: finish the order, or cancel it",
    );
  }
}
