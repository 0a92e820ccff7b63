/**
 * Owns the customers' side of the protocol: a typed client for browsers, Node and Bun.
 *
 * An order outlives every connection, so a wait is one or many tries.
 *
 * **Invariants**
 * - All tries of an order carry one Idempotency-Key, so it is one order.
 * - A call that waits ends with an order that is final, or rejects.
 */
import type { Draft, Order } from "../orders/order.ts";
import { isFinal } from "../orders/status.ts";
import { createAsking, type Answer, type ClientOptions, type Outcome } from "./ask.ts";
import { createKey } from "./key.ts";
import { queueName, type InputOf, type MachineType, type OutputOf } from "./machine-type.ts";
import { isRecord } from "./problem.ts";

export interface CallOptions {
  /**
   * Aborting rejects at once with the signal's reason. The order goes on: cancel it, or come back with the same key.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface OrderOptions extends CallOptions {
  /**
   * Best a UUID; the same key with the same draft joins the order first placed under it. A new UUID where it is absent.
   */
  readonly idempotencyKey?: string;
}

export interface MachineCallOptions extends OrderOptions {
  /** Not before then is it queued: at most 7 days ahead. */
  readonly notBefore?: Date | undefined;
}

/** A call that has ended, with what its machine answered. */
export type Called<Output> = Order &
  (
    | { readonly status: "ready"; readonly result: Output }
    | { readonly status: "cancelled"; readonly result?: undefined }
  );

/** Each resolves to an order as the server spells it, and rejects with OrderRefused or the signal's reason. */
export interface Client {
  /** Orders, and waits until the order is final: `status` says whether it is ready or cancelled. */
  order(draft?: Draft, options?: OrderOptions): Promise<Order>;
  /**
   * Calls a machine, and waits until its order is final: the `result` is there when it is ready, `error` when its
   * machine failed. Given the machine or its type, as in `call<typeof adder>("adder", input)`, both are typed.
   */
  call<Machine extends MachineType>(
    queue: Machine | Machine["queue"],
    input: InputOf<Machine>,
    options?: MachineCallOptions,
  ): Promise<Called<OutputOf<Machine>>>;
  /** The order as it is now. */
  find(orderId: string, options?: CallOptions): Promise<Order>;
  /** Waits until an order placed before is final. */
  wait(orderId: string, options?: CallOptions): Promise<Order>;
  /** Cancels an order that is still queued. */
  cancel(orderId: string, options?: CallOptions): Promise<Order>;
}

/** Makes a client. It holds nothing between calls. A wrong `url` or header rejects with a TypeError. */
export function createClient(options: ClientOptions): Client {
  const ask = createAsking(options);
  const place = (
    path: string,
    json: unknown,
    { signal, idempotencyKey = createKey() }: OrderOptions,
  ): Promise<Order> => {
    const headers = { "Idempotency-Key": idempotencyKey };
    return ask({ path, method: "POST", headers, json, signal }, acceptFinal);
  };
  return {
    order: (draft = {}, orderOptions = {}) => place("/order/", draft, orderOptions),
    call: <Machine extends MachineType>(
      queue: Machine | Machine["queue"],
      input: InputOf<Machine>,
      callOptions: MachineCallOptions = {},
    ) => {
      const called = place(queuePath(queue, callOptions), input, callOptions);
      return called as Promise<Called<OutputOf<Machine>>>;
    },
    find: (orderId, { signal } = {}) => ask({ path: pathOf(orderId), signal }, acceptOrder),
    wait: (orderId, { signal } = {}) => ask({ path: `${pathOf(orderId)}?wait`, signal }, acceptFinal),
    cancel: (orderId, { signal } = {}) =>
      ask({ path: pathOf(orderId), method: "PATCH", json: { status: "cancelled" }, signal }, acceptOrder),
  };
}

function queuePath(queue: MachineType | string, { notBefore }: MachineCallOptions): string {
  const query = notBefore ? `?${new URLSearchParams({ not_before: notBefore.toISOString() }).toString()}` : "";
  return `/queue/${encodeURIComponent(queueName(queue))}/${query}`;
}

/** The order that was asked for. */
export function acceptOrder({ ok, json }: Answer): Outcome<Order> | undefined {
  return ok && isOrder(json) ? { kind: "done", value: json } : undefined;
}

/** Only a final order is an answer. */
function acceptFinal(answer: Answer): Outcome<Order> | undefined {
  const continueAt = answer.ok ? readContinuation(answer.json) : undefined;
  if (continueAt !== undefined) return { kind: "again", reason: "unfinished", continueAt };
  const outcome = acceptOrder(answer);
  const isWaiting = outcome?.kind === "done" && !isFinal(outcome.value.status);
  return isWaiting ? { kind: "again", reason: "unfinished" } : outcome;
}

/** Whether the value is an order, as far as it has to be known. */
export function isOrder(value: unknown): value is Order {
  return isRecord(value) && typeof value["order_id"] === "string" && typeof value["status"] === "string";
}

/** Where the server says that the order goes on: a path of its own, never another server's. */
function readContinuation(value: unknown): string | undefined {
  const path = isRecord(value) ? value["continue_at"] : undefined;
  return typeof path === "string" && /^\/[^/\\\s]/.test(path) ? path : undefined;
}

/** The path of an order on both ports. */
export function pathOf(orderId: string): string {
  return `/order/${encodeURIComponent(orderId)}`;
}
