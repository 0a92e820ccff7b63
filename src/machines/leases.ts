/**
 * Owns that the orders which a machine is making stay its own: their leases are extended together, in good time.
 *
 * **Invariants**
 * - A lease is extended when a third of it is over, at the latest.
 * - An order whose lease is refused is lost: its making is ended.
 * - While Redis is unavailable nothing is lost: what is refused then counts.
 */
import type { ChangeOutcome } from "../orders/outcomes.ts";
import type { Making } from "./making.ts";

interface LeaseParts {
  readonly extend: (orderId: string) => Promise<ChangeOutcome>;
  /** Gets what extending rejects with. */
  readonly failed: (error: unknown) => void;
}

export class Leases {
  readonly #parts: LeaseParts;
  /** By order; those that are being extended now too. */
  readonly #held = new Map<string, Making>();
  readonly #extending = new Set<Making>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(leaseSeconds: number, parts: LeaseParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#extendAll(), (leaseSeconds * 1000) / 3);
  }

  get held(): readonly Making[] {
    return [...this.#held.values()];
  }

  /** From now on its lease is extended. One of the same order that was held has lost it. */
  hold(making: Making): void {
    this.#held.get(making.orderId)?.lose();
    this.#held.set(making.orderId, making);
  }

  letGo(making: Making): void {
    if (this.#held.get(making.orderId) === making) this.#held.delete(making.orderId);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #extendAll(): void {
    for (const making of this.#held.values()) void this.#extendOne(making);
  }

  async #extendOne(making: Making): Promise<void> {
    if (this.#extending.has(making)) return;
    this.#extending.add(making);
    try {
      const { kind } = await this.#parts.extend(making.orderId);
      if (kind !== "changed" && this.#held.get(making.orderId) === making) making.lose();
    } catch (error) {
      this.#parts.failed(error);
    } finally {
      this.#extending.delete(making);
    }
  }
}
