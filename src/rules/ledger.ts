/**
 * Owns what a replica writes down of a rule's deliveries, and what it takes for the rule: one script for both.
 *
 * **Invariants**
 * - Calls follow one another: what is noted is written in the order in which it happened.
 * - What could not be written is written with the next call.
 */
import type { EventId, ShopEvent } from "../events/event.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type Argument } from "../redis/script.ts";
import { decodeRecord, encodeRecord, type Delivery, type DeliveryRecord } from "./delivery.ts";
import type { LookedAt } from "./looked-at.ts";
import type { Rule, StreamAppend } from "./rule.ts";

/** An event that was given to this replica, with the stream entry that it has in hand for it. */
export interface GivenEvent {
  readonly entry: EventId;
  readonly event: ShopEvent;
}

/** An event to be tried again. */
export interface Retried {
  readonly record: DeliveryRecord;
  readonly dueInMs: number;
  /** Staff want it tried again. */
  readonly isReplayed: boolean;
}

export type ServeOutcome =
  /** `held`: another replica has the rule. `ended`: its target wants no more. */
  | { readonly kind: "held" | "ended" }
  | {
      readonly kind: "given";
      /** The last event that was looked at. */
      readonly upTo: EventId;
      /** How many events were no longer kept when their turn came. */
      readonly lost: number;
      readonly hasMore: boolean;
      readonly retried: readonly Retried[];
      readonly given: readonly GivenEvent[];
      /** Of all events that were looked at. */
      readonly types: readonly string[];
      /** By `performance.now()`, before Redis was asked. */
      readonly askedAt: number;
    };

interface LedgerOptions {
  readonly leaseMs: number;
  /** What the rules of this server share. */
  readonly lookedAt: LookedAt;
}

export class RuleLedger {
  readonly #redis: Pick<ShopRedis, "run">;
  readonly #rule: Rule;
  readonly #leaseMs: number;
  readonly #lookedAt: LookedAt;
  readonly #replica = crypto.randomUUID();
  readonly #script = loadScript("serve-rule");
  #notes: Argument[] = [];
  /** The newest of each field. */
  #state = new Map<string, object>();
  #position: EventId = "";
  #calls = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(redis: Pick<ShopRedis, "run">, rule: Rule, { leaseMs, lookedAt }: LedgerOptions) {
    this.#redis = redis;
    this.#lookedAt = lookedAt;
    this.#rule = rule;
    this.#leaseMs = leaseMs;
  }

  get hasNotes(): boolean {
    return this.#notes.length > 0;
  }

  settled(entry: EventId): void {
    this.#notes.push("settled", entry);
  }

  delivered({ event, entry }: Delivery, append: StreamAppend | undefined): void {
    if (append) this.#notes.push("append", append.stream, append.event);
    if (entry === undefined) this.#notes.push("delivered", event.id);
  }

  retried(delivery: Delivery, dueInMs: number): void {
    this.#notes.push("retried", delivery.event.id, Math.ceil(dueInMs), encodeRecord(delivery));
  }

  died(delivery: Delivery): void {
    this.#notes.push("dead", delivery.event.id, encodeRecord(delivery));
  }

  ended(why: string): void {
    this.#notes.push("ended", why);
  }

  /** What staff see of the rule. */
  state(field: "last" | "failure", value: object): void {
    this.#state.set(field, value);
  }

  /** Takes the lease, what is in hand, and what is to be tried again. What was not written yet is dropped. */
  begin(): Promise<ServeOutcome> {
    this.#notes = [];
    return this.#inTurn("begin", this.#leaseMs, 0);
  }

  /** Writes what was noted, renews the lease, and takes at most so many events. */
  serve(most: number): Promise<ServeOutcome> {
    return this.#inTurn("go on", this.#leaseMs, most);
  }

  /** Writes what was noted, and hands the lease back. */
  handBack(): Promise<ServeOutcome> {
    return this.#inTurn("go on", 0, 0);
  }

  #takeNotes(): Argument[] {
    const notes = this.#notes;
    for (const [field, value] of this.#state) notes.push("state", field, JSON.stringify(value));
    this.#notes = [];
    this.#state = new Map();
    return notes;
  }

  #inTurn(how: "begin" | "go on", leaseMs: number, most: number): Promise<ServeOutcome> {
    const call = this.#last.then(() => this.#call(how, leaseMs, most));
    this.#last = call.catch(() => {});
    return call;
  }

  async #call(how: string, leaseMs: number, most: number): Promise<ServeOutcome> {
    const { name, targetKey, types = [], texts = [], needsData } = this.#rule;
    const notes = this.#takeNotes();
    this.#calls += 1;
    if (most > 0) this.#position = this.#lookedAt.passOver(this.#position, this.#rule.types);
    const after = this.#position;
    const askedAt = performance.now();
    const head = [name, this.#replica, leaseMs, targetKey, how, this.#position, `#${this.#calls}`, most];
    try {
      const shape = [needsData ? 1 : 0, types.length, texts.length, ...types, ...texts];
      const outcome = readReply(await this.#redis.run(this.#script, [...head, ...shape, ...notes]), askedAt);
      if (outcome.kind !== "given") return outcome;
      const { upTo, types: seen, lost } = outcome;
      if (most > 0 && upTo !== after && lost === 0) this.#lookedAt.note({ after, upTo, types: seen });
      this.#position = upTo;
      return outcome;
    } catch (error) {
      this.#notes = [...notes, ...this.#notes];
      throw error;
    }
  }
}

function readReply(reply: unknown, askedAt: number): ServeOutcome {
  const [kind, upTo, lost, hasMore, retried, given, types] = asList(reply);
  if (kind === "held" || kind === "ended") return { kind };
  return {
    kind: "given",
    upTo: asText(upTo),
    lost: asInteger(lost),
    hasMore: hasMore === 1,
    retried: inGroups(asList(retried), 3, ([id, dueInMs, record]) => ({
      record: decodeRecord(asText(id), asText(record)),
      dueInMs: Math.max(0, asInteger(dueInMs)),
      isReplayed: asInteger(dueInMs) < 0,
    })),
    given: inGroups(asList(given), 5, ([entry, id, type, orderId, data]) => ({
      entry: asText(entry),
      event: { id: asText(id), type: asText(type), orderId: asText(orderId), data: asText(data) },
    })),
    types: asList(types).map(asText),
    askedAt,
  };
}

/** Reads a flat list, so many values at a time. */
export function inGroups<Item>(
  list: readonly unknown[],
  size: number,
  read: (values: readonly unknown[]) => Item,
): Item[] {
  return Array.from({ length: list.length / size }, (_, at) => read(list.slice(at * size, (at + 1) * size)));
}
