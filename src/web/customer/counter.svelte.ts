/**
 * Owns the state and the actions of the customer page: the shop and its menu, the orders of this device, and what is on
 * its way.
 *
 * A wish is written to the device, under a key of its own, before it is sent, and stays there until its answer is here:
 * a lost answer, a reload or a second tap never orders twice. A code from the board is redeemed once, as soon as the
 * page is seen. So its customer has a drink, and the time to choose it.
 *
 * **Invariants**
 * - An order that is ready or cancelled never changes again.
 * - While the page is hidden, it asks for the open orders only.
 */
import type { Draft, Order } from "../../orders/order.ts";
import type { Coffee } from "../../shop/menu.ts";
import { nameDrink } from "../shared/words.ts";
import { problemName, type Problem } from "../shared/problem.ts";
import * as api from "./api.ts";
import { Chime } from "./chime.ts";
import { Device, randomKey, type KeptOrder, type Pending } from "./device.svelte.ts";
import { Follower } from "./follow.ts";
import { insist } from "./insist.ts";
import { tellProblem, tellReason } from "./words.ts";

/** How often to look at the shop and its menu, at most; whatever hints at a change makes it look at once. */
const SHOP_MS = 5000;
/** Of so many orders at once the events are listened to: a browser has six connections to a server. */
const MOST_LISTENED = 2;
/** A wish that was sent this long ago is still wanted; after it, the customer is asked. */
const STILL_WANTED_MS = 120_000;
/** Ready ones that were not put aside are of the past after this. */
const READY_SHOWN_MS = 30 * 60_000;
const RINGS = 3;
const RING_MS = 6000;

/** A line at the top of the page. */
export interface Notice {
  readonly tone: "good" | "warn" | "bad";
  readonly text: string;
}

/** The choice of a customer. */
export interface Choice {
  readonly coffee: Coffee;
  readonly modifiers: Readonly<Record<string, string>>;
  readonly note: string;
  readonly name: string;
}

/** The outcome of sending a wish: the order; the complaint to show; or nothing, because the customer stopped it. */
export type Sent = { readonly order: Order } | { readonly complaint: string } | undefined;

export class Counter {
  readonly device = new Device();
  readonly #chime = new Chime();
  /** False: the browser keeps the page silent until the customer touches it. */
  mayRing = $state(navigator.userActivation?.hasBeenActive ?? true);
  /** Undefined until it was first heard of. */
  shop = $state.raw<api.ShopView>();
  menu = $state.raw<readonly Coffee[]>();
  /** Whether the shop could not be reached last time. */
  isAway = $state(false);
  notice = $state.raw<Notice>();
  /** Whether a wish is being sent, or did not get through and is sent again. */
  sending = $state<"no" | "sending" | "again">("no");
  /** For screen readers. */
  announcement = $state("");

  /** Ready ones first: they are waited for no longer. */
  readonly open = $derived.by(() => {
    const orders = this.device.kept.orders.filter(({ isPast }) => !isPast).map(({ order }) => order);
    return orders.toSorted((a, b) => Number(b.status === "ready") - Number(a.status === "ready"));
  });
  readonly past = $derived.by<readonly KeptOrder[]>(() => this.device.kept.orders.filter(({ isPast }) => isPast));
  /** The drink that a code gave and that is not chosen yet. */
  readonly reservation = $derived.by(() => this.open.find(({ status }) => status === "reserved"));
  /** A wish that may or may not have arrived, and that is not being sent. */
  readonly doubt = $derived.by(() => (this.sending === "no" ? this.device.kept.pending : undefined));

  /** Why nothing can be ordered now. A drink that is reserved can always be chosen. */
  readonly blocked = $derived.by(() => {
    if (!this.shop || this.reservation) return undefined;
    if (!this.shop.open) return "The shop is closed right now. You will see here when it opens.";
    if (this.shop.full) return "All hands are busy right now. You will see here when you can order.";
    return this.shop.require_code ? "To order, scan the code on the board, or type it here." : undefined;
  });

  readonly #followers = new Map<string, Follower>();
  #stopSending = new AbortController();
  #shopTimer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the looks at the shop: the newest one's answer counts. */
  #looks = 0;
  /** A code that was not redeemed yet. */
  #code: string | undefined;
  #isRedeeming = false;

