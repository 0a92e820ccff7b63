/**
 * Owns the held customer: kept alive until their order is final, their time is over, or the server stops.
 *
 * **Invariants**
 * - Until the answer begins, each outcome has its own status.
 * - Once it has begun, it ends with an order, or with where to go on.
 * - The place in the waiting room is given back when the wait is over, however it ends.
 * - A held customer is one object, one promise and one seat.
 */
import { answerJson, damagedOrder, unknownOrder } from "../../http/answers.ts";
import { createErrorAnswer } from "../../http/app.ts";
import { HeldAnswer, Heartbeat, type HeldRequest } from "../../http/hold.ts";
import type { HeldPlace } from "../../limits/held.ts";
import type { Log } from "../../log.ts";
import type { Guest, Seat, WaitingRoom, WaitOutcome } from "../../longpoll/room.ts";
import { isFinal, type OrderJson } from "../../orders/order.ts";
import type { Orders } from "../../orders/verbs.ts";
import { within } from "../../within.ts";
import { encodeContinuation, encodeLostOrder, waitPath } from "./endings.ts";
import type { LostOrders } from "./lost.ts";

/** A stopping server reads an order for so long: it is about to end the connection. */
const LAST_LOOK_MS = 1000;

export type AnswerHeaders = Readonly<Record<string, string>> | undefined;

/** The customer to be held, and the order that they wait for. */
export interface Visit {
  readonly orderId: string;
  readonly isNew: boolean;
  /** Undefined: as long as it takes. */
  readonly seconds: number | undefined;
  readonly connection: HeldRequest;
  /** The slot that they release when the wait is over. */
  readonly place: HeldPlace;
  /** Answers when `seconds` are over before the order is final. */
  readonly answerTimeOver: (orderId: string, headers: AnswerHeaders) => Promise<Response>;
}

export interface HoldingDependencies {
  readonly orders: Pick<Orders, "find" | "cancel">;
  readonly room: WaitingRoom<OrderJson>;
  readonly lostOrders: LostOrders;
  readonly heartbeatSeconds: number;
  readonly log: Log;
}

interface Surroundings extends HoldingDependencies {
  readonly heartbeat: Heartbeat;
  readonly answerError: (error: unknown, request: Request) => Response;
}

/** Makes the function that gives a customer their seat: before an order is placed, so that no end of it is missed. */
export function createHolding(dependencies: HoldingDependencies): (visit: Visit) => HeldCustomer {
  const heartbeat = new Heartbeat(dependencies.heartbeatSeconds);
  const surroundings = { ...dependencies, heartbeat, answerError: createErrorAnswer(dependencies.log) };
  return (visit) => new HeldCustomer(visit, surroundings);
}

export class HeldCustomer extends HeldAnswer implements Guest<OrderJson> {
  readonly #surroundings: Surroundings;
  readonly #visit: Visit;
  readonly #beganMs = performance.now();
  readonly #seat: Seat;
  #headers: AnswerHeaders;
  /** Whether they wait for an answer; and how the wait ended, if it did before. */
  #isHeld = false;
  #early: WaitOutcome<OrderJson> | undefined;

  constructor(visit: Visit, surroundings: Surroundings) {
    super(visit.connection, surroundings.heartbeat);
    this.#surroundings = surroundings;
    this.#visit = visit;
    const { orderId: id, isNew, seconds, connection } = visit;
    this.#seat = surroundings.room.sit({ id, isNew, seconds, signal: connection.request.signal }, this);
  }

  get mustStay(): boolean {
    return this.hasBegun;
  }

  /** Holds them, once there is an order to wait for. `headers` are for the answer that ends it. */
  hold(headers: AnswerHeaders): void {
    this.#headers = headers;
    this.#isHeld = true;
    this.#visit.place.wait();
    if (this.#early) this.settle(this.#early);
    else {
      this.keepAlive();
      if (this.#visit.isNew) this.#seat.listen();
    }
  }

  /** Refuses the customer before they are held. */
  refuse(answer: Response): void {
    this.#visit.place.leave();
    this.#turnAway(() => answer);
  }

  /** The same, for an error that was not expected. */
  fail(reason: unknown): void {
    this.#visit.place.leave();
    this.#turnAway(() => Promise.reject(reason));
  }

  /** Has another visit take their place and answer them, before they are held. */
  moveOn(visitAgain: (visit: Visit) => Response | Promise<Response>): void {
    this.#turnAway(() => visitAgain(this.#visit));
  }

  /** They get the answer that is made then, unless they have left. */
  #turnAway(make: () => Response | Promise<Response>): void {
    this.#isHeld = false;
    this.#seat.leave();
    this.endWith(make);
  }

  settle(outcome: WaitOutcome<OrderJson>): void {
    if (!this.#isHeld) {
      this.#early = outcome;
      return;
    }
    if (outcome.kind === "time_over") void this.#endTimeOver();
    else this.#finish(this.#answerTo(outcome));
  }

  #finish(response: Response): void {
    this.#visit.place.leave();
    this.end(response);
  }

  async #endTimeOver(): Promise<void> {
    const { orderId, answerTimeOver } = this.#visit;
    try {
      this.#finish(await answerTimeOver(orderId, this.#headers));
    } catch (error) {
      this.#finish(this.#surroundings.answerError(error, this.request));
    }
  }

  #answerTo(outcome: Exclude<WaitOutcome<OrderJson>, { kind: "time_over" }>): Response {
    switch (outcome.kind) {
      case "final":
        return answerJson(outcome.value, { headers: this.#headers });
      case "forgotten":
        // If a request only asks for an order, there may never have been one.
        if (this.#visit.isNew && !this.hasBegun) this.#surroundings.lostOrders.count();
        return unknownOrder();
      case "damaged":
        return damagedOrder();
      case "sent_on":
        // Another replica, or this one once it is back, holds them on.
        return new Response(null, { status: 303, headers: { Location: this.#pathOn(), Connection: "close" } });
      case "left":
        // The customer has left: this answer is not read.
        return new Response(null, { status: 499 });
    }
  }

  /** A customer who asked for a bound goes on with the rest of it. */
  #pathOn(): string {
    const { orderId, seconds } = this.#visit;
    if (seconds === undefined) return waitPath(orderId);
    const spent = (performance.now() - this.#beganMs) / 1000;
    return waitPath(orderId, Math.max(1, Math.ceil(seconds - spent)));
  }

  protected override async endBegun({ status }: Response): Promise<string> {
    if (this.request.signal.aborted) return "";
    return status === 404 ? this.#encodeLost() : await this.#encodeNow();
  }

  #encodeLost(): string {
    this.#surroundings.lostOrders.count();
    return encodeLostOrder(this.#visit.orderId);
  }

  /**
   * The order as it is now and where to go on. A fault is no reason to fail: the request that goes on meets it again.
   */
  async #encodeNow(): Promise<string> {
    const { orderId } = this.#visit;
    const found = await within(LAST_LOOK_MS, this.#surroundings.orders.find(orderId)).catch(() => undefined);
    if (found?.kind === "unknown") return this.#encodeLost();
    // One whose record is damaged says so with its own status, to the request that goes on.
    if (found?.kind !== "found") return encodeContinuation(orderId, this.#pathOn());
    return isFinal(found.status) ? found.order : encodeContinuation(orderId, this.#pathOn(), found.order);
  }
}
