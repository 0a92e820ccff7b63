/**
 * Owns the caps on held requests, in all and from one address.
 * Always holds: who was let in is counted until they leave, once.
 */

export interface HeldCaps {
  readonly maxHeld: number;
  readonly maxHeldPerAddress: number;
}

/** `leave` gives the place back; calling it again does nothing. */
export type Entry =
  | { readonly kind: "entered"; readonly leave: () => void }
  | { readonly kind: "room_full" }
  | { readonly kind: "address_full" };

export class HeldRequests {
  readonly #caps: HeldCaps;
  readonly #byAddress = new Map<string, number>();
  #held = 0;

  constructor(caps: HeldCaps) {
    this.#caps = caps;
  }

  enter(address: string): Entry {
    const fromAddress = this.#byAddress.get(address) ?? 0;
    if (fromAddress >= this.#caps.maxHeldPerAddress) return { kind: "address_full" };
    if (this.#held >= this.#caps.maxHeld) return { kind: "room_full" };
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

  #leave(address: string): void {
    this.#held -= 1;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }
}
