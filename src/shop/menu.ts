/**
 * Owns the menu: what can be ordered, how, and for how much.
 *
 * **Invariants**
 * - It is kept in Redis.
 * - Scripts check each order against it and look its price up there, whatever a client says.
 */
import { Type, type Static } from "@sinclair/typebox";
import { COFFEE_ID } from "../formats.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";

const MAX_COFFEES = 200;

const text = (maxLength: number) =>
  Type.String({ pattern: "\\S", maxLength, description: `1 to ${maxLength} characters, not only blanks` });

const Modifier = Type.Object(
  {
    name: text(40),
    options: Type.Array(text(40), {
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
      description: "a list of 1 to 20 different options",
    }),
  },
  { $id: "Modifier", additionalProperties: false, description: "an object with name and options" },
);

const DRAFT_EXAMPLE = {
  name: "Cortado",
  description: "As much milk as espresso",
  price: 340,
  available: true,
  modifiers: [{ name: "milk", options: ["whole", "oat"] }],
  icon: "☕",
};

/** A coffee as staff put it on the menu; its id stands in the path. */
export const CoffeeDraft = Type.Object(
  {
    name: text(60),
    description: Type.String({ maxLength: 200, description: "at most 200 characters" }),
    price: Type.Integer({ minimum: 0, maximum: 1_000_000, description: "a whole number of cents from 0 to 1000000" }),
    available: Type.Boolean({ description: "true or false" }),
    modifiers: Type.Array(Modifier, { maxItems: 10, description: "a list of at most 10 modifiers" }),
    icon: Type.String({ maxLength: 16, description: "at most 16 characters, such as an emoji" }),
  },
  { $id: "CoffeeDraft", additionalProperties: false, description: "an object", examples: [DRAFT_EXAMPLE] },
);
export type CoffeeDraft = Static<typeof CoffeeDraft>;

/** A coffee on the wire. */
export const Coffee = Type.Object(
  { id: Type.String({ pattern: COFFEE_ID }), ...CoffeeDraft.properties },
  { $id: "Coffee", examples: [{ id: "cortado", ...DRAFT_EXAMPLE }] },
);
export type Coffee = Static<typeof Coffee>;

/** All that can be ordered, on the wire. */
export const CoffeeList = Type.Object(
  { coffees: Type.Array(Coffee) },
  { $id: "Menu", examples: [{ coffees: Coffee.examples as unknown }] },
);
export type CoffeeList = Static<typeof CoffeeList>;

type PutOutcome = "created" | "changed" | "full";

export type Menu = ReturnType<typeof createMenu>;

export function createMenu({ run }: Pick<ShopRedis, "run">) {
  const readMenu = loadScript("read-menu");
  const [putCoffee, removeCoffee] = [loadScript("put-coffee"), loadScript("remove-coffee")];
  let changes = 0;
  /** Counts a change once it is made; also one whose reply was lost, for it may be. */
  const counted = async (change: Promise<unknown>): Promise<unknown> => {
    try {
      return await change;
    } finally {
      changes += 1;
    }
  };

  return {
    /** How often it was changed here: what was read before is of the past. Other replicas change it too. */
    changes: (): number => changes,

    /**
     * Everything on the menu, cheapest first. A shop whose menu was never changed offers what `redis/lib/menu.lua`
     * says.
     */
    list: async (): Promise<Coffee[]> => {
      const coffees = asList(await run(readMenu, [])).map(readCoffee);
      return coffees.toSorted((a, b) => a.price - b.price || a.name.localeCompare(b.name));
    },

    /** Puts a coffee on the menu, or changes it. `full`: there are too many already. */
    put: async (id: string, draft: CoffeeDraft): Promise<PutOutcome> =>
      asText(await counted(run(putCoffee, [id, JSON.stringify(draft), MAX_COFFEES]))) as PutOutcome,

    /** Takes it off; false where it was not there. */
    remove: async (id: string): Promise<boolean> => asInteger(await counted(run(removeCoffee, [id]))) === 1,
  };
}

function readCoffee(reply: unknown): Coffee {
  const [id, json] = asList(reply);
  return { id: asText(id), ...(JSON.parse(asText(json)) as CoffeeDraft) };
}
