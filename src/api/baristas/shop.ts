/**
 * Owns the baristas' routes of the shop: its settings, its menu, its code.
 *
 * **Invariants**
 * - A faulty change changes nothing.
 */
import { Elysia } from "elysia";
import { answerJson } from "../../http/json.ts";
import { createBodyReader, createParamsReader, missingBody } from "../../http/input.ts";
import { InvalidInputError, problem } from "../../problem.ts";
import { drawQr, type CurrentCode } from "../../shop/codes.ts";
import { CoffeeDraft, type Menu } from "../../shop/menu.ts";
import { ShopPatch, type Shop } from "../../shop/settings.ts";
import type { PathContext } from "../parameters.ts";
import {
  CHANGE_SHOP,
  CoffeeParams,
  LIST_COFFEES,
  PUT_COFFEE,
  READ_CODE,
  READ_SHOP,
  REMOVE_COFFEE,
} from "./shop-descriptions.ts";

export interface ShopDependencies {
  /** Whether this server has a provider that charges cards. */
  readonly takesCards: boolean;
  readonly shop: Shop;
  readonly menu: Menu;
  readonly readCode: () => Promise<CurrentCode>;
  /** Where customers reach their port, for the sender of this request. */
  readonly publicUrlFor: (request: Request) => string;
  readonly leaseSeconds: number;
}

interface Context {
  readonly request: Request;
}

const readCoffeeParams = createParamsReader(CoffeeParams);

export function shopRoutes(dependencies: ShopDependencies) {
  return new Elysia()
    .get("/shop", createReadShop(dependencies), READ_SHOP)
    .patch("/shop", createChangeShop(dependencies), CHANGE_SHOP)
    .get("/coffees", createListCoffees(dependencies), LIST_COFFEES)
    .put("/coffees/:id", createPutCoffee(dependencies), PUT_COFFEE)
    .delete("/coffees/:id", createRemoveCoffee(dependencies), REMOVE_COFFEE)
    .get("/code", createReadCode(dependencies), READ_CODE);
}

function createReadShop({ shop, leaseSeconds }: ShopDependencies) {
  return async (): Promise<Response> => {
    const { settings, openOrders } = await shop.read();
    return answerJson(JSON.stringify({ ...settings, open_orders: openOrders, lease_seconds: leaseSeconds }));
  };
}

function createChangeShop(dependencies: ShopDependencies) {
  const readPatch = createBodyReader(ShopPatch);
  const readShop = createReadShop(dependencies);

  return async ({ request }: Context): Promise<Response> => {
    const patch = await readPatch(request);
    if (!patch) throw missingBody("an object of settings");
    if (patch.payment === "card" && !dependencies.takesCards) {
      const detail = "card needs STRIPE_SECRET_KEY; or start the server with PAYMENT=card and ACQUIRER=on to try it";
      throw new InvalidInputError([{ field: "payment", detail }]);
    }
    await dependencies.shop.change(patch);
    return await readShop();
  };
}

function createListCoffees({ menu }: ShopDependencies) {
  return async (): Promise<Response> => answerJson(JSON.stringify({ coffees: await menu.list() }));
}

function createPutCoffee({ menu }: ShopDependencies) {
  const readCoffee = createBodyReader(CoffeeDraft);

  return async ({ params, request }: PathContext): Promise<Response> => {
    const { id } = readCoffeeParams(params);
    const draft = await readCoffee(request);
    if (!draft) throw missingBody("a coffee");
    if (new Set(draft.modifiers.map(({ name }) => name)).size < draft.modifiers.length) {
      throw new InvalidInputError([{ field: "modifiers", detail: "must have different names" }]);
    }
    const outcome = await menu.put(id, draft);
    if (outcome === "full") return problem("menu_full");
    return answerJson(JSON.stringify({ id, ...draft }), { status: outcome === "created" ? 201 : 200 });
  };
}

function createRemoveCoffee({ menu }: ShopDependencies) {
  return async ({ params }: PathContext): Promise<Response> => {
    const { id } = readCoffeeParams(params);
    if (await menu.remove(id)) return new Response(null, { status: 204 });
    return problem("coffee_unknown", { detail: `There is no ${id} on the menu (GET /coffees).` });
  };
}

function createReadCode({ readCode, publicUrlFor }: ShopDependencies) {
  return async ({ request }: Context): Promise<Response> => {
    const { code, remaining, changesAtMs } = await readCode();
    const url = `${publicUrlFor(request)}/?code=${code}`;
    const changesAt = new Date(changesAtMs).toISOString();
    return answerJson(JSON.stringify({ code, url, qr_svg: drawQr(url), remaining, changes_at: changesAt }));
  };
}
