/**
 * Owns the reading of events that have been: in pages, one script each.
 *
 * **Invariants**
 * - A page is bounded, and what is not wanted never leaves Redis.
 */
import { asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import type { EventId, ShopEvent, Wanted } from "./event.ts";
import { ReadThrottle } from "./read-throttle.ts";

/** Redis serves no other call while it reads them. */
const MAX_ENTRIES_PER_PAGE = 50;

export interface HistoryPage {
  readonly events: readonly ShopEvent[];
  /** Everything wanted up to here is in this page, or came before it. */
  readonly upTo: EventId;
  /** The newest event there is, wanted or not. */
  readonly newest: EventId;
  /** Whether events after the id that was asked for may be no longer kept. */
  readonly isMissing: boolean;
}

export type History = ReturnType<typeof createHistory>;

export function createHistory(run: RunScript) {
  const script = loadScript("read-events");
  const fixedScript = loadScript("read-fixed");
  const throttle = new ReadThrottle();

  /** `after` empty: only finds the newest. */
  const read = async (
    after: EventId,
    { orderId = "", types = [], queue = "" }: Wanted,
    maxEntries = MAX_ENTRIES_PER_PAGE,
  ): Promise<HistoryPage> => {
    const reply = await run(script, [after, maxEntries, orderId, types.join(), queue]);
    const [head = "", ...events] = asText(reply).split("\n");
    const [newest = "", upTo = "", missing] = head.split("\t");
    return { events: events.map(readEvent), upTo, newest, isMissing: missing === "1" };
  };

  return {
    /** The id of the newest event; before the first, `0-0`. */
    findNewest: async (): Promise<EventId> => (await read("", {})).newest,

    /** Whether events after that one may be no longer kept. */
    isMissingAfter: async (after: EventId): Promise<boolean> => (await read(after, {}, 1)).isMissing,

    /** The members that never change of these orders, as JSON, by order. */
    readFixed: async (orderIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
      const lines = asText(await run(fixedScript, orderIds)).split("\n");
      return new Map(orderIds.map((orderId, index) => [orderId, lines[index] ?? ""]));
    },

    /** The wanted ones among the next so many events after an id. */
    readAfter: (after: EventId, wanted: Wanted): Promise<HistoryPage> =>
      throttle.run(
        () => read(after, wanted),
        ({ upTo, newest }) => upTo !== newest,
      ),
  };
}

function readEvent(line: string): ShopEvent {
  const [id = "", type = "", orderId = "", data = ""] = line.split("\t");
  return { id, type, orderId, data };
}
