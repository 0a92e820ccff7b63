/**
 * Owns a running shop for page tests: customers and baristas of the command line, and orders of every kind and shape.
 *
 * **Invariants**
 * - A simulator that a test started is gone when it ends, also where it fails.
 */
import { afterEach } from "bun:test";
import { join } from "node:path";
import { applyVerb, ask, expectOrder, expectStatus, place, start, type Ports } from "../support/http.ts";

const LONGPOUR = join(import.meta.dir, "../../src/cli/longpour.ts");

interface Crowd {
  readonly customers: number;
  readonly baristas: number;
  readonly brewSeconds: number;
}

const running = new Set<Bun.Subprocess>();

function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

process.once("exit", endAll);

/** To be called once, at the file's top. */
export function useSimulation(): typeof simulate {
  afterEach(endAll);
  return simulate;
}

/** Customers order at once, and baristas make it all. Resolves when each has their coffee. */
async function simulate(server: Ports, { customers, baristas, brewSeconds }: Crowd): Promise<void> {
  const count = String(customers);
  const brew = ["--brew-min-seconds", String(brewSeconds / 2), "--brew-max-seconds", String(brewSeconds)];
  await Promise.all([
    run(["customers", "--url", server.customers, "--groups", "1", "--group-min", count, "--group-max", count]),
    run(["baristas", "--staff-url", server.baristas, "--baristas", String(baristas), "--orders", count, ...brew]),
  ]);
}

async function run(command: readonly string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, LONGPOUR, ...command], { stdout: "ignore", stderr: "pipe" });
  running.add(child);
  const complaints = await child.stderr.text();
  const exitCode = await child.exited;
  running.delete(child);
  // (One that was ended with its test has nothing to say.)
  if (exitCode !== 0 && child.signalCode === null) throw new Error(`${command.join(" ")}: ${complaints}`);
}

/** Names as people have them: long, from right to left, of pictures, and such as markup and spreadsheets trip over. */
export const NAMES = [
  "Ada",
  "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh the Third of Somewhere Quite Far Away",
  "שרה כהן",
  "محمد الأمين",
  "👩‍👩‍👧‍👦 family",
  "<b>Bob</b>",
  '=HYPERLINK("http://x")',
  "‮reversed",
] as const;

const ITEMS = ["latte", "espresso", "flat_white", "mocha", "americano"] as const;

/** Orders in every state that needs no payment, with names that are hard to show. */
export async function fill(server: Ports, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const customer_name = NAMES[index % NAMES.length];
    const note = index % 7 === 0 ? "no lid, and please call out loudly" : undefined;
    await place(server, { item: ITEMS[index % ITEMS.length], customer_name, note, customer_id: `table-${index % 9}` });
  }
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await place(server, { customer_name: "Later", not_before: later });
  for (let index = 0; index < count / 4; index += 1) {
    const { order_id } = await start(server, `barista=${encodeURIComponent(index % 2 ? "Grace" : "גרייס")}`);
    if (index % 3 === 0) expectOrder(await applyVerb(server, "finish", order_id));
    if (index % 3 === 1) expectOrder(await applyVerb(server, "cancel", order_id, "reason=machine_error"));
    if (index % 9 === 2) expectOrder(await applyVerb(server, "release", order_id));
  }
}

/** What the server counts. */
export async function readCounts({ baristas }: Pick<Ports, "baristas">): Promise<Record<string, number>> {
  const [states, stats] = [await ask(`${baristas}/states`), await ask(`${baristas}/stats`)];
  expectStatus(states, 200);
  expectStatus(stats, 200);
  const { open } = states.body as { open: Record<string, number> };
  const { total } = stats.body as { total: { completed: number; cancelled: Record<string, number> } };
  const cancelled = Object.values(total.cancelled).reduce((sum, count) => sum + count, 0);
  return { ...open, ready: total.completed, cancelled };
}
