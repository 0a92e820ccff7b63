/**
 * Owns a held caller between the waiting room and a transport: their seat, their slot, and what they are notified of.
 *
 * The seat is taken before the order is placed. What ends the wait before the placing is answered is kept until then.
 *
 * **Invariants**
 * - The slot is released when the wait is over, however it ends.
 * - A caller that is refused was never held.
 */
import type { Slot } from "../limits/wait-limit.ts";
import type { Verdict } from "../limits/limiter.ts";
import type { Guest, Seat, WaitingRoom, WaitOutcome } from "../longpoll/room.ts";
import type { OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/orders.ts";
import type { Caller, HeldOutcome, OrderRefusal } from "./caller.ts";
import type { LostOrders } from "./lost-orders.ts";

export interface HoldingParts {
  readonly room: WaitingRoom<OrderJson>;
  readonly orders: Pick<Orders, "find" | "flow">;
  readonly lostOrders: LostOrders;
}

interface Holding {
  readonly orderId: string;
  /** Whether the order is yet to be placed. */
  readonly isNew: boolean;
  readonly slot: Slot;
  readonly caller: Caller;
}

export class HeldOrder implements Guest<OrderJson> {
  readonly #parts: HoldingParts;
  readonly #holding: Holding;
  readonly #seat: Seat;
  #isHeld = false;
  /** Since when they wait for an order that was placed before, ms since 1970. */
  readonly #sinceMs: number;
  /** How the wait ended before they were held. */
  #early: WaitOutcome<OrderJson> | undefined;

  constructor(parts: HoldingParts, holding: Holding) {
    this.#parts = parts;
    this.#holding = holding;
    const { orderId: id, isNew, caller } = holding;
    this.#sinceMs = isNew ? 0 : Date.now();
    this.#seat = parts.room.sit({ id, isNew, seconds: caller.seconds, signal: caller.signal }, this);
  }

  get mustStay(): boolean {
    return this.#holding.caller.mustStay;
  }

  /** Holds the caller: there is an order to wait for. */
  hold(limit: Verdict | undefined): void {
    const { orderId, isNew, slot, caller } = this.#holding;
    this.#isHeld = true;
    slot.noteWaiting();
    caller.hold(orderId, limit);
    if (this.#early) this.settle(this.#early);
    else if (isNew) this.#seat.listen();
  }

  /** Refuses the caller before they are held. */
  refuse(refusal: OrderRefusal): void {
    const { slot, caller } = this.leaveSeat();
    slot.release();
    caller.refuse(refusal);
  }

  /** The same, for an error that was not expected. */
  fail(error: unknown): void {
    const { slot, caller } = this.leaveSeat();
    slot.release();
    caller.fail(error);
  }

  /** Gives up the seat of a caller that is not held yet, and returns them with their slot. */
  leaveSeat(): Pick<Holding, "slot" | "caller"> {
    this.#isHeld = false;
    this.#seat.leave();
    return this.#holding;
  }

  settle(outcome: WaitOutcome<OrderJson>): void {
    if (!this.#isHeld) this.#early = outcome;
    else if (outcome.kind === "time_over") void this.#endTimeOver();
    else this.#end(outcome);
  }

  #end(outcome: HeldOutcome): void {
    const { slot, caller, isNew } = this.#holding;
    // If a caller only asks for an order, there may never have been one.
    if (isForgotten(outcome) && (isNew || caller.mustStay)) this.#parts.lostOrders.count();
    slot.release();
    caller.settle(outcome);
    if (outcome.kind === "final") this.#parts.orders.flow.noteAnswer(outcome.value, this.#sinceMs);
  }

  async #endTimeOver(): Promise<void> {
    const { orderId, slot, caller } = this.#holding;
    try {
      this.#end({ kind: "time_over", found: await this.#parts.orders.find(orderId) });
    } catch (error) {
      slot.release();
      caller.fail(error);
    }
  }
}

function isForgotten(outcome: HeldOutcome): boolean {
  if (outcome.kind === "time_over") return outcome.found.kind === "unknown";
  return outcome.kind === "forgotten";
}
