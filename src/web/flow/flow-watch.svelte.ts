/**
 * Owns what the flow page knows: how many orders are in each state, how they flow, and the figures of two days.
 *
 * **Invariants**
 * - Events say that something changed; every number is the server's own.
 * - It is read anew after each reconnection. Yesterday is read once a day, and again until there is an answer.
 */
import type { Status } from "../../orders/order.ts";
import type { StatesView } from "../../orders/views.ts";
import { Newest } from "../shared/newest.ts";
import type { StaffApi } from "../shared/staff/api.ts";
import { COUNTER } from "../shared/staff/queue.ts";
import { Steady } from "../shared/steady.ts";
import { dayOf, type Day } from "./figures.ts";

const STATES_EVERY_MS = 1000;
const FIGURES_EVERY_MS = 2000;
const MINUTE_SECONDS = 60;

interface FlowWatchOptions {
  readonly api: Pick<StaffApi, "states" | "statsByHour">;
  readonly queue: () => string;
  /** The shop's time, ms since 1970. */
  readonly now: () => number;
}

export class FlowWatch {
  readonly #options: FlowWatchOptions;
  #states = $state.raw<StatesView>();
  #isMute = $state(false);
  #today = $state.raw<Day>();
  #yesterday = $state.raw<Day>();
  readonly #newest = new Newest();
  readonly #steadyStates = new Steady(() => this.#readStates(), STATES_EVERY_MS);
  readonly #steadyFigures = new Steady(() => this.#readFigures(), FIGURES_EVERY_MS);

  constructor(options: FlowWatchOptions) {
    this.#options = options;
  }

  /** Whether the last question had no answer: what is shown may be old. */
  get isMute(): boolean {
    return this.#isMute;
  }

  get today(): Day | undefined {
    return this.#today;
  }

  get yesterday(): Day | undefined {
    return this.#yesterday;
  }

  /** The queues that there are. */
  get queues(): readonly string[] {
    return this.#states?.queues ?? [];
  }

  /** By state: open orders as they are now, those that are over as counted today. Stats are of the counter alone. */
  get counts(): Readonly<Partial<Record<Status, number>>> {
    const { open, queue } = this.#states ?? {};
    const today = queue === COUNTER ? this.#today?.total : undefined;
    return { ...open, ...(today && { ready: today.completed, cancelled: sum(Object.values(today.cancelled)) }) };
  }

  /** How often events of these types happen, a minute; undefined: not known yet. */
  rateOf(types: readonly string[]): number | undefined {
    const states = this.#states;
    if (!states) return undefined;
    const count = sum(types.map((type) => states.events[type] ?? 0));
    return (count * MINUTE_SECONDS) / states.span_seconds;
  }

  stop(): void {
    this.#steadyStates.stop();
    this.#steadyFigures.stop();
  }

  /** Something happened. */
  hear(): void {
    this.#steadyStates.need();
    this.#steadyFigures.need();
  }

  /** The user asks. */
  hurry(): void {
    this.#steadyStates.hurry();
    this.#steadyFigures.hurry();
  }

  /** False: there was no answer to one of the questions. */
  async load(): Promise<boolean> {
    const loaded = await Promise.all([this.#readStates(), this.#readToday(), this.#readYesterday()]);
    return loaded.every(Boolean);
  }

  async #readStates(): Promise<boolean> {
    const isNewest = this.#newest.begin();
    const answer = await this.#options.api.states(this.#options.queue());
    if (isNewest()) this.#isMute = answer.kind === "unreachable" || answer.kind === "refused";
    if (answer.kind === "done" && isNewest()) this.#states = answer.value;
    return answer.kind === "done";
  }

  async #readToday(): Promise<boolean> {
    const day = await this.#readDay(0);
    if (day) this.#today = day;
    return day !== undefined;
  }

  async #readYesterday(): Promise<boolean> {
    const day = await this.#readDay(-1);
    if (day) this.#yesterday = day;
    return day !== undefined;
  }

  /** Where a day has begun, what was today is yesterday. */
  async #readFigures(): Promise<void> {
    const isKnown = this.#yesterday?.fromMs === this.#midnight(-1).getTime();
    await Promise.all([this.#readToday(), isKnown || this.#readYesterday()]);
  }

  async #readDay(days: number): Promise<Day | undefined> {
    const from = this.#midnight(days);
    const answer = await this.#options.api.statsByHour(from, this.#midnight(days + 1));
    return answer.kind === "done" ? dayOf(answer.value, from.getTime()) : undefined;
  }

  /** When a day of this device begins, so many days from today. */
  #midnight(days: number): Date {
    const date = new Date(this.#options.now());
    return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
