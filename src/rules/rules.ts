/**
 * Owns the rules of a server: it runs them, and answers for them to staff and to metrics.
 *
 * **Invariants**
 * - Each rule has a runner of its own: no target costs another rule anything.
 * - Rules are closed before what they deliver with.
 */
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { within } from "../within.ts";
import { createDeliveries, type DeadOutcome, type Deliveries, type Replayed, type RuleMeasure } from "./deliveries.ts";
import { LookedAt } from "./looked-at.ts";
import type { Rule } from "./rule.ts";
import { RuleRunner } from "./runner.ts";
import type { RuleTally } from "./tally.ts";

const BEGIN_MS = 5000;

export interface RuleState extends RuleMeasure {
  readonly rule: Rule;
}

/** What a server counted of a rule. */
export interface CountedRule {
  readonly name: string;
  readonly tally: RuleTally;
}

interface RulesParts {
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking" | "run">;
  readonly rules: readonly Rule[];
  readonly log: Log;
}

export class Rules {
  readonly #runners: readonly RuleRunner[];
  readonly #deliveries: Deliveries;

  /** Begins to deliver. */
  constructor({ redis, rules, log }: RulesParts) {
    this.#deliveries = createDeliveries(redis.run);
    const lookedAt = new LookedAt();
    this.#runners = rules.map((rule) => new RuleRunner({ rule, redis, log, lookedAt }));
  }

  /** Resolves once Redis knows all rules, or does not answer for long: events from then on are theirs. */
  async begun(): Promise<void> {
    await within(BEGIN_MS, Promise.all(this.#runners.map((runner) => runner.begun)));
  }

  get counted(): readonly CountedRule[] {
    return this.#runners.map(({ rule: { name }, tally }) => ({ name, tally }));
  }

  /** Each rule of this server, with how far all servers of the shop are with it. */
  async list(): Promise<readonly RuleState[]> {
    if (this.#runners.length === 0) return [];
    const measures = await this.#deliveries.measure(this.#runners.map(({ rule }) => rule.name));
    return this.#runners.flatMap(({ rule }, at) => {
      const measure = measures[at];
      return measure ? [{ rule, ...measure }] : [];
    });
  }

  has(name: string): boolean {
    return this.#runners.some(({ rule }) => rule.name === name);
  }

  listDead(name: string, page: { after?: string; most: number }): Promise<DeadOutcome> {
    return this.#deliveries.listDead(name, page);
  }

  replay(name: string, events?: readonly string[]): Promise<Replayed> {
    return this.#deliveries.replay(name, events);
  }

  resume(name: string): Promise<boolean> {
    return this.#deliveries.resume(name);
  }

  /** Forgets what Redis keeps of rules that no server has had for long. */
  async forgetOld(log: Log): Promise<void> {
    for (const rule of await this.#deliveries.forget()) log.info({ rule }, "a rule is forgotten: no server has it");
  }

  async close(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.close()));
  }
}
