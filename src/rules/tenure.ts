/**
 * Owns the deliveries of a rule while this replica has its lease: which events are in hand, and their tries.
 *
 * Events of one order make a line, and only the first of a line is tried. Lines go on side by side. A line whose first
 * event failed is put by: its events get records in Redis, and are in hand no more. So it holds up none of the others,
 * and is taken over with its records.
 *
 * **Invariants**
 * - Events of one order are tried in their order, one at a time.
 * - MAX_SENDING are tried at once, MAX_IN_HAND are in hand, and MAX_PUT_BY put by: more are not taken.
 * - No try begins once the tenure is over, and what becomes of one that was cut then is not noted.
 */
import { maxPauseMs, type BackOff } from "../back-off.ts";
import { numberOf, type EventId } from "../events/event.ts";
import type { Log } from "../log.ts";
import { between, pause } from "../pause.ts";
import { within } from "../within.ts";
import type { Delivery } from "./delivery.ts";
import type { GivenEvent, Retried, RuleLedger } from "./ledger.ts";
import type { DeliveryOutcome, Rule } from "./rule.ts";
import { Slots } from "./slots.ts";
import type { RuleTally } from "./tally.ts";

export const MAX_SENDING = 16;
const MAX_IN_HAND = 256;
/** About 2 MB in the server, and as much in Redis. */
export const MAX_PUT_BY = 2000;
const MAX_WHY_CHARACTERS = 300;
/** Beyond its time, an event whose host is left alone waits so long for its one try. */
const HELD_GRACE_MS = 120_000;

type Postponed = Extract<DeliveryOutcome, { kind: "failed" | "held" }>;

export interface TenureOptions {
  readonly rule: Rule;
  readonly ledger: RuleLedger;
  readonly tally: RuleTally;
  readonly backOff: BackOff;
  readonly log: Log;
  /** Called when something was noted, so it can be written. */
  readonly noted: () => void;
  /** A replica that stalled notices so that its lease has lapsed. */
  readonly hasLease: () => boolean;
}

export class Tenure {
  readonly #options: TenureOptions;
  /** No further try begins. */
  readonly #closing = new AbortController();
  /** Those under way end, and what comes of them is not noted. */
  readonly #cut = new AbortController();
  /** By order; the shop's own events are one line. */
  readonly #lines = new Map<string, Delivery[]>();
  /** How many events of an entry are in hand. */
  readonly #entries = new Map<EventId, number>();
  readonly #known = new Set<EventId>();
  readonly #running = new Set<Promise<void>>();
  readonly #slots = new Slots(MAX_SENDING);
  #putBy = 0;
  #inHand = 0;
  #died = 0;
  #isFailing = false;

  constructor(options: TenureOptions) {
    this.#options = options;
  }

  /** How many more events may be taken. */
  get room(): number {
    return this.#putBy >= MAX_PUT_BY ? 0 : Math.max(0, MAX_IN_HAND - this.#inHand);
  }

  get isOver(): boolean {
    return this.#closing.signal.aborted;
  }

  /** How many have become dead letters since it was asked last. */
  takeDied(): number {
    const died = this.#died;
    this.#died = 0;
    return died;
  }

