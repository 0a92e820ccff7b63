/**
 * Owns what a customer can do, whatever transport they come by: order and wait, order and look later, wait again,
 * cancel, reserve, choose; of the counter or of a queue of machines. To look at an order, a transport calls
 * `orders.find` itself.
 *
 * **Invariants**
 * - A request is refused before anything is queued, or its order is queued.
 * - The customer of a queued order is notified of its end.
 * - A request has a slot before its order is placed.
 */
import { MAX_HELD_PER_ORDER, type Slot, type WaitLimit } from "../limits/wait-limit.ts";
import type { Limiter, Verdict } from "../limits/limiter.ts";
import { Tarpit } from "../limits/tarpit.ts";
import type { Tokens } from "../orders/admission.ts";
import type { FindOutcome } from "../orders/queries.ts";
import type { Call } from "../orders/operations/call.ts";
import type { CompleteOutcome } from "../orders/operations/complete.ts";
import type { Placement, PlaceOutcome } from "../orders/operations/place.ts";
import type { Completion, Draft, OrderJson, ReservationDraft } from "../orders/order.ts";
import type { ChangeOutcome } from "../orders/outcomes.ts";
import { DEFAULT_QUEUE, type Orders } from "../orders/orders.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import type { Tally } from "../tally.ts";
import { UNTRACED, type Tracing } from "../tracing/tracing.ts";
import { within } from "../within.ts";
import type { Caller, OrderRefusal } from "./caller.ts";
import { HeldOrder, type HoldingParts } from "./held-order.ts";
import type { CallQueue } from "./call-queue.ts";
import { scopeToCustomer } from "./key-scope.ts";
import { TracedCaller } from "./traced-caller.ts";

/** A stopping server reads an order for so long: it is about to end the connection. */
const LAST_LOOK_MS = 1000;

interface OrderRequestOf<Body> {
  /** The sender, as limits count it. */
  readonly address: string;
  /** The Idempotency-Key as it was sent. */
  readonly key: string | undefined;
  readonly draft: Body;
  /** What the request is part of, as `traceparent` spells it; undefined where nothing is traced. */
  readonly traceparent?: string | undefined;
}
export type DraftRequest = OrderRequestOf<Draft>;

/** An order for a queue of machines. */
interface CallRequest {
  readonly address: string;
  readonly key: string | undefined;
  readonly queue: CallQueue;
  /** JSON in one line. */
  readonly input: string;
  /** Not to be queued before: RFC 3339. */
  readonly notBefore?: string | undefined;
  /** Where it is posted once it is final. */
  readonly callbackUrl?: string | undefined;
  /** What it can be found by. */
  readonly label?: string | undefined;
  /** As of a draft. */
  readonly traceparent?: string | undefined;
}

export type OrderRequest = DraftRequest | CallRequest;

/** An order that its customer comes back to. */
interface WaitRequest {
  readonly orderId: string;
  readonly address: string;
  readonly traceparent?: string | undefined;
}

export type ReservationRequest = OrderRequestOf<ReservationDraft>;

/** `accepted`: the order is queued, or was before under the same key, and it was found so. */
export type AcceptOutcome =
  | {
      readonly kind: "accepted";
      readonly orderId: string;
      readonly limit: Verdict | undefined;
      readonly found: FindOutcome;
    }
  | OrderRefusal;

export type ReservationOutcome =
  | {
      readonly kind: "reserved";
      readonly orderId: string;
      readonly limit: Verdict | undefined;
      readonly order: OrderJson;
    }
  | OrderRefusal;

export interface OrderingParts extends HoldingParts {
  readonly orders: Pick<Orders, "replica" | "place" | "call" | "reserve" | "complete" | "cancel" | "find" | "flow">;
  readonly limiter: Limiter;
  /** The wait limit of those who are held. */
  readonly waitLimit: WaitLimit;
  /** The same of those whose order is placed, and who are not held. */
  readonly passingLimit: WaitLimit;
  /** Counts those that are turned away, by cause; limits count theirs themselves. */
  readonly refusals: Tally;
  /** Aborted when the server stops: nothing new begins. */
  readonly closing: AbortSignal;
  /** Undefined: nothing is traced. */
  readonly tracing?: Pick<Tracing, "noteWait"> | undefined;
}

