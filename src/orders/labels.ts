/**
 * Owns the queries of orders in queues of machines that were given a label: by number, and by how labels begin.
 *
 * **Invariants**
 * - Nothing here changes anything.
 */
import { asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import type { OrderJson } from "./order.ts";
import { unexpected } from "./outcomes.ts";

export interface Numbered {
  readonly queue: string;
  readonly number: number;
}

/** An order as JSON, and its label. */
interface LabelledOrder {
  readonly label: string;
  readonly order: OrderJson;
}

export type FindLabelledOutcome =
  | ({ readonly kind: "found" } & LabelledOrder)
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" };

/** Where a page ended. */
export interface LabelCursor {
  readonly label: string;
  readonly number: string;
}

export interface LabelSearch {
  readonly queue: string;
  /** How labels begin: they come in the order of their labels. Undefined: all, newest first. */
  readonly prefix?: string | undefined;
  /** Placed at or after, and before; ms since 1970. */
  readonly fromMs?: number | undefined;
  readonly beforeMs?: number | undefined;
  /** Whether they are ready. */
  readonly isReady?: boolean | undefined;
  readonly cursor?: LabelCursor | undefined;
  readonly limit: number;
}

/** `cursor` goes on after this page; absent on the last one. A page that is not the last one may have few orders. */
export interface LabelPage {
  readonly found: readonly LabelledOrder[];
  readonly cursor?: LabelCursor;
}

export function createLabelQueries(run: RunScript) {
  const findScript = loadScript("find-call");
  const searchScript = loadScript("search-calls");
  return {
    findLabelled: async ({ queue, number }: Numbered): Promise<FindLabelledOutcome> => {
      const [outcome = "", label = "", order = ""] = asText(await run(findScript, [queue, number])).split("\t");
      if (outcome === "found") return { kind: outcome, label, order };
      if (outcome === "unknown" || outcome === "damaged") return { kind: outcome };
      throw unexpected(outcome);
    },

    searchLabelled: async ({ queue, prefix = "", limit, ...wanted }: LabelSearch): Promise<LabelPage> => {
      const { fromMs, beforeMs, isReady, cursor = { label: "", number: "" } } = wanted;
      const state = isReady === undefined ? "" : isReady ? "ready" : "open";
      const times = [encodeTime(fromMs), encodeTime(beforeMs)];
      const args = [queue, prefix, ...times, state, cursor.label, cursor.number, limit];
      return readLabelPage(asText(await run(searchScript, args)));
    },
  };
}

/** As orders show times, so that they can be compared as texts. */
function encodeTime(ms: number | undefined): string {
  return ms === undefined ? "" : new Date(ms).toISOString();
}

function readLabelPage(reply: string): LabelPage {
  const [head = "", ...lines] = reply.split("\n");
  const [, label = "", number = ""] = head.split("\t");
  const found = lines.map((line) => {
    const [of = "", order = ""] = line.split("\t");
    return { label: of, order };
  });
  return { found, ...(label ? { cursor: { label, number } } : undefined) };
}
