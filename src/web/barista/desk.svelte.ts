/**
 * Owns the actions of a barista on orders, and the notices about them.
 *
 * **Invariants**
 * - An order is asked for once at a time.
 * - A refusal is explained by the order's present state.
 * - A "next" that got no answer is sent again under the same claim.
 * - So one press gives a barista one order at most.
 */
import { createKey } from "../../client/key.ts";
import type { CancelReason, Order } from "../../orders/order.ts";
import type { FailureDraft } from "../../orders/views.ts";
import type { Answer } from "../shared/staff/api.ts";
import { sayProblem } from "../shared/staff/fault.ts";
import type { Verbs } from "../shared/staff/verbs.ts";
import { nameOrder } from "../shared/words.ts";
import type { Notices } from "./notices.svelte.ts";

export const NEXT = "next";

interface CancelChoice {
  readonly reason: CancelReason;
  readonly label: string;
}

/** Why a barista cancels, in the words of the wire and of people. */
export const CANCEL_REASONS = [
  { reason: "barista", label: "We can’t make it" },
  { reason: "customer", label: "The customer asked for it" },
  { reason: "customer_timeout", label: "Nobody came for it" },
  { reason: "machine_error", label: "The machine is out of order" },
] as const satisfies readonly CancelChoice[];

/** Of an order that is to be paid. */
export const UNPAID_REASON: CancelChoice = { reason: "payment_failed", label: "It is not paid" };

/** Does what moves cards, so that the press which asked for it moves no second one. */
interface Mover {
  moving(act: () => Promise<void>): Promise<void>;
}

type Verb = (barista: string, orderId: string) => Promise<Answer<Order>>;

export class Desk {
  readonly #verbs: Verbs;
  readonly #notices: Pick<Notices, "say">;
  readonly #readName: () => string;
  readonly #guard: Mover;
  #mine: { readonly name: string; readonly orders: ReadonlyMap<string, Order> } = { name: "", orders: new Map() };
  readonly #claims = new Map<string, string>();
  #busy = $state.raw<ReadonlySet<string>>(new Set());

  constructor(verbs: Verbs, notices: Pick<Notices, "say">, readName: () => string, guard: Mover) {
    this.#guard = guard;
    this.#verbs = verbs;
    this.#notices = notices;
    this.#readName = readName;
  }

  /** Ids of the orders that something is being done with, and `next`. */
  get busy(): ReadonlySet<string> {
    return this.#busy;
  }

