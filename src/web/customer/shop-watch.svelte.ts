/**
 * Owns what the page knows of the shop: whether orders are taken, how long they take, and the menu.
 *
 * **Invariants**
 * - While the page is hidden, the shop is not asked for.
 * - The newest look's answers count.
 */
import { between } from "../../pause.ts";
import { problemName, type Problem } from "../../client/problem.ts";
import type { Coffee } from "../../shop/menu.ts";
import type { ShopView } from "../../shop/settings.ts";
import { Newest } from "../shared/newest.ts";
import type { Announcer } from "./announcer.svelte.ts";
import * as api from "./api.ts";
import type { Tickets } from "./tickets.svelte.ts";

/** How often to look, at most; a hint at a change makes the page look at once. Random, for there are many pages. */
const LOOK_MS = [5000, 6000] as const;

export class ShopWatch {
  readonly #tickets: Tickets;
  readonly #announcer: Announcer;
  readonly #looks = new Newest();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Undefined until it was first heard of. */
  view = $state.raw<ShopView>();
  menu = $state.raw<readonly Coffee[]>();
  /** Whether the shop could not be reached last time. */
  isUnreachable = $state(false);

  /** Why nothing can be ordered now. A drink that is reserved can always be chosen. */
  readonly blocked = $derived.by(() => {
    if (!this.view || this.#tickets.reservation) return undefined;
    if (!this.view.open) return "The shop is closed right now. You will see here when it opens.";
    if (this.view.full) return "All hands are busy right now. You will see here when you can order.";
    return this.view.require_code ? "To order, scan the code on the board, or type it here." : undefined;
  });
  /** Whether a code is all that an order lacks. */
  readonly wantsCode = $derived.by(() => {
    const { view } = this;
    return view !== undefined && view.open && !view.full && view.require_code && !this.#tickets.reservation;
  });

  constructor(tickets: Tickets, announcer: Announcer) {
    this.#tickets = tickets;
    this.#announcer = announcer;
  }

  /** Looks at the shop and its menu, now and every few seconds while the page is seen. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    if (!document.hidden) {
      const isNewest = this.#looks.begin();
      const [view, menu] = await Promise.all([api.shop(), api.menu()]);
      if (!isNewest()) return;
      this.isUnreachable = view.kind === "unreachable";
      const wasBlocked = this.blocked !== undefined;
      if (view.kind === "done") this.view = view.value;
      if (wasBlocked && !this.blocked) this.#announcer.announcement = "You can order now.";
      if (menu.kind === "done") this.menu = menu.value.coffees;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.look(), between(...LOOK_MS));
  }

  /** A refusal shows the state of the shop before the next look does. */
  learn(problem: Problem): void {
    if (!this.view) return;
    const name = problemName(problem);
    if (name === "shop_closed") this.view = { ...this.view, open: false };
    if (name === "shop_full") this.view = { ...this.view, full: true };
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
