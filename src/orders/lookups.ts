/** Owns the looks at orders: one, many, and how many wait. Always holds: nothing here changes anything. */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { batched, loadScript, type RunScript } from "../redis/script.ts";
import { toOrderJson, type OrderJson, type Status } from "./order.ts";
import { readFound, unexpected } from "./outcomes.ts";

export type FindOutcome =
  | { readonly kind: "found"; readonly status: Status; readonly order: OrderJson }
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" };

export interface Search {
  readonly status?: Status | undefined;
  readonly customerId?: string | undefined;
  /** Placed at or after, and before; ms since 1970. */
  readonly fromMs: number;
  readonly beforeMs: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** `cursor` goes on after this page; absent on the last one. `cursor_gone`: its order is no longer kept. */
type SearchOutcome =
  | { readonly kind: "page"; readonly orders: readonly OrderJson[]; readonly cursor?: string }
  | { readonly kind: "cursor_gone" };

interface QueueMeasure {
  readonly depth: number;
  readonly brewing: number;
  readonly oldestWaitingSeconds: number | null;
  /** Orders of the whole shop that are set aside as damaged. */
  readonly damaged: number;
}

export function createLookups(run: RunScript) {
  return {
    /** The order as it is now, with its position and expected wait while queued. */
    find: batched<string, FindOutcome>(run, {
      script: loadScript("find-order"),
      shared: [],
      encode: (orderId) => [orderId],
      decode: (kind, [id, status, json]) => {
        if (kind === "unknown" || kind === "damaged") return { kind };
        if (kind === "found") {
          return { kind, status: asText(status) as Status, order: toOrderJson(asText(id), asText(json)) };
        }
        throw unexpected("find-order", kind);
      },
    }),

    search: createSearch(run),
    measure: createMeasure(run),
  };
}

/** A page of orders by time placed, oldest first. */
function createSearch(run: RunScript) {
  const script = loadScript("search-orders");
  return async ({ status, customerId, fromMs, beforeMs, cursor, limit }: Search): Promise<SearchOutcome> => {
    const reply = await run(script, [customerId ?? "", status ?? "", fromMs, beforeMs, cursor ?? "", limit]);
    const [kind, next, ...orders] = asList(reply);
    if (kind === "cursor_gone") return { kind };
    return { kind: "page", orders: orders.map(readFound), ...(next ? { cursor: asText(next) } : undefined) };
  };
}

/** How long a queue is. */
function createMeasure(run: RunScript) {
  const script = loadScript("measure-queue");
  return async (queue: string): Promise<QueueMeasure> => {
    const [depth, brewing, oldestMs, damaged] = asList(await run(script, [queue]));
    const oldestWaitingSeconds = asInteger(oldestMs) < 0 ? null : asInteger(oldestMs) / 1000;
    return { depth: asInteger(depth), brewing: asInteger(brewing), oldestWaitingSeconds, damaged: asInteger(damaged) };
  };
}
