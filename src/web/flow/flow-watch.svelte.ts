/**
 * Owns what the flow page knows: how many orders are in each state, how they flow, and the figures of two days.
 *
 * **Invariants**
 * - Events say that something changed; every number is the server's own.
 * - It is read anew after each reconnection, and from time to time: rates fall while nothing happens.
 */
import type { Status } from "../../orders/order.ts";
import type { StatesView } from "../../orders/views.ts";
import type { StatsView } from "../../stats/view.ts";
import { Newest } from "../shared/newest.ts";
import type { StaffApi } from "../shared/staff/api.ts";
import { COUNTER } from "../shared/staff/queue.ts";
import { Steady } from "../shared/steady.ts";
import { dayOf, type Day } from "./figures.ts";

const STATES_EVERY_MS = 1000;
const FIGURES_EVERY_MS = 2000;
/** Without events: rates fall, and hours begin. */
const QUIET_MS = 10_000;
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
  readonly #steadyFigures = new Steady(() => this.#readToday(), FIGURES_EVERY_MS);
  #quiet: ReturnType<typeof setInterval> | undefined;

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

  open(): void {
    this.#quiet ??= setInterval(() => this.hear(), QUIET_MS);
  }

  close(): void {
    clearInterval(this.#quiet);
    this.#quiet = undefined;
    this.#steadyStates.stop();
    this.#steadyFigures.stop();
  }

  /** Something happened. */
  hear(): void {
    this.#steadyStates.need();
    this.#steadyFigures.need();
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
    const from = this.#midnight(0);
    const stats = await this.#readDay(0);
    // A day has begun: what was today is yesterday.
    if (this.#today && this.#today.fromMs < from.getTime()) void this.#readYesterday();
    if (stats) this.#today = dayOf(stats, from.getTime());
    return stats !== undefined;
  }

  async #readYesterday(): Promise<boolean> {
    const from = this.#midnight(-1);
    const stats = await this.#readDay(-1);
    if (stats) this.#yesterday = dayOf(stats, from.getTime());
    return stats !== undefined;
  }

  async #readDay(days: number): Promise<StatsView | undefined> {
    const answer = await this.#options.api.statsByHour(this.#midnight(days), this.#midnight(days + 1));
    return answer.kind === "done" ? answer.value : undefined;
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
