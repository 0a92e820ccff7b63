/**
 * Owns a rule at work on one replica: a consumer group on the shop's events, and the deliveries while it has the lease.
 *
 * Any number of replicas run the same rule. One of them has its lease, reads and delivers. When it stops it hands the
 * lease back; when it dies the lease lapses. The next one begins with what is in hand and what is put by.
 *
 * **Invariants**
 * - Each wanted event is delivered at least once, or becomes a dead letter, or is counted as lost.
 * - An entry is settled once all of its events are delivered, put by or dead; each in the same step as its record.
 * - Events that were no longer kept when their turn came are counted.
 */
import type { BackOff } from "../back-off.ts";
import type { Log } from "../log.ts";
import type { ShopRedis } from "../redis/connections.ts";
import type { EventId } from "../events/event.ts";
import { StreamRounds } from "../redis/stream-rounds.ts";
import { within } from "../within.ts";
import { LookedAt } from "./looked-at.ts";
import { RuleLedger, type ServeOutcome } from "./ledger.ts";
import type { Rule } from "./rule.ts";
import { RuleTally } from "./tally.ts";
import { Tenure } from "./tenure.ts";

/** Longer than a server stands still, or Redis is restarted. */
const LEASE_MS = 10_000;
/** How often a replica without the lease asks for it, at least. */
const STANDBY_MS = 1000;
/** How often a replica asks whether a rule that ended goes on, at least. */
const ENDED_MS = 5000;
/** In a rush it rests so long at most between two looks: each costs Redis a script. */
const REST_MS = 200;
/** What was noted is written so soon: of a killed replica little is delivered twice. */
const WRITE_MS = 100;
/** As many came as there was room for: it looks again this soon at the latest once there is room. */
const FULL_REST_MS = 20;
const STOP_MS = 2000;
/** A try under way at the stop may take so long: most end, and are not repeated. */
const GRACE_MS = 1000;
/** A target that was down for moments has its events soon; one that is away for long is sent little. */
const BACK_OFF: BackOff = { firstMs: 1000, maxMs: 300_000 };

export interface RunnerOptions {
  readonly rule: Rule;
  readonly redis: Pick<ShopRedis, "keys" | "openBlocking" | "run">;
  readonly log: Log;
  /** What the rules of this server share. */
  readonly lookedAt?: LookedAt;
  /** For how long a killed replica keeps others waiting. */
  readonly leaseMs?: number;
  readonly backOff?: BackOff;
}

export class RuleRunner {
  readonly rule: Rule;
  readonly tally = new RuleTally();
  readonly #log: Log;
  readonly #ledger: RuleLedger;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #backOff: BackOff;
  readonly #rounds: StreamRounds;
  readonly #renewal: ReturnType<typeof setInterval>;
  #tenure: Tenure | undefined;
  /** By `performance.now()`; counted from before Redis was asked, so it lapses here first. */
  #leaseEndsAt = 0;
  #writing: ReturnType<typeof setTimeout> | undefined;
  /** The last event that was there when it looked. */
  #lookedUpTo: EventId = "";
  #changed = Promise.withResolvers<void>();
  #hasEnded = false;
  readonly #asked = Promise.withResolvers<void>();

  /** Begins to deliver. */
  constructor({ rule, redis, log, leaseMs = LEASE_MS, backOff = BACK_OFF, lookedAt = new LookedAt() }: RunnerOptions) {
    this.rule = rule;
    this.#log = log;
    this.#ledger = new RuleLedger(redis, rule, { leaseMs, lookedAt });
    this.#leaseMs = leaseMs;
    this.#renewMs = Math.ceil(leaseMs / 3);
    this.#backOff = backOff;
    const reading = { connectionName: `rule:${rule.name}`, what: "events of a rule", stream: redis.keys.events };
    const round = (): Promise<number> => this.#round();
    const child = log.child({ rule: rule.name });
    this.#rounds = new StreamRounds({ redis, log: child, ...reading, blockMs: this.#renewMs, round });
    this.#renewal = setInterval(() => this.#renew(), this.#renewMs);
    this.#rounds.begin();
  }

  /** Resolves once Redis knows the rule: from then on it misses nothing. */
  get begun(): Promise<void> {
    return this.#asked.promise;
  }

