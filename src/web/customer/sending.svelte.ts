/**
 * Owns the way of a choice to the shop.
 *
 * A choice is written to the device, under a key of its own, before it is sent, and stays there until its answer is
 * here: a lost answer, a reload or a second tap never orders twice.
 *
 * **Invariants**
 * - One choice at a time is on its way.
 */
import { createKey } from "../../client/key.ts";
import { problemName } from "../../client/problem.ts";
import { Retrier } from "../../client/retry.ts";
import type { Completion, Draft, Order } from "../../orders/order.ts";
import type { Coffee } from "../../shop/menu.ts";
import { PAGE_BACK_OFF, type Answer } from "../shared/call.ts";
import type { Announcer } from "./announcer.svelte.ts";
import * as api from "./api.ts";
import type { Device, Pending } from "./device.svelte.ts";
import { insist } from "./insist.ts";
import type { ShopWatch } from "./shop-watch.svelte.ts";
import type { Tickets } from "./tickets.svelte.ts";
import { sayProblem } from "./words.ts";

/** A choice that was sent this long ago is still wanted; after it, the customer is asked. */
const STILL_WANTED_MS = 120_000;

/** The choice of a customer. */
export interface Choice {
  readonly coffee: Coffee;
  readonly modifiers: Readonly<Record<string, string>>;
  readonly note: string;
  readonly name: string;
  /** Not to be made before: RFC 3339; undefined: at once. */
  readonly notBefore?: string | undefined;
}

/** The outcome of sending a choice: the order; the complaint to show; or nothing, because the customer stopped it. */
export type Sent = { readonly order: Order } | { readonly complaint: string } | undefined;

interface Parts {
  readonly device: Device;
  readonly tickets: Tickets;
  readonly shop: ShopWatch;
  readonly announcer: Announcer;
}

export class Sending {
  readonly #parts: Parts;
  readonly #retrier = new Retrier(PAGE_BACK_OFF);
  #stopped = new AbortController();
  /** Whether a choice is being sent, or did not get through and is sent again. */
  state = $state<"no" | "sending" | "again">("no");
  /** A choice that may or may not have arrived, and that is not being sent. */
  readonly doubt = $derived.by(() => (this.state === "no" ? this.#parts.device.kept.pending : undefined));

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Sends a choice: for the reservation, if there is one, else as an order of its own. */
  async order({ coffee, modifiers, note, name, notBefore }: Choice): Promise<Sent> {
    if (this.state !== "no") return undefined;
    const { device, tickets } = this.#parts;
    const { reservation } = tickets;
    const chosen = {
      item: coffee.id,
      ...(Object.keys(modifiers).length > 0 ? { modifiers } : undefined),
      ...(note ? { note } : undefined),
      ...(name ? { customer_name: name } : undefined),
    };
    if (reservation) {
      device.change({ name });
      return await this.#send((signal) => this.#complete(reservation.order_id, chosen, signal));
    }
    const later = notBefore === undefined ? undefined : { not_before: notBefore };
    const draft: Draft = { ...chosen, ...later, customer_id: device.kept.customerId };
    const pending: Pending = { key: createKey(), draft, name: coffee.name, wantedMs: Date.now() };
    device.change({ name, pending });
    return await this.#place(pending);
  }

  /** Goes on with a choice that was on its way when the page was closed, if it is still wanted. */
  resume(): void {
    const { pending } = this.#parts.device.kept;
    if (pending && Date.now() - pending.wantedMs < STILL_WANTED_MS) void this.sendAgain();
  }

  /** Sends the choice again that may or may not have arrived. */
  async sendAgain(): Promise<void> {
    const { device, announcer } = this.#parts;
    const { pending } = device.kept;
    if (!pending || this.state !== "no") return;
    const sent = await this.#place({ ...pending, wantedMs: Date.now() });
    if (sent && "complaint" in sent) announcer.notice = { tone: "bad", text: sent.complaint };
  }

  /** The customer no longer waits for an answer. */
  stop(): void {
    this.#stopped.abort();
  }

  /** The customer no longer wants what may not have arrived. */
  forgetPending(): void {
    this.#parts.device.change({ pending: undefined });
  }

  /** The device came back: tries now, not after the pause. */
  hurry(): void {
    this.#retrier.hurry();
  }

  async #place(pending: Pending): Promise<Sent> {
    const { device } = this.#parts;
    device.change({ pending });
    const sent = await this.#send((signal) => this.#insist(() => api.place(pending.draft, pending.key), signal));
    if (sent) device.change({ pending: undefined });
    return sent;
  }

  /** The first answer may have been lost: then the order is not reserved any more, and chosen as wished. */
  async #complete(orderId: string, choice: Completion, signal: AbortSignal): Promise<Answer<Order>> {
    let tries = 0;
    const complete = (): Promise<Answer<Order>> => {
      tries += 1;
      return api.complete(orderId, choice);
    };
    const answer = await this.#insist(complete, signal);
    if (answer.kind !== "refused" || problemName(answer.problem) !== "order_conflict") return answer;
    const found = await api.find(orderId);
    if (found.kind === "done") this.#parts.tickets.hear(found.value);
    return tries > 1 && found.kind === "done" && found.value.status !== "cancelled" ? found : answer;
  }

  #insist(ask: () => Promise<Answer<Order>>, signal: AbortSignal): Promise<Answer<Order>> {
    return insist(ask, { retrier: this.#retrier, signal, onRetry: () => (this.state = "again") });
  }

  async #send(ask: (signal: AbortSignal) => Promise<Answer<Order>>): Promise<Sent> {
    const { tickets, shop, announcer } = this.#parts;
    this.#stopped = new AbortController();
    this.state = "sending";
    announcer.notice = undefined;
    const answer = await ask(this.#stopped.signal);
    this.state = "no";
    switch (answer.kind) {
      case "done":
        tickets.hear(answer.value);
        announcer.announcement = `Ordered. Your number is ${answer.value.number}.`;
        return { order: answer.value };
      case "refused":
        shop.learn(answer.problem);
        void shop.look();
        return { complaint: sayProblem(answer.problem) };
      case "unreachable":
        return undefined;
    }
  }
}
