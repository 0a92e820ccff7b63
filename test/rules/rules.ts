/**
 * Owns what the tests of deliveries share: a shop's stream on a real Redis, and rules on it whose targets note what
 * they got.
 *
 * **Invariants**
 * - A runner that a test opened here is closed before its connections.
 */
import { expect } from "bun:test";
import pino from "pino";
import { createDeliveries, type Deliveries } from "../../src/rules/deliveries.ts";
import type { ShopEvent } from "../../src/events/event.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import { LookedAt } from "../../src/rules/looked-at.ts";
import type { DeliveryOutcome, Rule } from "../../src/rules/rule.ts";
import { RuleRunner } from "../../src/rules/runner.ts";
import { FeedFixture } from "../events/feeds.ts";
import { Fixture } from "../support/fixture.ts";
import type { TestRedis } from "../support/redis.ts";
import { RedisRelay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const LEASE_MS = 600;
const BACK_OFF = { firstMs: 20, maxMs: 100 };
export const delivered: DeliveryOutcome = { kind: "delivered" };

/** Decides what becomes of a try; absent: it is delivered. */
type Deliver = (event: ShopEvent, signal: AbortSignal) => DeliveryOutcome | Promise<DeliveryOutcome>;

interface Running {
  readonly url?: string;
  readonly deliver?: Deliver;
  readonly rule?: Partial<Rule>;
  /** Shared with other rules of the same server. */
  readonly lookedAt?: LookedAt;
}

export interface TestRunner {
  readonly runner: RuleRunner;
  /** Each try, in the order in which they began. */
  readonly tried: readonly ShopEvent[];
  /** The events that were delivered, in the order in which that was so. */
  readonly got: readonly ShopEvent[];
  readonly redis: ShopRedis;
}

export class RuleFixture extends FeedFixture {
  readonly said: string[] = [];
  readonly #log = pino({}, { write: (line: string) => void this.said.push((JSON.parse(line) as { msg: string }).msg) });
  readonly group = "rule:test";
  readonly prefix = `{${this.shop}}:`;
  readonly retriedKey = `${this.prefix}deliveries:retried:test`;
  readonly leaseKey = `${this.prefix}reader:${this.group}`;

  static override async open(server?: TestRedis): Promise<RuleFixture> {
    return new RuleFixture(await Fixture.server(server));
  }

  /** Runs the rule `test` on one more replica. */
  async run({
    url,
    deliver = () => delivered,
    rule: own,
    lookedAt = new LookedAt(),
  }: Running = {}): Promise<TestRunner> {
    const redis = await this.openRedis({ log: this.#log, ...(url !== undefined && { url }) });
    const [tried, got]: [ShopEvent[], ShopEvent[]] = [[], []];
    const rule: Rule = {
      name: "test",
      pattern: {},
      target: { kind: "log" },
      types: undefined,
      needsData: false,
      retryForMs: 60_000,
      targetKey: "here",
      matches: () => true,
      deliver: async (event, signal) => {
        tried.push(event);
        const outcome = await deliver(event, signal);
        if (outcome.kind === "delivered") got.push(event);
        return outcome;
      },
      ...own,
    };
    const runner = new RuleRunner({ rule, redis, log: this.#log, lookedAt, leaseMs: LEASE_MS, backOff: BACK_OFF });
    this.opened(() => runner.close());
    return { runner, tried, got, redis };
  }

  /** The same, once its group is there. */
  async runFromNow(running?: Running): Promise<TestRunner> {
    const started = await this.run(running);
    const name = `rule:${running?.rule?.name ?? "test"}`;
    await until(async () => (await this.groups()).includes(name), "the group is made");
    return started;
  }

  /** A way to Redis that is closed after those who go it. */
  relay(): RedisRelay {
    const relay = new RedisRelay(this.server.port);
    this.opened(() => relay[Symbol.dispose]());
    return relay;
  }

  lease(): Promise<string | null> {
    return this.outside.get(this.leaseKey);
  }

  /** Makes the rule one that no server has served since 31 days ago. */
  async leaveForLong(): Promise<void> {
    const served = Date.now() - 31 * 86_400_000;
    expect(await this.outside.zadd(`${this.prefix}rules`, "XX", "CH", served, "test")).toBe(1);
  }

  async groups(): Promise<string[]> {
    const groups = await this.outside.xinfo("GROUPS", this.key).catch(() => []);
    return (groups as string[][]).map(([, name = ""]) => name);
  }

  /** Whether nothing is in hand, nor to be tried again. */
  async isSettled(name = "test"): Promise<boolean> {
    const [[pending], retried] = await Promise.all([
      this.outside.xpending(this.key, `rule:${name}`) as Promise<[number]>,
      this.outside.zcard(`${this.prefix}deliveries:retried:${name}`),
    ]);
    return pending === 0 && retried === 0;
  }

  deliveries({ redis }: TestRunner): Deliveries {
    return createDeliveries(redis.run);
  }
}

export const idsOf = (events: readonly ShopEvent[]): string[] => events.map(({ id }) => id);
/** Each id once, in the order in which they came first. */
export const firstsOf = (...all: readonly (readonly ShopEvent[])[]): string[] => [...new Set(all.flatMap(idsOf))];
