/**
 * Owns the module of machines that the setting MACHINES names: how it is loaded, and what it must hold.
 *
 * **Invariants**
 * - The server starts with all its machines, or not at all.
 * - A failure is one sentence that names the file and the fault.
 * - No two machines have one queue.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { StartError } from "../lifecycle.ts";
import { within } from "../within.ts";
import { isMachine, type Machine } from "./machine.ts";

/** A module may await something of its own before it is there. */
const LOAD_TIMEOUT_MS = 30_000;
const MAX_FAULT_CHARACTERS = 400;

/** All machines of a server: those of the module, if one is named, and those given in code. */
export async function gatherMachines(
  path: string | undefined,
  given: readonly Machine[] = [],
): Promise<readonly Machine[]> {
  const machines = [...given, ...(path === undefined ? [] : await loadMachines(path))];
  const twice = machines.find(({ queue }, at) => machines.findIndex((other) => other.queue === queue) !== at);
  if (!twice) return machines;
  throw new StartError(`${path ?? "machines"}: two machines have the queue ${twice.queue}: give one another queue`, 2);
}

/** Each machine that a module exports, by itself or in an array; `path` counts from the working directory. */
async function loadMachines(path: string): Promise<readonly Machine[]> {
  const exported = Object.values(await load(path)).flatMap((value: unknown): unknown[] =>
    Array.isArray(value) ? value : [value],
  );
  const machines = [...new Set(exported.filter(isMachine))];
  if (machines.length > 0) return machines;
  throw new StartError(`MACHINES: ${path} exports no machine: export what defineMachine returns`, 2);
}

async function load(path: string): Promise<object> {
  const file = resolve(path);
  if (!(await Bun.file(file).exists())) throw new StartError(`MACHINES: ${path} is no file (${file})`, 2);
  let loaded: object | undefined;
  try {
    loaded = await within(LOAD_TIMEOUT_MS, import(pathToFileURL(file).href) as Promise<object>);
  } catch (error) {
    throw new StartError(`MACHINES: ${path} can't be loaded: ${sayFault(error)}`, 2);
  }
  if (!loaded) throw new StartError(`MACHINES: ${path} was not loaded within ${LOAD_TIMEOUT_MS / 1000} s`, 2);
  return loaded;
}

/** In one line, without what would steer a terminal. Reading what was thrown may throw again. */
function sayFault(error: unknown): string {
  try {
    const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error];
    const said = String(first).replaceAll(/\s+/g, " ");
    return said.replaceAll(/\p{Cc}/gu, "").slice(0, MAX_FAULT_CHARACTERS);
  } catch {
    return "it threw what can't be read";
  }
}
