/**
 * Owns the queries of states: how many orders are in each, which they are, and what happened a moment ago.
 *
 * **Invariants**
 * - Redis looks at a bounded number of orders and events a call.
 * - Final orders are in no index of their own: a search finds them, and stats count them.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import type { OrderJson } from "./order.ts";
import { OPEN_STATUSES, type OpenStatus } from "./status.ts";

/** Rates are of the last minute, or of the last so many events where those are fewer: a few ms of Redis' time. */
const SPAN_MS = 60_000;
const MAX_EVENTS = 1000;

export interface StateMeasure {
  readonly open: Readonly<Record<OpenStatus, number>>;
  /** How far back the events were looked at. */
  readonly spanMs: number;
  /** By type. */
  readonly events: Readonly<Record<string, number>>;
  /** The queues of machines that are declared. */
  readonly machineQueues: readonly string[];
}

export interface StateList {
  readonly state: OpenStatus;
  readonly queue: string;
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** `cursor` goes on after this page; absent on the last one. */
export interface StatePage {
  readonly kind: "page";
  readonly orders: readonly OrderJson[];
  readonly cursor?: string;
}

export function createStateQueries(run: RunScript) {
  return { measureStates: createMeasureStates(run), listState: createListState(run) };
}

function createMeasureStates(run: RunScript) {
  const script = loadScript("measure-states");
  return async (queue: string): Promise<StateMeasure> => {
    const [counts, spanMs, events, machineQueues] = asList(await run(script, [queue, SPAN_MS, MAX_EVENTS]));
    const counted = asList(counts).map(asInteger);
    return {
      open: Object.fromEntries(OPEN_STATUSES.map((status, at) => [status, counted[at] ?? 0])) as StateMeasure["open"],
      spanMs: asInteger(spanMs),
      events: readPairs(asList(events)),
      machineQueues: asList(machineQueues).map(asText),
    };
  };
}

/** Names and counts in turn. */
function readPairs(reply: readonly unknown[]): Record<string, number> {
  const named = reply.flatMap((name, at) => (at % 2 === 0 ? [[asText(name), asInteger(reply[at + 1])] as const] : []));
  return Object.fromEntries(named);
}

function createListState(run: RunScript) {
  const script = loadScript("list-state");
  return async ({ state, queue, cursor = "1:0:", limit }: StateList): Promise<StatePage> => {
    const [index = "", score = "", ...id] = cursor.split(":");
    const reply = asText(await run(script, [state, queue, limit, index, score, id.join(":")]));
    const [head = "", ...orders] = reply.split("\n");
    const next = head.slice("page\t".length);
    return { kind: "page", orders, ...(next ? { cursor: next } : undefined) };
  };
}
