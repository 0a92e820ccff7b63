/**
 * Owns codes from the board, scanned or typed: each gives one drink, to be chosen later.
 *
 * **Invariants**
 * - A code is redeemed once: again, after no answer, under the same key.
 * - A scanned code is redeemed as soon as the shop takes orders.
 */
import { createKey } from "../../client/key.ts";
import type { Order } from "../../orders/order.ts";
import type { ShopView } from "../../shop/settings.ts";
import type { Answer } from "../shared/call.ts";
import type { Announcer } from "./announcer.svelte.ts";
import * as api from "./api.ts";
import type { Device } from "./device.svelte.ts";
import type { ShopWatch } from "./shop-watch.svelte.ts";
import type { Tickets } from "./tickets.svelte.ts";
import { sayProblem } from "./words.ts";

interface Parts {
  readonly device: Device;
  readonly tickets: Tickets;
  readonly shop: ShopWatch;
  readonly announcer: Announcer;
}

export class Redeeming {
  readonly #parts: Parts;
  /** Of the page's address, until it is redeemed. */
  #scanned: string | undefined;
  #isRedeeming = false;

  constructor(parts: Parts, scanned: string | undefined) {
    this.#parts = parts;
    this.#scanned = scanned;
  }

  /** Redeems the scanned code, if the shop is so that it can be. To be called at each look at the shop. */
  async redeemScanned({ open, full }: ShopView): Promise<void> {
    const code = this.#scanned;
    if (code === undefined || this.#isRedeeming || !open || full) return;
    if (this.#parts.tickets.reservation) return this.#forgetScanned();
    const answer = await this.#reserve(code);
    if (answer.kind === "done") this.#forgetScanned();
    else if (answer.kind === "refused" && answer.problem.status < 500 && answer.problem.status !== 429) {
      this.#parts.announcer.notice = { tone: "bad", text: sayProblem(answer.problem) };
      this.#forgetScanned();
    }
  }

  /** Redeems a code that was typed. Resolves to the message to show if it gave no drink. */
  async redeem(code: string): Promise<string | undefined> {
    const { device, tickets, shop } = this.#parts;
    if (this.#isRedeeming || tickets.reservation) return undefined;
    const answer = await this.#reserve(code);
    if (answer.kind === "unreachable") return "The shop can't be reached. Please try again.";
    // The same code tried again later is a new wish, unless its answer was lost.
    device.change({ redeeming: undefined });
    if (answer.kind === "done") return undefined;
    shop.learn(answer.problem);
    return sayProblem(answer.problem);
  }

  /** The same code again, after no answer, gets the same drink. */
  async #reserve(code: string): Promise<Answer<Order>> {
    const { device, tickets, announcer } = this.#parts;
    this.#isRedeeming = true;
    const { name, customerId, redeeming } = device.kept;
    const key = redeeming?.code === code ? redeeming.key : createKey();
    device.change({ redeeming: { code, key } });
    const draft = { code, customer_id: customerId, ...(name ? { customer_name: name } : undefined) };
    const answer = await api.reserve(draft, key);
    this.#isRedeeming = false;
    if (answer.kind === "done") {
      tickets.hear(answer.value);
      announcer.notice = undefined;
      announcer.announcement = "A drink is reserved for you. Choose one.";
    }
    return answer;
  }

  /** A reload must not redeem it again. */
  #forgetScanned(): void {
    this.#scanned = undefined;
    this.#parts.device.change({ redeeming: undefined });
    history.replaceState(null, "", location.pathname);
  }
}
