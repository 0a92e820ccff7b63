/**
 * Owns what pages that look at the shop know of it beside orders: its drinks, and its currency.
 *
 * **Invariants**
 * - What is known stays shown where there is no answer.
 */
import type { Coffee, CoffeeList } from "../../../shop/menu.ts";
import type { StaffShopView } from "../../../shop/settings.ts";
import type { ShopEvent } from "../sse.ts";
import type { StaffApi } from "./api.ts";
import { Latest } from "./latest.svelte.ts";

export class ShopFacts {
  readonly #coffees: Latest<CoffeeList>;
  readonly #settings: Latest<StaffShopView>;

  constructor(api: Pick<StaffApi, "coffees" | "settings">) {
    this.#coffees = new Latest(api.coffees);
    this.#settings = new Latest(api.settings);
  }

  get coffees(): readonly Coffee[] | undefined {
    return this.#coffees.value?.coffees;
  }

  get currency(): string | undefined {
    return this.#settings.value?.currency;
  }

  /** False: there was no answer to one of the questions. */
  async load(): Promise<boolean> {
    const answers = await Promise.all([this.#coffees.refresh(), this.#settings.refresh()]);
    return answers.every(({ kind }) => kind === "done");
  }

  hear({ type }: Pick<ShopEvent, "type">): void {
    if (type === "shop.changed") void this.#settings.refresh();
    if (type === "menu.changed") void this.#coffees.refresh();
  }
}
