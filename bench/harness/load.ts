/**
 * One process of the load: begins and ends parts of it as its parent says, over Bun's IPC.
 *
 * **Invariants**
 * - It ends with its parent.
 */
import { emptyReport, type Report } from "./report.ts";
import { Baristas, type BaristasSpec } from "./roles/baristas.ts";
import { Customers, type CustomersSpec } from "./roles/customers.ts";
import { Cyclers, type CyclersSpec } from "./roles/cyclers.ts";
import { Finishers, type FinishersSpec } from "./roles/finishers.ts";
import { Flooders, type FloodersSpec } from "./roles/flooders.ts";
import { Listeners, type ListenersSpec } from "./roles/listeners.ts";
import { Publishers, type PublishersSpec } from "./roles/publishers.ts";
import { Quitters, type QuittersSpec } from "./roles/quitters.ts";
import { messageOf, type Count, type Role } from "./roles/role.ts";

export type RoleSpec =
  | CustomersSpec
  | BaristasSpec
  | FinishersSpec
  | FloodersSpec
  | ListenersSpec
  | PublishersSpec
  | CyclersSpec
  | QuittersSpec;

export type Order =
  | { readonly verb: "begin"; readonly part: number; readonly spec: RoleSpec }
  | { readonly verb: "pause" | "end" | "count"; readonly part: number };

export interface Told {
  readonly id: number;
  readonly order: Order;
}

export type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

const parts = new Map<number, Role>();

function roleOf(spec: RoleSpec): Role {
  switch (spec.role) {
    case "customers":
      return new Customers(spec);
    case "baristas":
      return new Baristas(spec);
    case "finishers":
      return new Finishers(spec);
    case "flooders":
      return new Flooders(spec);
    case "listeners":
      return new Listeners(spec);
    case "publishers":
      return new Publishers(spec);
    case "cyclers":
      return new Cyclers(spec);
    case "quitters":
      return new Quitters(spec);
  }
}

function countOf({ answered, finished, served, refused, left }: Report): Count {
  return { answered: answered.ids.length, finished: finished.ids.length, served, refused, left };
}

/** Does as told; what it returns is the reply. */
async function obey(order: Order): Promise<unknown> {
  if (order.verb === "begin") {
    const role = roleOf(order.spec);
    parts.set(order.part, role);
    return await role.begin();
  }
  const role = parts.get(order.part);
  const report = role?.report ?? emptyReport();
  switch (order.verb) {
    case "count":
      return countOf(report);
    case "pause":
      return await role?.pause?.();
    case "end":
      await role?.end();
      parts.delete(order.part);
      return report;
  }
}

process.on("disconnect", () => process.exit());
process.on("message", (told: Told) => {
  void obey(told.order).then(
    (result) => process.send?.({ id: told.id, result: result ?? null }),
    (error: unknown) => process.send?.({ id: told.id, error: messageOf(error) }),
  );
});
