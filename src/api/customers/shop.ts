/**
 * Owns what customers see of the shop before they order.
 *
 * **Invariants**
 * - Nothing here changes anything.
 * - However many ask, Redis is read once at a time; the menu at most once a second.
 * - A menu changed on this server is seen at once, one changed on another within MENU_KEPT_MS.
 */
import { Elysia } from "elysia";
import { answerJson } from "../../http/json.ts";
import { documented } from "../../http/documented.ts";
import { answerReady, makeReady, type ReadyFile } from "../../http/ready-file.ts";
import { keepReads, shareReads } from "../../shared-reads.ts";
import type { Paying } from "../../payments/paying.ts";
import { CoffeeList, type Menu } from "../../shop/menu.ts";
import { ShopView, type Shop } from "../../shop/settings.ts";

const MENU_KEPT_MS = 1000;

/** Makes the reader of the menu as it is sent. */
function createMenuReader({ list, changes }: Menu): () => Promise<ReadyFile> {
  let last: { readonly json: string; readonly file: ReadyFile } | undefined;
  const read = async (): Promise<ReadyFile> => {
    const json = JSON.stringify({ coffees: await list() });
    // It is read anew more often than it changes.
    if (last?.json !== json) last = { json, file: await makeReady(json, { "Content-Type": "application/json" }) };
    return last.file;
  };
  return keepReads(read, { keptMs: MENU_KEPT_MS, changes });
}

export interface ShopDependencies {
  readonly paying: Pick<Paying, "provider">;
  readonly shop: Shop;
  readonly menu: Menu;
}

export function shopRoutes(dependencies: ShopDependencies) {
  return new Elysia()
    .get("/shop", createReadShop(dependencies), READ_SHOP)
    .get("/coffees", createListCoffees(dependencies), LIST_COFFEES);
}

function createReadShop({ shop, paying: { provider } }: ShopDependencies) {
  const read = shareReads(shop.read);

  return async (): Promise<Response> => {
    const { settings, openOrders, queueLength, expectedSeconds } = await read();
    const { open, capacity, require_code, customer_timeout_seconds, payment, payment_timeout_seconds, currency } =
      settings;
    return answerJson(
      JSON.stringify({
        open,
        full: capacity !== null && openOrders >= capacity,
        require_code,
        customer_timeout_seconds,
        payment,
        payment_timeout_seconds,
        currency,
        payment_provider: provider?.name ?? null,
        payment_publishable_key: provider?.publishableKey ?? null,
        queue_length: queueLength,
        eta_seconds: expectedSeconds,
      }),
    );
  };
}

function createListCoffees({ menu }: ShopDependencies) {
  const readMenu = createMenuReader(menu);

  return async ({ request }: { request: Request }): Promise<Response> => answerReady(await readMenu(), request);
}

const READ_SHOP = documented({
  tag: "Shop",
  operationId: "readShop",
  summary: "Is it open, and how busy is it?",
  answers: { 200: { description: "The shop now.", schema: ShopView } },
  problems: ["redis_away"],
});

const LIST_COFFEES = documented({
  tag: "Shop",
  operationId: "listCoffees",
  summary: "The menu",
  description:
    "Everything on the menu, cheapest first, with an ETag: who has it already sends If-None-Match, and gets 304. A change is " +
    "seen at once on the replica that made it, and within a second on the others; an order is always checked against the menu as it is.",
  answers: {
    200: {
      description: "Everything on the menu, cheapest first.",
      schema: CoffeeList,
      headers: { ETag: "names this content" },
    },
    304: { description: "It is as you have it (If-None-Match)." },
  },
  problems: ["redis_away"],
});
