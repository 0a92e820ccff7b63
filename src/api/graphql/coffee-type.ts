/**
 * Owns the menu as GraphQL shows it.
 *
 * **Invariants**
 * - It is the menu of the wire, cheapest first.
 */
import type { Coffee, Menu } from "../../shop/menu.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";

export function defineMenu(builder: Builder, menu: Pick<Menu, "list">, guard: Guard): void {
  const Modifier = builder.objectRef<Coffee["modifiers"][number]>("Modifier").implement({
    fields: (t) => ({ name: t.exposeString("name"), options: t.exposeStringList("options") }),
  });
  const CoffeeType = builder.objectRef<Coffee>("Coffee").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      name: t.exposeString("name"),
      description: t.exposeString("description"),
      price: t.exposeInt("price", { description: "Cents." }),
      available: t.exposeBoolean("available"),
      modifiers: t.field({ type: [Modifier], resolve: ({ modifiers }) => modifiers }),
      icon: t.exposeString("icon"),
    }),
  });
  builder.queryField("getCoffees", (t) =>
    t.field({
      type: [CoffeeType],
      description: "All that can be ordered, cheapest first.",
      resolve: (_root, _arguments, context) => guard(context, () => menu.list()),
    }),
  );
}
