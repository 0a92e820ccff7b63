/**
 * Owns the channels: of each the listeners on this replica that want the same events, and are where the reader is.
 *
 * **Invariants**
 * - An event is encoded once, however many listeners want it.
 * - The events of one read are one write for each listener.
 * - Many listeners do not delay others for long.
 */
import { nextTurn } from "../turn.ts";
import { isBefore, isLast, isOfQueue, type EventId, type ShopEvent, type Wanted } from "./event.ts";
import { concatBytes, type Encode } from "./sse-frame.ts";

/** A write costs some microseconds: after so many, others have their turn. */
const MAX_WRITES_PER_TURN = 200;

export interface Follower {
  /** Takes whole frames. It must not throw. */
  readonly send: (frames: Uint8Array) => void;
  /** Nothing that it wants comes any more. */
  readonly end: () => void;
  /** It has the events up to here, or does not want them; undefined once they are behind it. */
  skipsUpTo: EventId | undefined;
}

interface Gathered {
  readonly event: ShopEvent;
  readonly frame: Uint8Array;
}

interface Channel {
  readonly wanted: Wanted;
  readonly followers: Set<Follower>;
  /** Of what was read last: what is for this channel. */
  gathered: Gathered[];
}

export class Channels {
  /** By order ('' for everything), then by what else is wanted. */
  readonly #byOrder = new Map<string, Map<string, Channel>>();

  /** Returns how to go. */
  join(wanted: Wanted, follower: Follower): () => void {
    const { orderId = "", types, queue = "", until } = wanted;
    const key = `${types?.toSorted().join() ?? ""} ${queue} ${until?.toSorted().join() ?? ""}`;
    const ofOrder = this.#byOrder.get(orderId) ?? new Map<string, Channel>();
    this.#byOrder.set(orderId, ofOrder);
    const channel = ofOrder.get(key) ?? { wanted, followers: new Set(), gathered: [] };
    ofOrder.set(key, channel);
    channel.followers.add(follower);
    return () => {
      channel.followers.delete(follower);
      if (channel.followers.size > 0 || ofOrder.get(key) !== channel) return;
      ofOrder.delete(key);
      if (ofOrder.size === 0 && this.#byOrder.get(orderId) === ofOrder) this.#byOrder.delete(orderId);
    };
  }

  /**
   * Delivers events, in their order, to all followers that want them. Resolves once they are sent: only then may more
   * follow.
   */
  async deliver(events: readonly ShopEvent[], encode: Encode): Promise<void> {
    const channels = new Set<Channel>();
    for (const event of events) {
      let frame: Uint8Array | undefined;
      for (const channel of this.#channelsOf(event)) {
        frame ??= encode(event);
        channel.gathered.push({ event, frame });
        channels.add(channel);
      }
    }
    const turn = { writesLeft: MAX_WRITES_PER_TURN };
    for (const channel of channels) await deliverTo(channel, turn);
  }

  #channelsOf(event: ShopEvent): Channel[] {
    const { type, orderId } = event;
    const found = [...(this.#byOrder.get("")?.values() ?? [])];
    if (orderId !== "") found.push(...(this.#byOrder.get(orderId)?.values() ?? []));
    return found.filter(
      ({ wanted: { types, queue } }) =>
        (types?.includes(type) ?? true) && (queue === undefined || isOfQueue(event, queue)),
    );
  }
}

/** A follower that joins while it lasts is included, and skips the events that it has. */
async function deliverTo(channel: Channel, turn: { writesLeft: number }): Promise<void> {
  const { wanted, followers, gathered } = channel;
  channel.gathered = [];
  const frames = concatBytes(gathered.map(({ frame }) => frame));
  for (const follower of followers) {
    const rest = follower.skipsUpTo === undefined ? frames : framesAfter(follower.skipsUpTo, gathered);
    if (rest.length === 0) continue;
    follower.skipsUpTo = undefined;
    follower.send(rest);
    turn.writesLeft -= 1;
    if (turn.writesLeft > 0) continue;
    await nextTurn();
    turn.writesLeft = MAX_WRITES_PER_TURN;
  }
  if (gathered.some(({ event }) => isLast(event, wanted))) {
    for (const follower of followers) follower.end();
  }
}

function framesAfter(id: EventId, gathered: readonly Gathered[]): Uint8Array {
  return concatBytes(gathered.filter(({ event }) => isBefore(id, event.id)).map(({ frame }) => frame));
}
