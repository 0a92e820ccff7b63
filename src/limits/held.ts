/**
 * Owns the caps on held requests, in all and from one address.
 * Always holds: who was let in is counted until they leave, once.
 */
import type { Refusals } from "./refusals.ts";

export interface HeldCaps {
  readonly maxHeld: number;
  readonly maxHeldPerAddress: number;
}

/** `leave` gives the place back; calling it again does nothing. */
export type Entry =
  | { readonly kind: "entered"; readonly leave: () => void }
  | { readonly kind: "too_many_held" }
  | { readonly kind: "room_full" };

export class HeldRequests {
  readonly #caps: HeldCaps;
  readonly #refusals: Pick<Refusals, "count">;
  readonly #byAddress = new Map<string, number>();
  #held = 0;

  constructor(caps: HeldCaps, refusals: Pick<Refusals, "count">) {
    this.#caps = caps;
    this.#refusals = refusals;
  }

  enter(address: string): Entry {
    const fromAddress = this.#byAddress.get(address) ?? 0;
    if (fromAddress >= this.#caps.maxHeldPerAddress) return this.#refuse("too_many_held", address);
    if (this.#held >= this.#caps.maxHeld) return this.#refuse("room_full", address);
    this.#held += 1;
    this.#byAddress.set(address, fromAddress + 1);
    let isHere = true;
    return {
      kind: "entered",
      leave: () => {
        if (!isHere) return;
        isHere = false;
        this.#leave(address);
      },
    };
  }

  #refuse(kind: "too_many_held" | "room_full", address: string): Entry {
    this.#refusals.count(kind, address);
    return { kind };
  }

  #leave(address: string): void {
    this.#held -= 1;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }
}
