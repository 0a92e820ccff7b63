/**
 * Owns the caps on held requests: in all, and from one address.
 *
 * **Invariants**
 * - A request that has a slot is counted once, until it leaves.
 * - Requests that come back for an order leave a quarter of the slots to those that place one.
 */
import type { Refusals } from "./refusals.ts";

export interface HeldCaps {
  readonly maxHeld: number;
  readonly maxHeldPerAddress: number;
}

/** So many may wait for one order: two tabs and a telephone are three. */
export const MOST_PER_ORDER = 100;

/** The share that is used up: the order's, the address's, or that of all. */
export type Crowd = "too_many_for_order" | "too_many_held" | "room_full";

export type Entry = { readonly kind: "entered"; readonly place: HeldPlace } | { readonly kind: Crowd };

const SHARE_OF_RETURNERS = 0.75;

interface Counts {
  held: number;
  /** Of those, the ones that wait for an order that is placed. */
  waiting: number;
  returners: number;
  readonly byAddress: Map<string, number>;
}

export class HeldRequests {
  readonly #caps: HeldCaps;
  readonly #mostReturners: number;
  readonly #refusals: Pick<Refusals, "count">;
  readonly #counts: Counts = { held: 0, waiting: 0, returners: 0, byAddress: new Map() };

  constructor(caps: HeldCaps, refusals: Pick<Refusals, "count">) {
    this.#caps = caps;
    this.#mostReturners = Math.max(1, Math.floor(caps.maxHeld * SHARE_OF_RETURNERS));
    this.#refusals = refusals;
  }

  /** How many wait for an order. A request that has a slot and no order yet may still be refused. */
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
  enterAgain(address: string): Entry {
    const hasShare = this.#counts.returners < this.#mostReturners;
    const crowd = this.#crowdAround(address) ?? (hasShare ? undefined : "room_full");
    return crowd
      ? this.#refuse(crowd, address)
      : { kind: "entered", place: new HeldPlace(this.#counts, address, true) };
  }

  /** Counts a refusal that others have decided. */
  noteRefusal(kind: Crowd, address: string): void {
    this.#refusals.count(kind, address);
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
export class HeldPlace implements Disposable {
  readonly #counts: Counts;
  readonly #address: string;
  readonly #isReturner: boolean;
  #isHere = true;
  #isWaiting = false;

  constructor(counts: Counts, address: string, isReturner: boolean) {
    this.#counts = counts;
    this.#address = address;
    this.#isReturner = isReturner;
    counts.held += 1;
    if (isReturner) counts.returners += 1;
    add(counts.byAddress, address, 1);
  }

  /** Notes that their order is placed. */
  wait(): void {
    if (!this.#isHere || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#counts.waiting += 1;
  }

  /** Gives the place back; calling it again does nothing. */
  leave(): void {
    if (!this.#isHere) return;
    this.#isHere = false;
    this.#counts.held -= 1;
    if (this.#isWaiting) this.#counts.waiting -= 1;
    if (this.#isReturner) this.#counts.returners -= 1;
    add(this.#counts.byAddress, this.#address, -1);
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
