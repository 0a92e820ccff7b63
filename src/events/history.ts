/**
 * Owns the reading of events that have been: in pages, one script each.
 * Always holds: a page is bounded, and what is not wanted never leaves Redis.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import type { EventId, ShopEvent, Wanted } from "./event.ts";
import { Turns } from "./turns.ts";

/** Redis serves nobody else while it looks at them. */
const MOST_LOOKED_AT = 250;

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
  const turns = new Turns();

  /** `after` empty: only tells the newest. */
  const read = async (
    after: EventId,
    { orderId = "", types = [] }: Wanted,
    most = MOST_LOOKED_AT,
  ): Promise<HistoryPage> => {
    const reply = await run(script, [after, most, orderId, types.join()]);
    const [newest, upTo, missing, ...events] = asList(reply);
    return {
      events: events.map(readEvent),
      upTo: asText(upTo),
      newest: asText(newest),
      isMissing: asInteger(missing) === 1,
    };
  };

  return {
    /** The id of the newest event; before the first, `0-0`. */
    findNewest: async (): Promise<EventId> => (await read("", {})).newest,

    /** Whether events after that one may be no longer kept. */
    isMissingAfter: async (after: EventId): Promise<boolean> => (await read(after, {}, 1)).isMissing,

    /** The wanted ones among the next so many events after an id. */
    readAfter: (after: EventId, wanted: Wanted): Promise<HistoryPage> =>
      turns.run(
        () => read(after, wanted),
        ({ upTo, newest }) => upTo !== newest,
      ),
  };
}

function readEvent(reply: unknown): ShopEvent {
  const [id, type, orderId, data] = asList(reply);
  return { id: asText(id), type: asText(type), orderId: asText(orderId), data: asText(data) };
}