export class Ordering {
  readonly #parts: OrderingParts;
  readonly #tarpit = new Tarpit();

  constructor(parts: OrderingParts) {
    this.#parts = parts;
  }

  /**
   * The refusal of an order request that need not be read, late enough that sending it again at once is no use;
   * undefined lets it go on. To be asked of each order request first: it costs Redis nothing.
   */
  refuseEarly(address: string, hasKey: boolean, queue?: CallQueue): Promise<OrderRefusal> | undefined {
    const { closing } = this.#parts;
    const { limiter } = queue ?? this.#parts;
    if (closing.aborted) {
      this.#parts.refusals.add("closing");
      return Promise.resolve({ kind: "closing" });
    }
    const limit = limiter.recall(address, hasKey);
    return limit && this.#tarpit.wait().then(() => ({ kind: "denied", limit }));
  }

  /**
   * Places an order and holds its caller until it is final. The seat is taken before, so that no end is missed. (A held
   * order keeps no promise of its own, and nothing of how it came.)
   */
  orderAndWait(request: OrderRequest, caller: Caller): void {
    const { orders, waitLimit } = this.#parts;
    const { address } = request;
    const acquisition = waitLimit.acquire(address);
    if (acquisition.kind !== "acquired") return caller.refuse(acquisition);
    const orderId = Bun.randomUUIDv7();
    const holding = { orderId, isNew: true, slot: acquisition.slot, caller: this.#traced(caller, request) };
    const order = new HeldOrder(this.#parts, holding);
    const settle = (outcome: PlaceOutcome): void => {
      const limit = this.#note(outcome, request);
      if (outcome.kind === "placed") order.hold(limit);
      else if (outcome.kind === "joined") this.#join(order, { orderId: outcome.orderId, address, limit });
      else order.refuse({ ...outcome, limit });
    };
    this.#place(request, orderId, orders.replica, { settle, reject: (error) => order.fail(error) });
  }

  /** Places an order, and returns it as it is then. Its caller is counted while that takes, among others like them. */
  async orderAndAccept(request: OrderRequest): Promise<AcceptOutcome> {
    const { orders, passingLimit } = this.#parts;
    const acquisition = passingLimit.acquire(request.address);
    if (acquisition.kind !== "acquired") return acquisition;
    using _ = acquisition.slot;
    const outcome = await new Promise<PlaceOutcome>((settle, reject) =>
      this.#place(request, Bun.randomUUIDv7(), undefined, { settle, reject }),
    );
    const limit = this.#note(outcome, request);
    if (outcome.kind !== "placed" && outcome.kind !== "joined") return { ...outcome, limit };
    const { orderId } = outcome;
    return { kind: "accepted", orderId, limit, found: await orders.find(orderId) };
  }

  /** Holds a caller who comes back to an order until it is final. */
  waitAgain({ orderId, address, traceparent }: WaitRequest, caller: Caller): void {
    const acquisition = this.#parts.waitLimit.acquireForReturner(address);
    if (acquisition.kind !== "acquired") return caller.refuse(acquisition);
    this.#hold({ orderId, address, limit: undefined }, acquisition.slot, this.#traced(caller, { traceparent }));
  }

  cancel(orderId: string, traceparent?: string): Promise<ChangeOutcome> {
    return this.#parts.orders.cancel({ orderId, canceller: "customer", reason: "customer", traceparent });
  }

  /** Redeems a code for an order whose drink is chosen later. */
  async reserve(request: ReservationRequest): Promise<ReservationOutcome> {
    const { address, key, draft, traceparent } = request;
    const { orders, limiter } = this.#parts;
    const outcome = await orders.reserve({
      traceparent,
      orderId: Bun.randomUUIDv7(),
      draft,
      idempotencyKey: scopeToCustomer(key, { customerId: draft.customer_id, address }),
      bucket: limiter.bucketOf(address),
    });
    const limit = this.#note(outcome, request);
    return { ...outcome, limit };
  }

  /** Queues a reserved order, its drink chosen. */
  async complete(orderId: string, completion: Completion, traceparent?: string): Promise<CompleteOutcome> {
    const outcome = await this.#parts.orders.complete({ orderId, queue: DEFAULT_QUEUE, completion, traceparent });
    this.#countRefusal(outcome);
    return outcome;
  }

  /** Looks at an order for a caller who has to leave; undefined where Redis does not answer soon. Never rejects. */
  async lookLast(orderId: string): Promise<FindOutcome | undefined> {
    const { orders, lostOrders } = this.#parts;
    const found = await within(LAST_LOOK_MS, orders.find(orderId)).catch(() => undefined);
    if (found?.kind === "unknown") lostOrders.count();
    return found;
  }

  /** The caller, whose wait has a span where there is tracing. */
  #traced(caller: Caller, request: { readonly queue?: CallQueue; readonly traceparent?: string | undefined }): Caller {
    const { tracing } = this.#parts;
    if (!tracing || request.traceparent === UNTRACED) return caller;
    return new TracedCaller(caller, tracing, {
      queue: request.queue?.name ?? DEFAULT_QUEUE,
      cause: request.traceparent,
    });
  }

  /** Has the caller wait for the order first placed under their key, in the slot that they have. */
  #join(order: HeldOrder, first: Joining): void {
    const { slot, caller } = order.leaveSeat();
    this.#hold(first, slot, caller);
  }

