/**
 * Owns the caps on held requests: in all, from one address, and for one order.
 *
 * **Invariants**
 * - Who was let in is counted until they leave, once.
 * - Who comes back for an order leaves a quarter of the places to those who place one.
 * - At most MOST_PER_ORDER are held on one order.
 */
import type { Refusals } from "./refusals.ts";

export interface HeldCaps {
  readonly maxHeld: number;
  readonly maxHeldPerAddress: number;
}

/** Whose share is used up: the order's, the address's, or everybody's. */
export type Crowd = "too_many_for_order" | "too_many_held" | "room_full";

export type Entry = { readonly kind: "entered"; readonly place: HeldPlace } | { readonly kind: Crowd };

/** Two tabs and a telephone are three. */
export const MOST_PER_ORDER = 100;
const SHARE_OF_RETURNERS = 0.75;

interface Counts {
  held: number;
  /** Of those, who waits for an order that is placed. */
  waiting: number;
  returners: number;
  readonly byAddress: Map<string, number>;
  readonly byOrder: Map<string, number>;
}

export class HeldRequests {
  readonly #caps: HeldCaps;
  readonly #mostReturners: number;
  readonly #refusals: Pick<Refusals, "count">;
  readonly #counts: Counts = { held: 0, waiting: 0, returners: 0, byAddress: new Map(), byOrder: new Map() };

  constructor(caps: HeldCaps, refusals: Pick<Refusals, "count">) {
    this.#caps = caps;
    this.#mostReturners = Math.max(1, Math.floor(caps.maxHeld * SHARE_OF_RETURNERS));
    this.#refusals = refusals;
  }

  /** How many wait for an order. Who is let in and has none yet may still be refused. */
  get waiting(): number {
    return this.#counts.waiting;
  }

  /** A place for who places an order, or waits for none. */
  enter(address: string): Entry {
    const crowd = this.#crowdAround(address);
    return crowd
      ? this.#refuse(crowd, address)
      : { kind: "entered", place: new HeldPlace(this.#counts, address, false) };
  }

  /** A place for who comes back to an order placed before. */
  enterAgain(address: string, orderId: string): Entry {
    const hasShare = this.#counts.returners < this.#mostReturners;
    const crowd = this.#crowdAround(address) ?? (hasShare ? undefined : "room_full");
    if (crowd) return this.#refuse(crowd, address);
    const place = new HeldPlace(this.#counts, address, true);
    if (place.holdOn(orderId)) return { kind: "entered", place };
    place.leave();
    return this.#refuse("too_many_for_order", address);
  }

  #crowdAround(address: string): Crowd | undefined {
    const { held, byAddress } = this.#counts;
    if ((byAddress.get(address) ?? 0) >= this.#caps.maxHeldPerAddress) return "too_many_held";
    return held >= this.#caps.maxHeld ? "room_full" : undefined;
  }

  #refuse(kind: Crowd, address: string): Entry {
    this.#refusals.count(kind, address);
    return { kind };
  }
}

/** The place of one who was let in. */
class HeldPlace implements Disposable {
  readonly #counts: Counts;
  readonly #address: string;
  readonly #isReturner: boolean;
  #orderId: string | undefined;
  #isHere = true;

  constructor(counts: Counts, address: string, isReturner: boolean) {
    this.#counts = counts;
    this.#address = address;
    this.#isReturner = isReturner;
    counts.held += 1;
    if (isReturner) counts.returners += 1;
    add(counts.byAddress, address, 1);
  }

  /** Says, once, which order it is for; false where that has too many. */
  holdOn(orderId: string): boolean {
    const { byOrder } = this.#counts;
    if (!this.#isHere || this.#orderId !== undefined) return this.#orderId === orderId;
    if ((byOrder.get(orderId) ?? 0) >= MOST_PER_ORDER) return false;
    this.#orderId = orderId;
    this.#counts.waiting += 1;
    add(byOrder, orderId, 1);
    return true;
  }

  /** Gives the place back; calling it again does nothing. */
  leave(): void {
    if (!this.#isHere) return;
    this.#isHere = false;
    this.#counts.held -= 1;
    if (this.#isReturner) this.#counts.returners -= 1;
    add(this.#counts.byAddress, this.#address, -1);
    if (this.#orderId === undefined) return;
    this.#counts.waiting -= 1;
    add(this.#counts.byOrder, this.#orderId, -1);
  }

  [Symbol.dispose](): void {
    this.leave();
  }
}

/** Counts up or down; what is nothing is not kept. */
function add(counts: Map<string, number>, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
