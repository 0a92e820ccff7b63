/**
 * Owns what the pages that look at the shop share: its facts, a list of orders, one order, and the link to the shop.
 *
 * **Invariants**
 * - An event reads anew what it may have changed.
 * - A reconnection, or a user who asks, reads all of it at once.
 * - A locked page asks for nothing: each wrong token counts.
 */
import type { ShopEvent } from "../sse.ts";
import { Link } from "./link.svelte.ts";
import { OrderWatch } from "./order-watch.svelte.ts";
import { Pages } from "./pages.svelte.ts";
import { ShopFacts } from "./shop-facts.svelte.ts";

interface LookOptions {
  readonly queue: () => string;
  /** Reads what only this page shows. False: there was no answer. */
  readonly load: () => Promise<boolean>;
  /** Something happened to an order, or perhaps did. */
  readonly onChange?: () => void;
  /** How often it is read anew without an event: some may be missed, and some figures change with time. */
  readonly quietMs: number;
}

export class Look {
  readonly link: Link;
  readonly facts: ShopFacts;
  readonly pages = new Pages();
  readonly order: OrderWatch;
  readonly #options: LookOptions;
  #nowMs = $state(0);

  constructor(options: LookOptions) {
    const { queue } = options;
    this.#options = options;
    this.link = new Link({
      storage: localStorage,
      queue,
      load: () => this.#load(),
      onEvent: (event) => this.#hear(event),
    });
    this.facts = new ShopFacts(this.link.api);
    this.order = new OrderWatch(this.link.api);
    this.#nowMs = this.link.clock.now();
  }

  /** The shop's time, a second old at most. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Follows time until what it returns is called. */
  follow(): () => void {
    const tick = setInterval(() => (this.#nowMs = this.link.clock.now()), 1000);
    const quiet = setInterval(() => this.link.access.lock || this.#change(), this.#options.quietMs);
    return () => {
      clearInterval(tick);
      clearInterval(quiet);
      this.pages.stop();
      this.order.stop();
    };
  }

  /** The user asks. */
  hurry(): void {
    this.link.hurry();
    this.pages.hurry();
    this.order.hurry();
  }

  async #load(): Promise<boolean> {
    this.pages.hurry();
    this.order.hurry();
    const loaded = await Promise.all([this.#options.load(), this.facts.load()]);
    return loaded.every(Boolean);
  }

  #hear(event: ShopEvent): void {
    this.facts.hear(event);
    const isAll = event.type === "events.missed";
    if (event.subject === undefined && !isAll) return;
    this.#change();
    this.order.hear(isAll ? undefined : event.subject);
  }

  #change(): void {
    this.pages.need();
    this.#options.onChange?.();
  }
}
