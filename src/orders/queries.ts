/**
 * Owns the queries of orders: one, many, and how many wait.
 *
 * **Invariants**
 * - Nothing here changes anything.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { gathered, loadScript, type RunScript } from "../redis/script.ts";
import type { CancelReason, OrderJson, Status } from "./order.ts";
import { encodeBarista, unexpected } from "./outcomes.ts";
import { createListQueues } from "./queues.ts";
import { createLabelQueries } from "./labels.ts";
import { createStateQueries } from "./open-states.ts";

export type FindOutcome =
  | { readonly kind: "found"; readonly status: Status; readonly order: OrderJson }
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" };

export interface Search {
  /** Any of these; undefined: all. */
  readonly statuses?: readonly Status[] | undefined;
  readonly customerId?: string | undefined;
  /** A queue of machines; undefined: the counter. */
  readonly queue?: string | undefined;
  /** Who brews or brewed it. */
  readonly barista?: string | undefined;
  /** Its number, or a part of its drink, its note or its customer's name or id; in any case of letters. */
  readonly text?: string | undefined;
  readonly isNewestFirst?: boolean | undefined;
  /** Placed at or after, and before; ms since 1970. */
  readonly fromMs: number;
  readonly beforeMs: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** A search among dead letters. */
export interface DeadSearch {
  /** Undefined: any. */
  readonly queue?: string | undefined;
  readonly reason?: CancelReason | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** `cursor` goes on after this page; absent on the last one. `cursor_gone`: its order is no longer kept. */
export type SearchOutcome =
  | { readonly kind: "page"; readonly orders: readonly OrderJson[]; readonly cursor?: string }
  | { readonly kind: "cursor_gone" };

export interface QueueMeasure {
  readonly depth: number;
  readonly brewing: number;
  readonly oldestWaitingSeconds: number | null;
  /** Orders of the whole shop that are set aside as damaged. */
  readonly damaged: number;
}

export function createQueries(run: RunScript) {
  return {
    find: createFind(run),
    search: createSearch(run),
    dead: createDead(run),
    listQueues: createListQueues(run),
    ...createLabelQueries(run),
    measure: createMeasure(run),
    ...createStateQueries(run),
  };
}

function createFind(run: RunScript) {
  const script = loadScript("find-orders");
  return gathered(
    async (ids: readonly string[]) => asText(await run(script, ids)).split("\n"),
    (line): FindOutcome => {
      const [outcome = "", status, order = ""] = line.split("\t");
      if (outcome === "found") return { kind: outcome, status: status as Status, order };
      if (outcome === "unknown" || outcome === "damaged") return { kind: outcome };
      throw unexpected(outcome);
    },
  );
}

function createSearch(run: RunScript) {
  const script = loadScript("search-orders");
  return async (wanted: Search): Promise<SearchOutcome> => {
    const { statuses = [], customerId = "", fromMs, beforeMs, cursor = "", limit, queue = "" } = wanted;
    const barista = encodeBarista(wanted.barista);
    const order = wanted.isNewestFirst ? "newest" : "";
    const args = [customerId, statuses.join(), fromMs, beforeMs, cursor, limit, queue, order, barista];
    return readPage(asText(await run(script, [...args, ...spellingsOf(wanted.text ?? "")])));
  };
}

/** How a text may be spelled, each in lower case as far as ASCII goes: Lua knows no other letters. */
function spellingsOf(text: string): string[] {
  if (text === "") return [];
  const lower = text.toLowerCase();
  const titled = lower.replaceAll(/(?<=^|[^\p{L}])\p{L}/gu, (letter) => letter.toUpperCase());
  const spellings = [lower, titled, text.toUpperCase()].map(lowerAscii);
  return [...new Set(spellings)];
}

function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function createDead(run: RunScript) {
  const script = loadScript("dead-orders");
  return async ({ queue, reason, cursor, limit }: DeadSearch): Promise<SearchOutcome> =>
    readPage(asText(await run(script, [queue ?? "", reason ?? "", cursor ?? "", limit])));
}

function readPage(reply: string): SearchOutcome {
  if (reply === "cursor_gone") return { kind: reply };
  const [head = "", ...orders] = reply.split("\n");
  const next = head.slice("page\t".length);
  return { kind: "page", orders, ...(next ? { cursor: next } : undefined) };
}

function createMeasure(run: RunScript) {
  const script = loadScript("measure-queue");
  return async (queue: string): Promise<QueueMeasure> => {
    const [depth, brewing, oldestMs, damaged] = asList(await run(script, [queue]));
    const oldestWaitingSeconds = asInteger(oldestMs) < 0 ? null : asInteger(oldestMs) / 1000;
    return { depth: asInteger(depth), brewing: asInteger(brewing), oldestWaitingSeconds, damaged: asInteger(damaged) };
  };
}
