/**
 * Owns how the ways to listen become what a subscription listens to, or the problem that they would be over HTTP.
 *
 * **Invariants**
 * - What can't be listened to is a RefusedError.
 */
import type { Wanted } from "../../events/event.ts";
import type { EventFeed } from "../../events/feed.ts";
import { problem } from "../../problem.ts";
import type { ListenOutcome } from "../../service/listening.ts";
import { answerClosing, answerTooManyListeners } from "../answers.ts";
import { RefusedError } from "./errors.ts";
import { FeedSource } from "./feed-source.ts";

interface Surroundings {
  /** Answers where there is nothing of that id, or it can't be read. */
  readonly answerMissing: (found: { readonly kind: "unknown" | "damaged" }) => Response;
  readonly longestMs?: number;
}

/** Of one thing, for clients that know its id. */
export function sourceOf<Data>(outcome: ListenOutcome, { answerMissing, longestMs }: Surroundings): FeedSource<Data> {
  switch (outcome.kind) {
    case "listening": {
      const { subscription, slot, wanted } = outcome;
      const release = (): void => slot[Symbol.dispose]();
      return new FeedSource<Data>({ kind: "live", subscription, wanted, longestMs, release });
    }
    case "over":
      return new FeedSource<Data>(outcome);
    case "unknown":
    case "damaged":
      throw new RefusedError(answerMissing({ kind: outcome.kind }));
    case "closing":
      throw new RefusedError(answerClosing());
    case "too_many_held":
    case "full":
    case "room_full":
    case "too_many_for_order":
      throw new RefusedError(outcome.kind === "too_many_held" ? problem(outcome.kind) : answerTooManyListeners());
  }
}

/** Of everything, by staff. */
export async function listenToAll<Data>(feed: EventFeed, wanted: Wanted): Promise<FeedSource<Data>> {
  const outcome = await feed.subscribe();
  if (outcome.kind !== "subscribed") {
    throw new RefusedError(outcome.kind === "full" ? answerTooManyListeners() : answerClosing());
  }
  return new FeedSource<Data>({ kind: "live", subscription: outcome.subscription, wanted, release: () => {} });
}