  #hold({ orderId, address, limit }: Joining, slot: Slot, caller: Caller): void {
    const { room, waitLimit } = this.#parts;
    if (room.countFor(orderId) < MAX_HELD_PER_ORDER) {
      return new HeldOrder(this.#parts, { orderId, isNew: false, slot, caller }).hold(limit);
    }
    slot.release();
    waitLimit.noteRejection("too_many_for_order", address);
    caller.refuse({ kind: "too_many_for_order", limit });
  }

  /** Queues the order, of the counter or for machines. One of the two is called, once. */
  #place(request: OrderRequest, orderId: string, holder: string | undefined, { settle, reject }: Placing): void {
    const { orders, refusals } = this.#parts;
    const fail = (error: unknown): void => {
      if (isRedisUnavailable(error)) refusals.add("redis_away");
      reject(error);
    };
    if ("queue" in request) orders.call.callBack(callOf(request, orderId, holder), settle, fail);
    else orders.place.callBack(this.#placementOf(request, orderId, holder), settle, fail);
  }

  #placementOf(
    { address, key, draft, traceparent }: DraftRequest,
    orderId: string,
    holder: string | undefined,
  ): Placement {
    return {
      orderId,
      queue: DEFAULT_QUEUE,
      draft,
      idempotencyKey: scopeToCustomer(key, { customerId: draft.customer_id, address }),
      bucket: this.#parts.limiter.bucketOf(address),
      holder,
      traceparent,
    };
  }

  /** Counts a refusal, and notes what Redis said of the address's bucket; undefined where it was not looked at. */
  #note(
    outcome: { readonly kind: string; readonly why?: string; readonly tokens?: Tokens },
    request: { readonly address: string; readonly queue?: CallQueue },
  ): Verdict | undefined {
    this.#countRefusal(outcome);
    if (!outcome.tokens) return undefined;
    const { limiter } = request.queue ?? this.#parts;
    return limiter.note(request.address, outcome.kind !== "denied", outcome.tokens);
  }

  /** (The limiter counts what it denies.) */
  #countRefusal({ kind, why }: { readonly kind: string; readonly why?: string }): void {
    if (kind === "refused") this.#parts.refusals.add(why ?? kind);
    else if (kind === "mismatch") this.#parts.refusals.add(kind);
  }
}

function callOf({ address, key, queue, ...wanted }: CallRequest, orderId: string, holder?: string): Call {
  return {
    orderId,
    ...wanted,
    queue: queue.name,
    idempotencyKey: scopeToCustomer(key, { customerId: undefined, address }),
    bucket: queue.limiter.bucketOf(address),
    holder,
  };
}

interface Placing {
  readonly settle: (outcome: PlaceOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** An order that is placed, and who comes to wait for it. */
interface Joining {
  readonly orderId: string;
  readonly address: string;
  readonly limit: Verdict | undefined;
}
