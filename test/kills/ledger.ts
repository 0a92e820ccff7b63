/**
 * Owns what customers and baristas saw during the kills, and the judgement of it.
 *
 * **Invariants**
 * - Everything is noted as it was answered.
 * - The judgement reads that, and what is left in Redis at the end.
 * - Each violation is one line, which names the order or the key.
 */
import type { QueueView, WireOrder } from "../support/http.ts";

/** What a barista answers as the result of an order: no two finishes of different orders send the same. */
export interface Made {
  readonly by: string;
  readonly n: number;
}

interface Start {
  readonly barista: string;
  readonly claim: string;
}

/** What is left when all have gone home. */
export interface Remains {
  /** The orders that the shop keeps. */
  readonly stored: readonly string[];
  /** As each replica answers it. */
  readonly queues: readonly QueueView[];
}

export class Ledger {
  /** Under each key that a customer ordered with: every final answer that it got. */
  readonly visits = new Map<string, WireOrder[]>();
  /** By order: every start that was answered with it. */
  readonly starts = new Map<string, Start[]>();
  /** By order: the result that its barista sent, and every answer to that. */
  readonly finishes = new Map<string, { readonly made: Made; readonly answers: WireOrder[] }>();
  /** What no client may meet: a refusal, or no answer in time. */
  readonly faults: string[] = [];

  /** Notes a start that was answered. */
  noteStart(orderId: string, start: Start): void {
    this.starts.set(orderId, [...(this.starts.get(orderId) ?? []), start]);
  }
}

/** All that went wrong, a line each. */
export function violationsIn(ledger: Ledger, { stored, queues }: Remains): string[] {
  const orderIds = [...ledger.visits.values()].flatMap(([first]) => first?.order_id ?? []);
  return [
    ...ledger.faults,
    ...[...ledger.visits].flatMap(([key, answers]) => inVisit(ledger, key, answers)),
    ...repeated(orderIds).map((id) => `${id}: answered under two keys`),
    ...[...ledger.starts].flatMap(([id, starts]) => inStarts(id, starts)),
    ...without([...ledger.finishes.keys()], orderIds).map((id) => `${id}: made without a customer`),
    ...without(orderIds, stored).map((id) => `${id}: answered, and not kept`),
    ...without(stored, orderIds).map((id) => `${id}: kept, and no customer's`),
    ...queues.flatMap(inQueue),
  ];
}

/** A customer's answers: one order however often it is asked for, theirs, and as its barista made it. */
function inVisit(ledger: Ledger, key: string, answers: readonly WireOrder[]): string[] {
  const [order, ...others] = answers;
  if (!order) return [`key ${key}: no answer`];
  const found: string[] = [];
  if (others.some((other) => !Bun.deepEquals(order, other, true))) found.push("answered differently when asked again");
  if (noteOf(order) !== key) found.push("another customer's");
  if (order.status !== "ready") found.push(`${order.status} (${order.reason ?? "no reason"})`);
  if (order.attempts !== 1) found.push(`started ${order.attempts} times`);
  const [start] = ledger.starts.get(order.order_id) ?? [];
  if (!start) found.push("no barista was given it to make");
  else if (order.barista !== start.barista) found.push(`made by ${order.barista}, and ${start.barista} had it`);
  const finish = ledger.finishes.get(order.order_id);
  if (!finish) found.push("no barista finished it");
  else {
    if (!Bun.deepEquals(order.result, finish.made, true)) found.push("its result is not what its barista sent");
    if (finish.answers.length === 0) found.push("its barista got no answer");
    if (finish.answers.some((answer) => !Bun.deepEquals(order, answer, true))) {
      found.push("its barista was answered with something else");
    }
  }
  return found.map((what) => `${order.order_id}: ${what}`);
}

/** What its customer wrote: of a call it stands in the input. */
function noteOf({ note, input }: WireOrder): unknown {
  return note ?? (input as { readonly note?: unknown } | undefined)?.note;
}

/** The starts of an order: by one barista under one claim. Leases outlast the kills, so no other may get it. */
function inStarts(orderId: string, starts: readonly Start[]): string[] {
  const holders = new Set(starts.map(({ barista, claim }) => `${barista} under ${claim}`));
  return holders.size > 1 ? [`${orderId}: held by ${[...holders].join(" and ")}`] : [];
}

function inQueue({ depth, brewing, damaged, held }: QueueView): string[] {
  const left = Object.entries({ depth, brewing, damaged, held }).filter(([, count]) => count !== 0);
  return left.length > 0 ? [`left in the queue: ${left.map(([name, count]) => `${name} ${count}`).join(", ")}`] : [];
}

function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  return ids.filter((id) => seen.size === seen.add(id).size);
}

function without(ids: readonly string[], known: readonly string[]): string[] {
  const set = new Set(known);
  return ids.filter((id) => !set.has(id));
}
