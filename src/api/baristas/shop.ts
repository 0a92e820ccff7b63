/**
 * Owns the baristas' routes of the shop: its settings, its menu, its code.
 *
 * **Invariants**
 * - A faulty change changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { COFFEE_ID } from "../../formats.ts";
import { answerJson } from "../../http/answers.ts";
import { documented } from "../../http/documented.ts";
import { createBodyReader } from "../../http/input.ts";
import { invalidInput, problem } from "../../problem.ts";
import { drawQr, type CurrentCode } from "../../shop/codes.ts";
import { Coffee, CoffeeDraft, CoffeeList, type Menu } from "../../shop/menu.ts";
import { ShopPatch, ShopSettings, type Shop } from "../../shop/settings.ts";

const CoffeeParams = Type.Object({
  id: Type.String({ pattern: COFFEE_ID, description: "1 to 64 lower-case letters, digits, _ or -" }),
});

const StaffShopView = Type.Intersect(
  [
    ShopSettings,
    Type.Object({
      open_orders: Type.Integer({ description: "orders reserved, queued and brewing" }),
      lease_seconds: Type.Integer({ description: "how long a started order stays with its barista (LEASE_SECONDS)" }),
    }),
  ],
  {
    $id: "StaffShop",
    examples: [
      {
        open: true,
        capacity: null,
        require_code: false,
        drinks_per_code: 10,
        code_period_seconds: 300,
        max_open_per_customer: null,
        customer_timeout_seconds: 900,
        open_orders: 4,
        lease_seconds: 900,
      },
    ],
  },
);

const CodeView = Type.Object(
  {
    code: Type.String(),
    url: Type.String({ description: "where the code leads: the customers' page" }),
    qr_svg: Type.String({ description: "the URL as a QR picture" }),
    remaining: Type.Integer({ description: "drinks that the code is still good for" }),
    changes_at: Type.String({ format: "date-time", description: "when the next code comes" }),
  },
  {
    $id: "Code",
    examples: [
      {
        code: "7QK2M9XWTR3B",
        url: "http://192.168.1.20:8000/?code=7QK2M9XWTR3B",
        qr_svg: "<svg …></svg>",
        remaining: 7,
        changes_at: "2026-11-20T09:35:00.000Z",
      },
    ],
  },
);

const INPUT_PROBLEMS = ["malformed_json", "body_too_large", "not_json", "invalid_input", "redis_away"] as const;

export interface ShopDependencies {
  readonly shop: Shop;
  readonly menu: Menu;
  readonly readCode: () => Promise<CurrentCode>;
  /** Where customers reach their port, for the sender of this request. */
  readonly customersUrl: (request: Request) => string;
  readonly leaseSeconds: number;
}

export function shopRoutes({ shop, menu, readCode, customersUrl, leaseSeconds }: ShopDependencies) {
  const readPatch = createBodyReader(ShopPatch);
  const readCoffee = createBodyReader(CoffeeDraft);

  const answerShop = async (): Promise<Response> => {
    const { settings, openOrders } = await shop.read();
    return answerJson(JSON.stringify({ ...settings, open_orders: openOrders, lease_seconds: leaseSeconds }));
  };

  return new Elysia()
    .get(
      "/shop",
      answerShop,
      documented({
        tag: "Shop",
        operationId: "readShop",
        summary: "The shop's settings",
        answers: { 200: { description: "The settings now.", schema: StaffShopView } },
        problems: ["unauthorized", "redis_away"],
      }),
    )
    .patch(
      "/shop",
      async ({ request }) => {
        const patch = await readPatch(request);
        if (!patch) return missingBody("an object of settings");
        await shop.change(patch);
        return await answerShop();
      },
      documented({
        tag: "Shop",
        operationId: "changeShop",
        summary: "Open or close the shop, or change its settings",
        description:
          "In force for every order that is placed from now on, on all replicas. What is not named stays as it is.",
        body: { schema: ShopPatch, required: true },
        answers: { 200: { description: "The settings now.", schema: StaffShopView } },
        problems: ["unauthorized", ...INPUT_PROBLEMS],
      }),
    )
    .get(
      "/coffees",
      async () => answerJson(JSON.stringify({ coffees: await menu.list() })),
      documented({
        tag: "Shop",
        operationId: "listCoffees",
        summary: "The menu",
        answers: {
          200: { description: "Everything on the menu, cheapest first.", schema: CoffeeList },
        },
        problems: ["unauthorized", "redis_away"],
      }),
    )
    .put(
      "/coffees/:id",
      async ({ params: { id }, request }) => {
        const draft = await readCoffee(request);
        if (!draft) return missingBody("a coffee");
        if (new Set(draft.modifiers.map(({ name }) => name)).size < draft.modifiers.length) {
          return invalidInput([{ field: "modifiers", detail: "must have different names" }]);
        }
        const outcome = await menu.put(id, draft);
        if (outcome === "full") return problem("menu_full");
        return answerJson(JSON.stringify({ id, ...draft }), { status: outcome === "created" ? 201 : 200 });
      },
      {
        params: CoffeeParams,
        ...documented({
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
          problems: ["unauthorized", "menu_full", ...INPUT_PROBLEMS],
        }),
      },
    )
    .delete(
      "/coffees/:id",
      async ({ params: { id } }) => {
        if (await menu.remove(id)) return new Response(null, { status: 204 });
        return problem("coffee_unknown", { detail: `There is no ${id} on the menu (GET /coffees).` });
      },
      {
        params: CoffeeParams,
        ...documented({
          params: CoffeeParams,
          tag: "Shop",
          operationId: "removeCoffee",
          summary: "Take a coffee off the menu",
          answers: { 204: { description: "It is off the menu." } },
          problems: ["unauthorized", "coffee_unknown", "invalid_input", "redis_away"],
        }),
      },
    )
    .get(
      "/code",
      async ({ request }) => {
        const { code, remaining, changesAtMs } = await readCode();
        const url = `${customersUrl(request)}/?code=${code}`;
        const changesAt = new Date(changesAtMs).toISOString();
        return answerJson(JSON.stringify({ code, url, qr_svg: drawQr(url), remaining, changes_at: changesAt }));
      },
      documented({
        tag: "Shop",
        operationId: "readCode",
        summary: "The current code, for the board",
        description: "The same on every replica until `changes_at`. The picture leads to the customers' page.",
        answers: { 200: { description: "The code now.", schema: CodeView } },
        problems: ["unauthorized", "redis_away"],
      }),
    );
}

function missingBody(wanted: string): Response {
  return invalidInput([{ field: "body", detail: `is missing: it must be ${wanted}` }]);
}
