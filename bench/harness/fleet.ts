/**
 * Owns the processes of the load, as their parent: beside the servers, so that neither slows the other's event loop.
 *
 * **Invariants**
 * - No answer is waited for longer than a bound.
 * - Closing ends the processes.
 */
import { join } from "node:path";
import { within } from "../../src/within.ts";
import type { Load } from "./crew.ts";
import { processorSeconds, spawn } from "./process.ts";
import type { Report } from "./report.ts";

/** How far a part of the load is. */
export type Count = Readonly<Record<"answered" | "finished" | "served" | "refused" | "left", number>>;

/** A part of the load that has begun. */
export interface Part {
  /** Ends what goes on by the clock. */
  pause(): Promise<void>;
  /** Begins nothing new. Resolves, when what was begun has ended, to what was seen. */
  end(): Promise<Report>;
  count(): Promise<Count>;
}

type Command =
  | { readonly verb: "begin"; readonly part: number; readonly load: string; readonly spec: unknown }
  | { readonly verb: "pause" | "end" | "count"; readonly part: number };

/** What a process of the load is sent. */
export type Sent = Command & { readonly id: number };

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/** Above the longest of a part's own bounds, and the time to queue 100,000 orders. */
const TIMEOUT_MS = 180_000;

export class Fleet {
  readonly #children: readonly Bun.Subprocess[];
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #lastId = 0;

  constructor(processes = 1) {
    const command = [process.execPath, join(import.meta.dir, "load.ts")];
    const ipc = (reply: Reply): void => this.#waiting.get(reply.id)?.(reply);
    this.#children = Array.from({ length: processes }, () => {
      return spawn(command, { stdio: ["ignore", "inherit", "inherit"], serialization: "json", ipc });
    });
  }

  /** Begins a part of the load in one of the processes, and resolves once all are where the load begins. */
  async begin<Spec>(load: Load<Spec>, spec: Spec, process = 0): Promise<Part> {
    const part = ++this.#lastId;
    const send = (command: Command): Promise<unknown> => this.#send(this.#children[process], command);
    await send({ verb: "begin", part, load: load.name, spec });
    return {
      pause: async () => void (await send({ verb: "pause", part })),
      end: async () => (await send({ verb: "end", part })) as Report,
      count: async () => (await send({ verb: "count", part })) as Count,
    };
  }

  get processorSeconds(): number {
    return processorSeconds(this.#children.map(({ pid }) => pid));
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map(({ exited }) => exited));
  }

  async #send(child: Bun.Subprocess | undefined, command: Command): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    child?.send({ ...command, id } satisfies Sent);
    void child?.exited.then(() => resolve({ id, error: "its process has ended" }));
    const reply = (await within(TIMEOUT_MS, promise)) ?? { error: "not in time" };
    this.#waiting.delete(id);
    if ("error" in reply) throw new Error(`the load could not ${command.verb}: ${reply.error}`);
    return reply.result;
  }
}

export async function endAll(parts: readonly Part[]): Promise<Report[]> {
  return await Promise.all(parts.map((part) => part.end()));
}

/** What the parts have counted so far, together. */
export async function countAll(parts: readonly Part[], what: keyof Count): Promise<number> {
  const counts = await Promise.all(parts.map((part) => part.count()));
  return counts.reduce((sum, count) => sum + count[what], 0);
}

/** People in one process of the load, and from one local address. */
const MAX_IN_ONE = 4500;

export function loadsFor(count: number): number {
  return Math.ceil(count / MAX_IN_ONE);
}

/** So many of them, from the one with that number on, who call from one local address. */
export type Share = { readonly first: number; readonly count: number; readonly from: string };

/** Begins a load for many people, spread over the processes. */
export async function beginShares<Spec>(
  fleet: Fleet,
  load: Load<Spec>,
  count: number,
  specOf: (share: Share) => Spec,
): Promise<Part[]> {
  const begins = Array.from({ length: loadsFor(count) }, (_, index) => {
    const first = index * MAX_IN_ONE;
    const share = { first, count: Math.min(MAX_IN_ONE, count - first), from: `127.0.1.${index + 1}` };
    return fleet.begin(load, specOf(share), index);
  });
  return await Promise.all(begins);
}