  /** Begins; returns how to end. `code`: from the board, in the page's address. */
  start(code: string | undefined): () => void {
    this.#code = code;
    this.#tidy();
    const stopListening = this.device.listen();
    const { pending } = this.device.kept;
    if (pending && Date.now() - pending.wantedMs < STILL_WANTED_MS) void this.sendAgain();
    this.#follow();
    void this.look();

    const wake = (): void => {
      if (document.hidden) return;
      for (const follower of this.#followers.values()) follower.hurry();
      void this.look();
    };
    const drop = (): void => {
      for (const follower of this.#followers.values()) follower.drop();
      void this.look();
    };
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    addEventListener("offline", drop);
    return () => {
      document.removeEventListener("visibilitychange", wake);
      removeEventListener("online", wake);
      removeEventListener("offline", drop);
      clearTimeout(this.#shopTimer);
      stopListening();
      for (const follower of this.#followers.values()) follower.stop();
    };
  }

  /** Sends a choice: for the reservation, if there is one, else as an order of its own. */
  async order({ coffee, modifiers, note, name }: Choice): Promise<Sent> {
    if (this.sending !== "no") return undefined;
    const { reservation } = this;
    const chosen = {
      item: coffee.id,
      ...(Object.keys(modifiers).length > 0 ? { modifiers } : undefined),
      ...(note ? { note } : undefined),
      ...(name ? { customer_name: name } : undefined),
    };
    if (reservation) {
      this.device.change({ name });
      return await this.#send((signal) => this.#complete(reservation.order_id, chosen, signal));
    }
    const draft: Draft = { ...chosen, customer_id: this.device.kept.customerId };
    const pending: Pending = { key: randomKey(), draft, name: coffee.name, wantedMs: Date.now() };
    this.device.change({ name, pending });
    return await this.#place(pending);
  }

  /** Sends the wish again that may or may not have arrived. */
  async sendAgain(): Promise<void> {
    const { pending } = this.device.kept;
    if (!pending || this.sending !== "no") return;
    const sent = await this.#place({ ...pending, wantedMs: Date.now() });
    if (sent && "complaint" in sent) this.notice = { tone: "bad", text: sent.complaint };
  }

  /** To be called from a touch or a key: browsers let a page sound only after one. */
  unlockChime(): void {
    this.#chime.unlock();
    this.mayRing = true;
  }

  stopSending(): void {
    this.#stopSending.abort();
  }

  /** The customer no longer wants what may not have arrived. */
  forgetPending(): void {
    this.device.change({ pending: undefined });
  }

  /** Cancels an order, or gives a reservation back. Resolves to the message to show if that could not be done. */
  async cancel(orderId: string): Promise<string | undefined> {
    const answer = await api.cancel(orderId);
    if (answer.kind === "away") return "The shop can't be reached. Please try again.";
    if (answer.kind === "done") {
      this.#hear(answer.value);
      this.notice = { tone: "good", text: this.#confirmCancelled(answer.value) };
      return undefined;
    }
    void this.#followers.get(orderId)?.look();
    return problemName(answer.problem) === "order_conflict"
      ? "Too late to cancel: it is being made already."
      : tellProblem(answer.problem);
  }

  #confirmCancelled({ number, item }: Order): string {
    if (item === undefined) return "You gave your drink back.";
    const drink = nameDrink(item, this.menu).toLowerCase();
    return `You cancelled your ${drink}, number ${number}. It will not be made.`;
  }

  putAside(orderId: string): void {
    this.device.putAside(orderId);
    this.#follow();
  }

  async #place(pending: Pending): Promise<Sent> {
    this.device.change({ pending });
    const sent = await this.#send((signal) =>
      insist(() => api.place(pending.draft, pending.key), { signal, onRetry: () => (this.sending = "again") }),
    );
    if (sent) this.device.change({ pending: undefined });
    return sent;
  }

  /** The first answer may have been lost: then the order is not reserved any more, and chosen as wished. */
  async #complete(orderId: string, choice: Draft, signal: AbortSignal): Promise<api.Answer<Order>> {
    let tries = 0;
    const answer = await insist(
      () => {
        tries += 1;
        return api.complete(orderId, choice);
      },
      { signal, onRetry: () => (this.sending = "again") },
    );
    if (answer.kind !== "refused" || problemName(answer.problem) !== "order_conflict") return answer;
    const found = await api.find(orderId);
    if (found.kind === "done") this.#hear(found.value);
    return tries > 1 && found.kind === "done" && found.value.status !== "cancelled" ? found : answer;
  }

  async #send(ask: (signal: AbortSignal) => Promise<api.Answer<Order>>): Promise<Sent> {
    this.#stopSending = new AbortController();
    this.sending = "sending";
    this.notice = undefined;
    const answer = await ask(this.#stopSending.signal);
    this.sending = "no";
    switch (answer.kind) {
      case "done":
        this.#hear(answer.value);
        this.announcement = `Ordered. Your number is ${answer.value.number}.`;
        return { order: answer.value };
      case "refused":
        this.#learn(answer.problem);
        void this.look();
        return { complaint: tellProblem(answer.problem) };
      case "away":
        return undefined;
    }
  }

  /** A refusal shows the state of the shop before the next look does. */
  #learn(problem: Problem): void {
    if (!this.shop) return;
    const name = problemName(problem);
    if (name === "shop_closed") this.shop = { ...this.shop, open: false };
    if (name === "shop_full") this.shop = { ...this.shop, full: true };
  }