  /** Adds what is to be tried again. */
  addRetried(retried: readonly Retried[]): void {
    const inOrder = retried.toSorted(
      ({ record: one }, { record: other }) => numberOf(one.event.id) - numberOf(other.event.id),
    );
    for (const { record, dueInMs, isReplayed } of inOrder) {
      if (this.#known.has(record.event.id)) continue;
      const fresh = isReplayed ? { tries: 0, sinceMs: Date.now() } : undefined;
      this.#putBy += 1;
      this.#queue({ ...record, ...fresh, entry: undefined, dueAt: performance.now() + dueInMs });
    }
  }

  /** Adds new events; those that the rule does not want are settled. */
  addGiven(given: readonly GivenEvent[]): void {
    for (const { entry } of given) this.#entries.set(entry, (this.#entries.get(entry) ?? 0) + 1);
    for (const { entry, event } of given) {
      const delivery = { event, entry, tries: 0, sinceMs: Date.now(), dueAt: 0, why: "" };
      this.#inHand += 1;
      const wanted = this.#known.has(event.id) ? false : this.#isWanted(delivery);
      if (wanted === "garbled") this.#die(delivery, "its data can't be read");
      else if (wanted) this.#queue(delivery);
      else this.#release(delivery);
    }
  }

  /** Begins no further try, and ends those that take longer than `graceMs`. Resolves once all have ended. */
  async end(graceMs = 0): Promise<void> {
    this.#closing.abort();
    if (graceMs > 0) await within(graceMs, Promise.all(this.#running));
    this.#cut.abort();
    await Promise.all(this.#running);
  }

  #isWanted({ event }: Delivery): boolean | "garbled" {
    try {
      return this.#options.rule.matches(event);
    } catch {
      return "garbled";
    }
  }

  #queue(delivery: Delivery): void {
    const { event } = delivery;
    this.#known.add(event.id);
    const key = this.#lineOf(delivery);
    const line = this.#lines.get(key);
    if (line) {
      line.push(delivery);
      // (What has a record already needs no other one.)
      if (line[0]?.entry === undefined && delivery.entry !== undefined) this.#park(delivery, line[0]?.dueAt ?? 0);
      return;
    }
    const started = [delivery];
    this.#lines.set(key, started);
    const running = this.#run(key, started).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #lineOf({ event }: Delivery): string {
    return this.#options.rule.isOneLine ? "" : event.orderId;
  }

  async #run(key: string, line: Delivery[]): Promise<void> {
    for (let first = line[0]; first; first = line[0]) {
      if (!(await this.#deliver(first))) return;
      this.#known.delete(first.event.id);
      line.shift();
    }
    this.#lines.delete(key);
  }

  /** Tries until it is delivered or dead; false: the tenure is over. */
  async #deliver(delivery: Delivery): Promise<boolean> {
    for (;;) {
      const waitMs = delivery.dueAt - performance.now();
      if (waitMs > 0) await pause(waitMs, this.#closing.signal);
      const outcome = await this.#slots.run(() => this.#try(delivery));
      if (outcome === undefined || this.#cut.signal.aborted) return false;
      if (this.#isDone(delivery, outcome)) return true;
      if (this.isOver) return false;
    }
  }

  async #try({ event }: Delivery): Promise<DeliveryOutcome | undefined> {
    if (!this.#options.hasLease()) this.#closing.abort();
    if (this.isOver) return undefined;
    const begunAt = performance.now();
    try {
      const outcome = await this.#options.rule.deliver(event, this.#cut.signal);
      if (outcome.kind !== "held") this.#options.tally.seconds.observe((performance.now() - begunAt) / 1000);
      return outcome;
    } catch (error) {
      if (this.#cut.signal.aborted) return undefined;
      this.#options.log.error({ err: error, event: event.id }, "a delivery threw: trying again");
      return { kind: "failed", why: "an error of this server" };
    }
  }

  /** Notes what came of a try; whether the delivery is done with. */
  #isDone(delivery: Delivery, outcome: DeliveryOutcome): boolean {
    if (outcome.kind !== "held") delivery.tries += 1;
    switch (outcome.kind) {
      case "delivered":
        this.#noteDelivered(delivery, outcome.append);
        return true;
      case "dead":
        this.#noteFailure(outcome.why);
        this.#die(delivery, outcome.why);
        return true;
      case "ended":
        this.#options.ledger.ended(outcome.why);
        this.#closing.abort();
        this.#options.noted();
        return false;
      case "failed":
      case "held":
        if (outcome.kind === "failed") this.#options.tally.results.failed += 1;
        // Why nothing is sent says less than why the last try failed.
        if (outcome.kind === "failed" || delivery.why === "") delivery.why = outcome.why.slice(0, MAX_WHY_CHARACTERS);
        this.#noteFailure(delivery.why);
        return this.#isGivenUp(delivery, outcome);
    }
  }

  #noteDelivered(delivery: Delivery, append: Parameters<RuleLedger["delivered"]>[1]): void {
    const { rule, ledger, tally, log } = this.#options;
    const { id, type } = delivery.event;
    tally.results.delivered += 1;
    ledger.delivered(delivery, append);
    ledger.state("last", { event_id: id, type, at: new Date().toISOString() });
    this.#release(delivery);
    if (this.#isFailing) log.info({ rule: rule.name }, "a rule delivers again");
    this.#isFailing = false;
  }

  #noteFailure(why: string): void {
    const { rule, ledger, log } = this.#options;
    ledger.state("failure", { why, at: new Date().toISOString() });
    if (!this.#isFailing) log.warn({ rule: rule.name, why }, "a rule can't deliver: trying again");
    this.#isFailing = true;
  }

  /** Puts the line by until the next try; true where there is none. */
  #isGivenUp(delivery: Delivery, { kind, retryAfterMs = 0 }: Postponed): boolean {
    const { rule, backOff } = this.#options;
    const graceMs = kind === "held" ? HELD_GRACE_MS : 0;
    const leftMs = delivery.sinceMs + rule.retryForMs + graceMs - Date.now();
    const longestMs = maxPauseMs(Math.max(1, delivery.tries), backOff);
    if (leftMs <= 0 || retryAfterMs > leftMs) {
      this.#die(delivery, delivery.why);
      return true;
    }
    const pauseMs = Math.max(retryAfterMs, between(longestMs / 2, longestMs));
    const dueAt = performance.now() + Math.min(pauseMs, leftMs);
    for (const each of this.#lines.get(this.#lineOf(delivery)) ?? []) {
      // Of those behind it, whose records are there, nothing has changed.
      if (each === delivery || each.entry !== undefined) this.#park(each, dueAt);
    }
    return false;
  }

  /** Keeps a record of it, and has it in hand no more. */
  #park(delivery: Delivery, dueAt: number): void {
    delivery.dueAt = Math.max(dueAt, delivery.dueAt);
    this.#options.ledger.retried(delivery, Math.max(0, delivery.dueAt - performance.now()));
    if (delivery.entry === undefined) return this.#options.noted();
    this.#letGo(delivery.entry);
    delivery.entry = undefined;
    this.#putBy += 1;
  }

  #die(delivery: Delivery, why: string): void {
    this.#options.tally.results.dead += 1;
    this.#options.ledger.died({ ...delivery, why });
    this.#died += 1;
    this.#release(delivery);
  }

  /** It is done with. */
  #release({ entry }: Delivery): void {
    if (entry === undefined) this.#putBy -= 1;
    else this.#letGo(entry);
    this.#options.noted();
  }

  /** An entry is settled once none of its events is in hand. */
  #letGo(entry: EventId): void {
    this.#inHand -= 1;
    const left = (this.#entries.get(entry) ?? 1) - 1;
    if (left > 0) {
      this.#entries.set(entry, left);
      return;
    }
    this.#entries.delete(entry);
    this.#options.ledger.settled(entry);
    this.#options.noted();
  }
}
