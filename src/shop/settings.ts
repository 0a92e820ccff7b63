/**
 * Owns the shop's settings (open or closed, how many orders, codes, times), and the shop as staff and customers see it.
 *
 * **Invariants**
 * - Settings are kept in Redis, and read by the scripts that let orders in.
 * - So a change is in force on all replicas at once.
 */
import { Type, type Static, type TSchema } from "@sinclair/typebox";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";

const integer = (minimum: number, maximum: number, about: string) =>
  Type.Integer({ minimum, maximum, description: `a whole number from ${minimum} to ${maximum}: ${about}` });
const orNone = <Schema extends TSchema>(schema: Schema, none: string) =>
  Type.Union([schema, Type.Null()], { description: `${schema.description}; null: ${none}` });
const flag = (about: string) => Type.Boolean({ description: `true or false: ${about}` });

/** The settings that staff can change, as `redis/lib/settings.lua` keeps it. */
const SETTINGS = {
  open: flag("whether orders are taken"),
  capacity: orNone(integer(0, 1_000_000, "most orders reserved, unpaid, scheduled, queued and brewing"), "any number"),
  require_code: flag("whether an order needs a code"),
  drinks_per_code: integer(1, 10_000, "orders that one code is good for"),
  code_period_seconds: integer(5, 86_400, "how long a code is the current one"),
  max_open_per_customer: orNone(integer(1, 1_000_000, "most open orders of one customer_id"), "any number"),
  customer_timeout_seconds: integer(1, 86_400, "how long a reservation waits for its customer's choice"),
  payment: Type.Union([Type.Literal("off"), Type.Literal("counter"), Type.Literal("card")], {
    description: "off, counter or card: how orders are paid; at the counter staff take the money",
  }),
  payment_timeout_seconds: integer(1, 86_400, "how long an order waits to be paid"),
  currency: Type.String({ pattern: "^[a-z]{3}$", description: "three letters of ISO 4217, small, such as eur" }),
};
export const ShopSettings = Type.Object(SETTINGS, { $id: "ShopSettings" });
export type ShopSettings = Static<typeof ShopSettings>;

export const ShopPatch = Type.Partial(ShopSettings, {
  $id: "ShopPatch",
  additionalProperties: false,
  description: "an object of settings",
  // Swagger UI sends it at a click: it is what a shop begins with, and says nothing to customers.
  examples: [{ drinks_per_code: 10, code_period_seconds: 300 }],
});
export type ShopPatch = Static<typeof ShopPatch>;

/** The shop as staff see it, on the wire. */
export const StaffShopView = Type.Intersect(
  [
    ShopSettings,
    Type.Object({
      open_orders: Type.Integer({ description: "orders reserved, unpaid, scheduled, queued and brewing" }),
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
        payment: "off",
        payment_timeout_seconds: 600,
        currency: "eur",
        open_orders: 4,
        lease_seconds: 900,
      },
    ],
  },
);
export type StaffShopView = Static<typeof StaffShopView>;

/** The shop as customers see it, on the wire. */
export const ShopView = Type.Object(
  {
    open: Type.Boolean(),
    full: Type.Boolean({ description: "whether it takes no more orders for now" }),
    require_code: Type.Boolean({ description: "whether an order needs a code" }),
    customer_timeout_seconds: Type.Integer({ description: "how long a reservation waits for its customer's choice" }),
    payment: SETTINGS.payment,
    payment_timeout_seconds: Type.Integer({ description: "how long an order waits to be paid" }),
    currency: Type.String({ description: "three letters of ISO 4217, small: prices are in its cents" }),
    payment_provider: Type.Union([Type.Literal("test"), Type.Literal("stripe"), Type.Null()], {
      description: "who charges cards: stripe, or test where no money moves; null: no cards are taken here",
    }),
    payment_publishable_key: Type.Union([Type.String(), Type.Null()], {
      description: "the provider's key for its form on a page",
    }),
    queue_length: Type.Integer({ description: "orders queued" }),
    eta_seconds: Type.Union([Type.Integer(), Type.Null()], {
      description: "expected seconds until an order placed now is ready; null without history",
    }),
  },
  {
    $id: "Shop",
    examples: [
      {
        open: true,
        full: false,
        require_code: false,
        customer_timeout_seconds: 900,
        payment: "off",
        payment_timeout_seconds: 600,
        currency: "eur",
        payment_provider: null,
        payment_publishable_key: null,
        queue_length: 3,
        eta_seconds: 95,
      },
    ],
  },
);
export type ShopView = Static<typeof ShopView>;

export interface ShopState {
  readonly settings: ShopSettings;
  /** Reserved, queued or brewing. */
  readonly openOrders: number;
  readonly queueLength: number;
  /** The median of recent waits; null without history. */
  readonly expectedSeconds: number | null;
}

export type Shop = ReturnType<typeof createShop>;

export function createShop({ run }: Pick<ShopRedis, "run">, queue: string) {
  const readShop = loadScript("read-shop");
  const changeShop = loadScript("change-shop");

  return {
    read: async (): Promise<ShopState> => {
      const [settings, openOrders, queueLength, medianMs] = asList(await run(readShop, [queue]));
      const waitMs = asInteger(medianMs);
      return {
        settings: JSON.parse(asText(settings)) as ShopSettings,
        openOrders: asInteger(openOrders),
        queueLength: asInteger(queueLength),
        expectedSeconds: waitMs < 0 ? null : Math.ceil(waitMs / 1000),
      };
    },

    /** Changes the settings named; staff who listen get an event if anything is different. */
    change: async (patch: ShopPatch): Promise<void> => {
      const pairs = Object.entries(patch).flatMap(([name, value]) => [name, JSON.stringify(value)]);
      if (pairs.length > 0) await run(changeShop, pairs);
    },
  };
}
