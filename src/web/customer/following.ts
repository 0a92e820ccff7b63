/**
 * Owns which orders the page follows: all that the shop may still change, and no others.
 *
 * **Invariants**
 * - Each is followed once; the newest by their events.
 */
import { Follower, type Hearing } from "./follower.ts";

/** Of so many orders at once the events are listened to: a browser has six connections to a server. */
const MAX_LISTENED = 2;

export class Following {
  readonly #hearing: Hearing;
  readonly #followers = new Map<string, Follower>();

  constructor(hearing: Hearing) {
    this.#hearing = hearing;
  }

  /** Follows these from now on, the newest first. */
  follow(orderIds: readonly string[]): void {
    for (const [orderId, follower] of this.#followers) {
      if (orderIds.includes(orderId)) continue;
      follower.stop();
      this.#followers.delete(orderId);
    }
    for (const [index, orderId] of orderIds.entries()) {
      if (this.#followers.has(orderId)) continue;
      const follower = new Follower(orderId, this.#hearing, { withEvents: index < MAX_LISTENED });
      this.#followers.set(orderId, follower);
      follower.start();
    }
  }

  /** Asks for an order now. */
  look(orderId: string): void {
    void this.#followers.get(orderId)?.look();
  }

  /** The device came back. */
  hurry(): void {
    for (const follower of this.#followers.values()) follower.hurry();
  }

  /** The device lost its connection. */
  drop(): void {
    for (const follower of this.#followers.values()) follower.drop();
  }
}
