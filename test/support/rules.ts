/**
 * Owns how tests have a server run rules: a file of them, and what it says of them.
 *
 * **Invariants**
 * - A file that was written is gone when the process ends.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, expectStatus, type Answer, type Ports } from "./http.ts";
import { until } from "./until.ts";

const folder = mkdtempSync(join(tmpdir(), "longpour-rules-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** Writes a file; resolves to its path. */
export function writeText(text: string): string {
  const path = join(folder, `${(files += 1)}`);
  writeFileSync(path, text);
  return path;
}

/** Writes a file of rules; resolves to its path. */
export function writeRules(...rules: readonly unknown[]): string {
  return writeText(JSON.stringify({ rules }));
}

export interface WireRule {
  readonly name: string;
  readonly state: string;
  readonly lag: number;
  readonly retrying: number;
  readonly dead: number;
  readonly lost: number;
  readonly target: object;
  readonly last_delivery: { readonly event_id: string; readonly type: string } | null;
  readonly last_failure: { readonly why: string } | null;
}

export async function readRule({ baristas }: Pick<Ports, "baristas">, name: string): Promise<WireRule> {
  const answer = await ask(`${baristas}/rules`);
  expectStatus(answer, 200);
  const found = (answer.body as { rules: WireRule[] }).rules.find((rule) => rule.name === name);
  if (!found) throw new Error(`there is no rule ${name}`);
  return found;
}

export function replay({ baristas }: Pick<Ports, "baristas">, name: string, query = ""): Promise<Answer> {
  return ask(`${baristas}/rules/${name}/replay${query}`, { method: "POST" });
}

/** A rule is new once its group is there: from then on it misses nothing. */
export async function untilOn(ports: Pick<Ports, "baristas">, name: string): Promise<void> {
  await until(async () => (await readRule(ports, name)).lag === 0, `the rule ${name} is on`);
}