  /** Ends within a bound. The tries under way end; where they do not, the lease lapses. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    clearTimeout(this.#writing);
    this.#changed.resolve();
    const ended = Promise.all([this.#rounds.close(), this.#tenure?.end(GRACE_MS)]);
    await within(STOP_MS, ended);
    clearTimeout(this.#writing);
    if (this.#tenure) await within(STOP_MS, Promise.allSettled([this.#ledger.handBack()]));
  }

  async #round(): Promise<number> {
    const tenure = await this.#holdTenure();
    if (!tenure) return this.#hasEnded ? ENDED_MS : Math.min(STANDBY_MS, this.#renewMs);
    if (this.#rounds.isStopping) return 0;
    const { room } = tenure;
    this.#changed = Promise.withResolvers();
    const outcome = await this.#ledger.serve(room);
    this.#take(outcome);
    if (outcome.kind !== "given") return 0;
    if (outcome.hasMore) return 0;
    if (outcome.given.length >= room) {
      if (tenure.room === 0) await within(this.#renewMs, this.#changed.promise);
      return FULL_REST_MS;
    }
    const hasPassedSome = outcome.upTo !== this.#lookedUpTo;
    this.#lookedUpTo = outcome.upTo;
    if (hasPassedSome) return REST_MS;
    await this.#rounds.untilNew(outcome.upTo);
    return 0;
  }

  /** The tenure of this replica, begun where there is none; undefined where another one has the rule. */
  async #holdTenure(): Promise<Tenure | undefined> {
    if (this.#tenure && !this.#tenure.isOver && this.#hasLease()) return this.#tenure;
    // What another replica may be given now ends here first.
    await this.#tenure?.end();
    if (this.#tenure?.isOver && this.#ledger.hasNotes && this.#hasLease()) {
      this.#take(await this.#ledger.serve(0));
    }
    this.#tenure = undefined;
    const outcome = await this.#ledger.begin();
    this.#asked.resolve();
    if (outcome.kind === "given") {
      const { rule, tally } = this;
      const { ledger, backOff, log } = { ledger: this.#ledger, backOff: this.#backOff, log: this.#log };
      const [noted, hasLease] = [() => this.#writeSoon(), () => this.#hasLease()];
      this.#tenure = new Tenure({ rule, ledger, tally, backOff, log, noted, hasLease });
    }
    this.#take(outcome);
    return this.#tenure;
  }

  #hasLease(): boolean {
    return performance.now() < this.#leaseEndsAt;
  }

  #take(outcome: ServeOutcome): void {
    this.#noteEnd(outcome.kind === "ended");
    if (outcome.kind !== "given") {
      this.#leaseEndsAt = 0;
      return;
    }
    this.#leaseEndsAt = outcome.askedAt + this.#leaseMs;
    this.#noteLost(outcome.lost);
    this.#tenure?.addRetried(outcome.retried);
    this.#tenure?.addGiven(outcome.given);
  }

  #noteEnd(hasEnded: boolean): void {
    if (hasEnded && !this.#hasEnded) {
      this.#log.error({ rule: this.rule.name }, "a rule has ended: its target wants no more");
    }
    this.#hasEnded = hasEnded;
  }

  #noteLost(lost: number): void {
    if (lost === 0) return;
    this.tally.lost += lost;
    this.#log.error({ rule: this.rule.name, lost }, "events were no longer kept when a rule came to them");
  }

  /** While it waits for new events, or for room. */
  #renew(): void {
    if (!this.#tenure || this.#tenure.isOver || !this.#hasLease()) return;
    const renewedMs = performance.now() - (this.#leaseEndsAt - this.#leaseMs);
    if (renewedMs > this.#renewMs / 2) this.#write();
  }

  #writeSoon(): void {
    this.#changed.resolve();
    if (this.#rounds.isStopping) return;
    this.#writing ??= setTimeout(() => this.#write(), WRITE_MS);
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const died = this.#tenure?.takeDied() ?? 0;
    if (died > 0) this.#log.warn({ rule: this.rule.name, dead: died }, "events became dead letters of a rule");
    // What fails here fails in the next round again, and is said there.
    this.#ledger.serve(0).then(
      (outcome) => this.#take(outcome),
      () => {},
    );
  }
}
