/**
 * Owns floods in turns: calm, flood, calm, flood, …, each for a short stretch.
 *
 * **Invariants**
 * - Both kinds are measured for as long.
 * - The flood is over, its last request answered, when calm begins.
 */
import { clock } from "./clock.ts";
import type { Settings } from "./comparison.ts";
import type { Part } from "./fleet.ts";
import type { Report } from "./report.ts";
import type { Window } from "./statistics.ts";

/** Stretches of each kind that the measured time is divided into. */
const TURNS = 5;
/** From the beginning of a flood, and from its end, to the measured stretch. */
const SETTLE_MS = 500;
/** The first one spends the tokens of its address. */
const FIRST_SETTLE_MS = 2000;

export interface Turns {
  readonly calm: readonly Window[];
  readonly storm: readonly Window[];
  /** How the flood's requests were answered, within its stretches. */
  readonly served: number;
  readonly refused: number;
  /** What each flood saw. */
  readonly reports: readonly Report[];
}

/** Measures each kind for `seconds`, in turns; `begin` begins a flood. */
export async function takeTurns(
  begin: () => Promise<Part>,
  { seconds, isQuick }: Pick<Settings, "seconds" | "isQuick">,
): Promise<Turns> {
  const turns = { calm: [] as Window[], storm: [] as Window[], served: 0, refused: 0, reports: [] as Report[] };
  for (let turn = 0; turn < TURNS; turn++) {
    await Bun.sleep(SETTLE_MS);
    turns.calm.push(await stretch(seconds / TURNS));
    const flooders = await begin();
    await Bun.sleep(turn > 0 || isQuick ? SETTLE_MS : FIRST_SETTLE_MS);
    const before = await flooders.count();
    turns.storm.push(await stretch(seconds / TURNS));
    const after = await flooders.count();
    turns.served += after.served - before.served;
    turns.refused += after.refused - before.refused;
    turns.reports.push(await flooders.end());
  }
  return turns;
}

async function stretch(seconds: number): Promise<Window> {
  const from = clock();
  await Bun.sleep(seconds * 1000);
  return { from, until: clock() };
}
