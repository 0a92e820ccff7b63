/** Owns what customers see of the shop before they order. Always holds: nothing here changes anything. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerJson } from "../http/answers.ts";
import { documented } from "../http/documented.ts";
import { Coffee, CoffeeDraft } from "../shop/menu.ts";
import type { CustomerDependencies } from "./app.ts";

const CoffeeList = Type.Object({ coffees: Type.Array(Coffee) });
const COFFEE_LIST_EXAMPLE = { coffees: [{ id: "latte", ...(CoffeeDraft.examples as object[])[0] }] };

/** The shop, on the wire. */
const ShopView = Type.Object(
  {
    open: Type.Boolean(),
    full: Type.Boolean({ description: "whether it takes no more orders for now" }),
    require_code: Type.Boolean({ description: "whether an order needs a code" }),
    customer_timeout_seconds: Type.Integer({ description: "how long a reservation waits for its customer's choice" }),
    queue_length: Type.Integer({ description: "orders queued" }),
    eta_seconds: Type.Union([Type.Integer(), Type.Null()], {
      description: "expected seconds until an order placed now is ready; null without history",
    }),
  },
  {
    examples: [
      {
        open: true,
        full: false,
        require_code: false,
        customer_timeout_seconds: 900,
        queue_length: 3,
        eta_seconds: 95,
      },
    ],
  },
);

export function shopRoutes({ shop, menu }: CustomerDependencies) {
  return new Elysia()
    .get(
      "/shop",
      async () => {
        const { settings, openOrders, queueLength, expectedSeconds } = await shop.read();
        const { open, capacity, require_code, customer_timeout_seconds } = settings;
        const full = capacity !== null && openOrders >= capacity;
        return answerJson(
          JSON.stringify({
            open,
            full,
            require_code,
            customer_timeout_seconds,
            queue_length: queueLength,
            eta_seconds: expectedSeconds,
          }),
        );
      },
      documented({
        tag: "Shop",
        summary: "Is it open, and how busy is it?",
        answers: { 200: { description: "The shop now.", schema: ShopView } },
        problems: ["redis_away"],
      }),
    )
    .get(
      "/coffees",
      async () => answerJson(JSON.stringify({ coffees: await menu.list() })),
      documented({
        tag: "Shop",
        summary: "The menu",
        answers: {
          200: {
            description: "Everything on the menu, cheapest first.",
            schema: CoffeeList,
            example: COFFEE_LIST_EXAMPLE,
          },
        },
        problems: ["redis_away"],
      }),
    );
}
