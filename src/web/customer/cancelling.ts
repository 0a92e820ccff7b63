/**
 * Owns how a customer cancels an order, or gives a reservation back.
 *
 * **Invariants**
 * - What could not be cancelled is looked at anew.
 */
import { problemName } from "../../client/problem.ts";
import type { Order } from "../../orders/order.ts";
import type { Coffee } from "../../shop/menu.ts";
import { nameDrink } from "../shared/words.ts";
import { sayCancelling } from "./payment-words.ts";
import type { Announcer } from "./announcer.svelte.ts";
import * as api from "./api.ts";
import type { Following } from "./following.ts";
import type { ShopWatch } from "./shop-watch.svelte.ts";
import type { Tickets } from "./tickets.svelte.ts";
import { sayProblem } from "./words.ts";

interface Parts {
  readonly tickets: Tickets;
  readonly following: Following;
  readonly shop: ShopWatch;
  readonly announcer: Announcer;
}

export class Cancelling {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves to the message to show if it could not be done. */
  async cancel(orderId: string): Promise<string | undefined> {
    const { tickets, following, shop, announcer } = this.#parts;
    const before = tickets.open.find(({ order_id }) => order_id === orderId);
    const answer = await api.cancel(orderId);
    if (answer.kind === "unreachable") return "The shop can't be reached. Please try again.";
    if (answer.kind === "done") {
      tickets.hear(answer.value);
      announcer.notice = { tone: "good", text: confirmCancelled(answer.value, shop.menu, before) };
      return undefined;
    }
    following.look(orderId);
    return problemName(answer.problem) === "order_conflict"
      ? "Too late to cancel: it is being made already."
      : sayProblem(answer.problem);
  }
}

function confirmCancelled(
  { number, item }: Order,
  menu: readonly Coffee[] | undefined,
  before: Order | undefined,
): string {
  if (item === undefined) return "You gave your drink back.";
  const money = before ? sayCancelling(before) : "";
  return `You cancelled your ${nameDrink(item, menu).toLowerCase()}, number ${number}. It will not be made. ${money}`.trim();
}
