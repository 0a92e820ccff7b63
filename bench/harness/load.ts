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
import { callers } from "../scenarios/machine.ts";
import { Crew, messageOf, type Load } from "./crew.ts";
import type { Sent } from "./fleet.ts";
import { baristas, customers } from "./people.ts";

const LOADS = [customers, baristas, callers, cyclers, finishers, flooders, listeners, publishers, quitters];
const crews = new Map<number, Crew>();

/** What it returns is the reply. */
async function obey(command: Sent): Promise<unknown> {
  const { verb, part } = command;
  const crew = crews.get(part) ?? new Crew();
  crews.set(part, crew);
  switch (verb) {
    case "begin":
      return await (LOADS.find(({ name }) => name === command.load) as Load<unknown>)(crew, command.spec);
    case "count": {
      const { answered, finished, ...counts } = crew.report;
      return { ...counts, answered: answered.ids.length, finished: finished.ids.length };
    }
    case "pause":
      return await crew.pause();
    case "end":
      crews.delete(part);
      await crew.end();
      return crew.report;
  }
}

process.on("disconnect", () => process.exit());
process.on("message", (sent: Sent) => {
  const { id } = sent;
  void obey(sent).then(
    (result) => process.send?.({ id, result: result ?? null }),
    (error: unknown) => process.send?.({ id, error: messageOf(error) }),
  );
});
