/**
 * Owns what the baristas' routes of the shop take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - What a route checks is what its description says.
 */
import { Type } from "@sinclair/typebox";
import { COFFEE_ID } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { CodeView } from "../../shop/codes.ts";
import { Coffee, CoffeeDraft, CoffeeList } from "../../shop/menu.ts";
import { ShopPatch, StaffShopView } from "../../shop/settings.ts";

export const CoffeeParams = Type.Object({
  id: Type.String({ pattern: COFFEE_ID, description: "1 to 64 lower-case letters, digits, _ or -" }),
});

export const READ_SHOP = documented({
  tag: "Shop",
  operationId: "readShop",
  summary: "The shop's settings",
  answers: { 200: { description: "The settings now.", schema: StaffShopView } },
  problems: ["unauthorized", "redis_away"],
});

export const CHANGE_SHOP = documented({
  tag: "Shop",
  operationId: "changeShop",
  summary: "Open or close the shop, or change its settings",
  description:
    "In force for every order that is placed from now on, on all replicas. What is not named stays as it is.",
  body: { schema: ShopPatch, required: true },
  answers: { 200: { description: "The settings now.", schema: StaffShopView } },
  problems: ["unauthorized", ...BODY_PROBLEMS, "redis_away"],
});

export const LIST_COFFEES = documented({
  tag: "Shop",
  operationId: "listCoffees",
  summary: "The menu",
  answers: {
    200: { description: "Everything on the menu, cheapest first.", schema: CoffeeList },
  },
  problems: ["unauthorized", "redis_away"],
});

export const PUT_COFFEE = documented({
  params: CoffeeParams,
  tag: "Shop",
  operationId: "putCoffee",
  summary: "Put a coffee on the menu, or change it",
  description: "In force for every order that is placed from now on; orders placed before keep their price.",
  body: { schema: CoffeeDraft, required: true },
  answers: {
    200: { description: "The coffee is changed.", schema: Coffee },
    201: { description: "The coffee is on the menu.", schema: Coffee },
  },
  problems: ["unauthorized", "menu_full", ...BODY_PROBLEMS, "redis_away"],
});

export const REMOVE_COFFEE = documented({
  params: CoffeeParams,
  tag: "Shop",
  operationId: "removeCoffee",
  summary: "Take a coffee off the menu",
  answers: { 204: { description: "It is off the menu." } },
  problems: ["unauthorized", "coffee_unknown", "invalid_input", "redis_away"],
});

export const READ_CODE = documented({
  tag: "Shop",
  operationId: "readCode",
  summary: "The current code, for the board",
  description: "The same on every replica until `changes_at`. The picture leads to the customers' page.",
  answers: { 200: { description: "The code now.", schema: CodeView } },
  problems: ["unauthorized", "redis_away"],
});
