/**
 * Owns the lanes of a waiting room: on which of them an id is listened for, and when there is one more.
 *
 * **Invariants**
 * - There are at most `maxLanes`.
 * - A lane that is full is left alone: it is not woken for newcomers.
 * - Newcomers who come together wake one lane, unless they are many.
 */
import { Lane, type LaneRoom } from "./lane.ts";

/** So many ids in a lane cost about as much to send to Redis again as a lane of their own costs to wake. */
export const LANE_TARGET_SIZE = 150;
/** A lane that is woken takes so many, whatever its room: what waking costs depends on all that it listens for. */
const LANE_MIN_SHARE = 16;

export class Lanes {
  readonly #room: LaneRoom;
  readonly #maxLanes: number;
  readonly #lanes: Lane[] = [];
  /** By id: the lane that listens for it. */
  readonly #laneOf = new Map<string, Lane>();

  constructor(room: LaneRoom, maxLanes: number) {
    this.#room = room;
    this.#maxLanes = maxLanes;
  }

  get sizes(): readonly number[] {
    return this.#lanes.map(({ size }) => size);
  }

  has(id: string): boolean {
    return this.#laneOf.has(id);
  }

  /** Has ids listened for. Fills one lane after the other. Where all are full, the smallest takes as many again. */
  add(ids: readonly string[]): void {
    for (let first = 0; first < ids.length;) {
      const lane = this.#choose();
      const left = LANE_TARGET_SIZE - lane.size;
      const some = ids.slice(first, first + (left > 0 ? Math.max(left, LANE_MIN_SHARE) : LANE_TARGET_SIZE));
      for (const id of some) this.#laneOf.set(id, lane);
      lane.add(some);
      first += some.length;
    }
  }

  drop(id: string): void {
    this.#laneOf.get(id)?.drop(id);
    this.#laneOf.delete(id);
  }

  close(): void {
    for (const lane of this.#lanes.splice(0)) lane.close();
  }

  /**
   * A lane that is awake and has room, else the smallest, else a new one. (Served customers leave their room in all
   * lanes, a little in each.)
   */
  #choose(): Lane {
    const awake = this.#lanes.find((lane) => lane.isAwake && lane.size < LANE_TARGET_SIZE);
    if (awake) return awake;
    const smallest = this.#lanes.toSorted((a, b) => a.size - b.size)[0];
    const mayOpen = this.#lanes.length < this.#maxLanes;
    if (smallest && (smallest.size < LANE_TARGET_SIZE || !mayOpen)) return smallest;
    const lane = new Lane(this.#room);
    this.#lanes.push(lane);
    return lane;
  }
}
