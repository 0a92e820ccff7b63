/**
 * One process of the load: begins and ends parts of it as its parent says, over Bun's IPC.
 *
 * **Invariants**
 * - It ends with its parent.
 */
import { flooders } from "../scenarios/flood.ts";
import { cyclers } from "../scenarios/growth.ts";
import { finishers, publishers } from "../scenarios/hold.ts";
import { quitters } from "../scenarios/leaks.ts";
import { listeners } from "../scenarios/listeners.ts";
import { Crew, messageOf, type Load } from "./crew.ts";
import type { Command, Count, Sent } from "./fleet.ts";
import { baristas, customers } from "./people.ts";

const LOADS = [customers, baristas, cyclers, finishers, flooders, listeners, publishers, quitters];
const crews = new Map<number, Crew>();

function countOf({ report: { answered, finished, served, refused, left } }: Crew): Count {
  return { answered: answered.ids.length, finished: finished.ids.length, served, refused, left };
}

/** What it returns is the reply. */
async function obey(command: Command): Promise<unknown> {
  if (command.verb === "begin") {
    const crew = new Crew();
    crews.set(command.part, crew);
    const load = LOADS.find(({ name }) => name === command.load) as Load<unknown> | undefined;
    if (!load) throw new Error(`there is no load ${command.load}`);
    return await load(crew, command.spec);
  }
  const crew = crews.get(command.part);
  if (!crew) throw new Error("this part has ended");
  if (command.verb === "count") return countOf(crew);
  if (command.verb === "pause") return await crew.pause();
  await crew.end();
  crews.delete(command.part);
  return crew.report;
}

process.on("disconnect", () => process.exit());
process.on("message", ({ id, command }: Sent) => {
  void obey(command).then(
    (result) => process.send?.({ id, result: result ?? null }),
    (error: unknown) => process.send?.({ id, error: messageOf(error) }),
  );
});
