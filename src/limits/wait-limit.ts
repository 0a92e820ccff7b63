/**
 * Owns the limits on held requests: in all, and from one address.
 *
 * **Invariants**
 * - A request that has a slot is counted once, until it releases it.
 * - Requests that come back for an order leave a quarter of the slots to those that place one.
 */
import type { RejectionLog } from "./rejection-log.ts";

export interface WaitLimitSettings {
  readonly maxHeld: number;
  readonly maxHeldPerAddress: number;
}

/** So many may wait for one order: two tabs and a telephone are three. */
export const MAX_HELD_PER_ORDER = 100;

/** The share that was used up when a request was turned away: the order's, the address's, or that of all. */
export type WaitRejection = "too_many_for_order" | "too_many_held" | "room_full";

export type Acquisition = { readonly kind: "acquired"; readonly slot: Slot } | { readonly kind: WaitRejection };

const SHARE_OF_RETURNERS = 0.75;

interface Counts {
  held: number;
  /** Of those, the ones that wait for an order that is placed. */
  waiting: number;
  returners: number;
  readonly byAddress: Map<string, number>;
}

export class WaitLimit {
  readonly #settings: WaitLimitSettings;
  readonly #maxReturners: number;
  readonly #rejectionLog: Pick<RejectionLog, "count">;
  readonly #counts: Counts = { held: 0, waiting: 0, returners: 0, byAddress: new Map() };

  constructor(settings: WaitLimitSettings, rejectionLog: Pick<RejectionLog, "count">) {
    this.#settings = settings;
    this.#maxReturners = Math.max(1, Math.floor(settings.maxHeld * SHARE_OF_RETURNERS));
    this.#rejectionLog = rejectionLog;
  }

  /** How many wait for an order. A request that has a slot and no order yet may still be turned away. */
  get waiting(): number {
    return this.#counts.waiting;
  }

  /** How many may be held at once. */
  get limit(): number {
    return this.#settings.maxHeld;
  }

  /** Acquires a slot for a request that places an order, or waits for none. */
  acquire(address: string): Acquisition {
    const rejection = this.#findRejection(address);
    return rejection
      ? this.#reject(rejection, address)
      : { kind: "acquired", slot: new Slot(this.#counts, address, false) };
  }

  /** Acquires a slot for a request that comes back to an order placed before. */
  acquireForReturner(address: string): Acquisition {
    const hasShare = this.#counts.returners < this.#maxReturners;
    const rejection = this.#findRejection(address) ?? (hasShare ? undefined : "room_full");
    return rejection
      ? this.#reject(rejection, address)
      : { kind: "acquired", slot: new Slot(this.#counts, address, true) };
  }

  /** Counts a rejection that others have decided. */
  noteRejection(kind: WaitRejection, address: string): void {
    this.#rejectionLog.count(kind, address);
  }

  #findRejection(address: string): WaitRejection | undefined {
    const { held, byAddress } = this.#counts;
    if ((byAddress.get(address) ?? 0) >= this.#settings.maxHeldPerAddress) return "too_many_held";
    return held >= this.#settings.maxHeld ? "room_full" : undefined;
  }

  #reject(kind: WaitRejection, address: string): Acquisition {
    this.#rejectionLog.count(kind, address);
    return { kind };
  }
}

/** The slot of a request that was let in. */
export class Slot implements Disposable {
  readonly #counts: Counts;
  readonly #address: string;
  readonly #isReturner: boolean;
  #isAcquired = true;
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
  noteWaiting(): void {
    if (!this.#isAcquired || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#counts.waiting += 1;
  }

  /** Releases the slot; calling it again does nothing. */
  release(): void {
    if (!this.#isAcquired) return;
    this.#isAcquired = false;
    this.#counts.held -= 1;
    if (this.#isWaiting) this.#counts.waiting -= 1;
    if (this.#isReturner) this.#counts.returners -= 1;
    add(this.#counts.byAddress, this.#address, -1);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Counts up or down; what is nothing is not kept. */
function add(counts: Map<string, number>, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
