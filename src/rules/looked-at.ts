/**
 * Owns what the rules of a server tell each other of the stream: which types came in a stretch that one has looked at.
 * A rule that wants none of them passes over the stretch, and Redis need not look at it again.
 *
 * **Invariants**
 * - A stretch was looked at whole, and none of it was lost.
 * - Only young stretches are used: a shop that was emptied numbers its events anew.
 */
import { isBefore, type EventId } from "../events/event.ts";

const YOUNG_MS = 1000;
const MOST_STRETCHES = 64;

interface Stretch {
  readonly after: EventId;
  readonly upTo: EventId;
  readonly types: readonly string[];
  /** By `performance.now()`. */
  readonly at: number;
}

export class LookedAt {
  readonly #stretches: Stretch[] = [];

  note(stretch: Omit<Stretch, "at">): void {
    if (this.#stretches.push({ ...stretch, at: performance.now() }) > MOST_STRETCHES) this.#stretches.shift();
  }

  /** How far a rule that wants these types may go on without looking; undefined: it wants all. */
  passOver(position: EventId, wanted: readonly string[] | undefined): EventId {
    if (wanted === undefined || position === "") return position;
    const since = performance.now() - YOUNG_MS;
    let reached = position;
    for (const { after, upTo, types, at } of this.#stretches) {
      if (at < since || isBefore(reached, after) || !isBefore(reached, upTo)) continue;
      if (!types.some((type) => isWanted(type, wanted))) reached = upTo;
    }
    return reached;
  }
}

function isWanted(type: string, wanted: readonly string[]): boolean {
  return wanted.some((token) => (token.endsWith("*") ? type.startsWith(token.slice(0, -1)) : token === type));
}