  takeNext(): Promise<void> {
    return this.#move(NEXT, async () => {
      const answer = await this.#claim(NEXT);
      if (answer.kind === "done") this.#say(`${nameOrder(answer.value)} is yours.`);
      else if (answer.kind === "refused" && answer.problem.status === 404) this.#say("Nothing waits just now.");
      else this.#complain(answer);
    });
  }

  take(order: Order): Promise<void> {
    return this.#move(order.order_id, async () => {
      const answer = await this.#claim(order.order_id);
      if (answer.kind === "done") this.#say(`${nameOrder(answer.value)} is yours.`);
      else await this.#explain(order, answer);
    });
  }

  finish(order: Order): Promise<void> {
    return this.#change(order, this.#verbs.finish, "is ready");
  }

  /** Finishes it and takes the next one, under a claim that is kept until it was answered. */
  finishAndNext(order: Order): Promise<void> {
    return this.#move(order.order_id, async () => {
      const what = `after ${order.order_id}`;
      const claim = this.#claims.get(what) ?? createKey();
      this.#claims.set(what, claim);
      const answer = await this.#verbs.finishAndStart(this.#readName(), claim, order.order_id);
      if (answer.kind !== "unreachable") this.#claims.delete(what);
      if (answer.kind !== "done") return await this.#explain(order, answer);
      const { started } = answer.value;
      this.#say(
        `${nameOrder(order)} is ready. ${started ? `${nameOrder(started)} is yours.` : "Nothing waits just now."}`,
      );
    });
  }

  fail(order: Order, failure: FailureDraft): Promise<void> {
    return this.#move(order.order_id, async () => {
      const answer = await this.#verbs.fail(this.#readName(), order.order_id, failure);
      if (answer.kind !== "done") return await this.#explain(order, answer);
      const isOver = answer.value.status === "cancelled";
      this.#say(`${nameOrder(order)} ${isOver ? "is cancelled" : "is back in the queue"}.`);
    });
  }

  /** Has a dead order made again. */
  retry(order: Order): Promise<void> {
    return this.#once(order.order_id, async () => {
      const answer = await this.#verbs.retry(this.#readName(), order.order_id);
      if (answer.kind !== "done") return await this.#explain(order, answer);
      this.#say(`${nameOrder(order)} is made again: it is ${nameOrder(answer.value).toLowerCase()} now.`);
    });
  }

  /** The customer has paid at the counter. */
  takeMoney(order: Order): Promise<void> {
    return this.#move(order.order_id, async () => {
      const answer = await this.#verbs.takeMoney(this.#readName(), order.order_id);
      if (answer.kind === "done") this.#say(`${nameOrder(order)} is paid, and in the line.`);
      else this.#complain(answer);
    });
  }

  release(order: Order): Promise<void> {
    return this.#change(order, this.#verbs.release, "is back in the queue");
  }

  /** Moves no card: the press on the next button is free at once. */
  extend(order: Order): Promise<void> {
    return this.#once(order.order_id, () => this.#perform(order, this.#verbs.extend, "stays yours"));
  }

  cancel(order: Order, reason: CancelReason): Promise<void> {
    const cancel: Verb = (barista, id) => this.#verbs.cancel(barista, id, reason);
    return this.#change(order, cancel, "is cancelled");
  }

  /**
   * To be called with the orders in this barista's hands, at every change: says who has what left them without a press
   * here.
   */
  watch(mine: readonly Order[]): void {
    const name = this.#readName();
    const now = new Map(mine.map((order) => [order.order_id, order]));
    const before = this.#mine.name === name ? this.#mine.orders : new Map<string, Order>();
    this.#mine = { name, orders: now };
    for (const [id] of before) if (!now.has(id) && !this.#busy.has(id)) void this.#sayTaken(id, name);
  }

  async #sayTaken(id: string, name: string): Promise<void> {
    const answer = await this.#verbs.look(id);
    const words = answer.kind === "done" ? sayWhoTook(answer.value, name) : undefined;
    if (words !== undefined) this.#notices.say("news", words);
  }

  #change(order: Order, verb: Verb, done: string): Promise<void> {
    return this.#move(order.order_id, () => this.#perform(order, verb, done));
  }

  async #perform(order: Order, verb: Verb, done: string): Promise<void> {
    const answer = await verb(this.#readName(), order.order_id);
    if (answer.kind === "done") this.#say(`${nameOrder(order)} ${done}.`);
    else await this.#explain(order, answer);
  }

  /** Asks for an order under a claim that is kept until it was answered. */
  async #claim(what: string): Promise<Answer<Order>> {
    const claim = this.#claims.get(what) ?? createKey();
    this.#claims.set(what, claim);
    const answer = await this.#verbs.start(this.#readName(), claim, what === NEXT ? undefined : what);
    if (answer.kind !== "unreachable") this.#claims.delete(what);
    return answer;
  }

  #move(what: string, act: () => Promise<void>): Promise<void> {
    return this.#once(what, () => this.#guard.moving(act));
  }

  async #once(what: string, act: () => Promise<void>): Promise<void> {
    if (this.#busy.has(what)) return;
    this.#busy = new Set(this.#busy).add(what);
    try {
      await act();
    } finally {
      this.#busy = new Set([...this.#busy].filter((other) => other !== what));
    }
  }

  /** A conflict is the result of an action of others: says whose. */
  async #explain(order: Order, answer: Answer<unknown>): Promise<void> {
    const isConflict = answer.kind === "refused" && [404, 409].includes(answer.problem.status);
    const now = isConflict ? await this.#verbs.look(order.order_id) : undefined;
    if (now?.kind === "done") this.#notices.say("fault", sayWhoHas(now.value, this.#readName()));
    else this.#complain(answer);
  }

  #complain(answer: Answer<unknown>): void {
    if (answer.kind === "unreachable") this.#notices.say("fault", "No answer from the shop. Please try again.");
    if (answer.kind === "refused") this.#notices.say("fault", sayProblem(answer.problem));
  }

  #say(text: string): void {
    this.#notices.say("done", text);
  }
}

/**
 * Says how an order left a barista's hands without their doing; undefined: they need not know.
 */
function sayWhoTook(order: Order, me: string): string | undefined {
  if (order.status === "brewing" && order.barista !== me) {
    return `${order.barista} has number ${order.number} now: your time for it was up.`;
  }
  return order.barista === me && ["brewing", "ready"].includes(order.status) ? undefined : sayWhoHas(order, me);
}

/** How an order is, to a barista who wanted something else of it. */
export function sayWhoHas(order: Order, me: string): string {
  const name = nameOrder(order);
  switch (order.status) {
    case "brewing":
      return order.barista === me ? `${name} is in your hands.` : `${name} is in ${order.barista}’s hands already.`;
    case "ready":
      return `${name} is ready already${order.barista === me ? "" : `: ${order.barista} made it`}.`;
    case "cancelled":
      return `${name} was cancelled.`;
    case "queued":
      return `${name} is back in the queue.`;
    case "reserved":
      return `${name} is not chosen yet.`;
    case "unpaid":
      return `${name} is not paid yet.`;
    case "scheduled":
      return `${name} is for later.`;
  }
}