  /** Looks at the shop and its menu, now and every few seconds while the page is seen. */
  async look(): Promise<void> {
    clearTimeout(this.#shopTimer);
    if (!document.hidden) {
      const mine = ++this.#looks;
      const [shop, menu] = await Promise.all([api.shop(), api.menu()]);
      if (mine !== this.#looks) return;
      this.isAway = shop.kind === "away";
      const wasBlocked = this.blocked !== undefined;
      if (shop.kind === "done") this.shop = shop.value;
      if (wasBlocked && !this.blocked) this.announcement = "You can order now.";
      if (menu.kind === "done") this.menu = menu.value.coffees;
      if (shop.kind === "done") await this.#redeem(shop.value);
    }
    clearTimeout(this.#shopTimer);
    this.#shopTimer = setTimeout(() => void this.look(), SHOP_MS * (1 + 0.2 * Math.random()));
  }

  /** Redeems the code of the page's address, once the shop takes orders. */
  async #redeem({ open, full }: api.ShopView): Promise<void> {
    const code = this.#code;
    if (code === undefined || this.#isRedeeming || !open || full) return;
    if (this.reservation) return this.#forgetCode();
    const answer = await this.#reserve(code);
    if (answer.kind === "done") this.#forgetCode();
    else if (answer.kind === "refused" && answer.problem.status < 500 && answer.problem.status !== 429) {
      this.notice = { tone: "bad", text: tellProblem(answer.problem) };
      this.#forgetCode();
    }
  }

  /** Redeems a code that was typed. Resolves to the message to show if it gave no drink. */
  async redeem(code: string): Promise<string | undefined> {
    if (this.#isRedeeming || this.reservation) return undefined;
    const answer = await this.#reserve(code);
    if (answer.kind === "away") return "The shop can't be reached. Please try again.";
    // The same code tried again later is a new wish, unless its answer was lost.
    this.device.change({ redeeming: undefined });
    if (answer.kind === "done") return undefined;
    this.#learn(answer.problem);
    return tellProblem(answer.problem);
  }

  /** The same code again, after no answer, gets the same drink. */
  async #reserve(code: string): Promise<api.Answer<Order>> {
    this.#isRedeeming = true;
    const { name, customerId, redeeming } = this.device.kept;
    const key = redeeming?.code === code ? redeeming.key : randomKey();
    this.device.change({ redeeming: { code, key } });
    const draft = { code, customer_id: customerId, ...(name ? { customer_name: name } : undefined) };
    const answer = await api.reserve(draft, key);
    this.#isRedeeming = false;
    if (answer.kind === "done") {
      this.#hear(answer.value);
      this.notice = undefined;
      this.announcement = "A drink is reserved for you. Choose one.";
    }
    return answer;
  }

  /** A reload must not redeem it again. */
  #forgetCode(): void {
    this.#code = undefined;
    this.device.change({ redeeming: undefined });
    history.replaceState(null, "", location.pathname);
  }

  #hear(order: Order): void {
    const before = this.device.kept.orders.find((kept) => kept.order.order_id === order.order_id);
    if (before && isFinal(before.order)) return;
    this.device.put(order, order.status === "cancelled" && order.reason === "customer");
    if (before?.order.status !== order.status) this.#announce(order);
    this.#follow();
  }

  #announce(order: Order): void {
    if (order.status === "brewing") this.announcement = `Your order ${order.number} is being made.`;
    // An own cancellation is confirmed by a notice.
    if (order.status === "cancelled" && order.reason !== "customer")
      this.announcement = `Your order was cancelled. ${tellReason(order)}`;
    // The ticket says it, as an alert.
    if (order.status === "ready") this.#ring(order.order_id, RINGS);
  }

  #ring(orderId: string, times: number): void {
    const isHere = this.open.some((order) => order.order_id === orderId);
    if (times === 0 || !isHere || this.device.kept.isSilent) return;
    this.#chime.ring();
    setTimeout(() => this.#ring(orderId, times - 1), RING_MS);
  }

  /** Follows the open orders, and no others; the newest with events. */
  #follow(): void {
    const wanted = this.open.filter((order) => !isFinal(order)).map(({ order_id }) => order_id);
    for (const [orderId, follower] of this.#followers) {
      if (wanted.includes(orderId)) continue;
      follower.stop();
      this.#followers.delete(orderId);
    }
    for (const [index, orderId] of wanted.entries()) {
      if (this.#followers.has(orderId)) continue;
      const hearing = { onOrder: (order: Order) => this.#hear(order), onGone: () => this.#lose(orderId) };
      const follower = new Follower(orderId, hearing, { withEvents: index < MOST_LISTENED });
      this.#followers.set(orderId, follower);
      follower.start();
    }
  }

  /** The shop no longer knows an order that was still open here: the customer learns it, and has the ticket to show. */
  #lose(orderId: string): void {
    const kept = this.device.kept.orders.find(({ order }) => order.order_id === orderId);
    if (!kept) return;
    const { position: _position, eta_seconds: _eta, ...order } = kept.order;
    this.#hear({ ...order, status: "cancelled", reason: "lost", finished_at: new Date().toISOString() });
  }

  /** Puts aside orders that ended long ago. */
  #tidy(): void {
    for (const { order_id, finished_at } of this.open) {
      if (finished_at && Date.now() - Date.parse(finished_at) > READY_SHOWN_MS) this.device.putAside(order_id);
    }
  }
}

function isFinal({ status }: Pick<Order, "status">): boolean {
  return status === "ready" || status === "cancelled";
}
