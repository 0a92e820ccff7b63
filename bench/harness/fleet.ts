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
import { Child } from "./process.ts";
import type { Report } from "./report.ts";

/** How far a part of the load is. */
export type Count = Readonly<Record<"answered" | "finished" | "served" | "refused" | "left", number>>;

/** A part of the load that has begun. */
export interface Part {
  /** Ends what goes on by the clock. */
  pause(): Promise<void>;
  /** Begins nothing new; resolves, when what was begun has ended, to what was seen. */
  end(): Promise<Report>;
  count(): Promise<Count>;
}

export type Command =
  | { readonly verb: "begin"; readonly part: number; readonly load: string; readonly spec: unknown }
  | { readonly verb: "pause" | "end" | "count"; readonly part: number };

/** What a process of the load is sent. */
export interface Sent {
  readonly id: number;
  readonly command: Command;
}

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/** Above the longest of a part's own bounds, and the time to queue 100,000 orders. */
const BOUND_MS = 180_000;

export class Fleet {
  readonly #children: readonly Child[];
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #lastId = 0;

  constructor(processes = 1) {
    this.#children = Array.from({ length: processes }, () => this.#spawn());
  }

  /** Begins a part of the load in one of the processes, and resolves once everybody is where the load begins. */
  async begin<Spec>(load: Load<Spec>, spec: Spec, process = 0): Promise<Part> {
    const part = ++this.#lastId;
    const send = (command: Command): Promise<unknown> => this.#send(this.#children[process]?.process, command);
    await send({ verb: "begin", part, load: load.name, spec });
    return {
      pause: async () => void (await send({ verb: "pause", part })),
      end: async () => (await send({ verb: "end", part })) as Report,
      count: async () => (await send({ verb: "count", part })) as Count,
    };
  }

  get processorSeconds(): number {
    return this.#children.reduce((sum, child) => sum + child.processorSeconds, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.end()));
  }

  #spawn(): Child {
    return new Child([process.execPath, join(import.meta.dir, "load.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "json",
      ipc: (reply: Reply) => this.#waiting.get(reply.id)?.(reply),
    });
  }

  async #send(child: Bun.Subprocess | undefined, command: Command): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    child?.send({ id, command } satisfies Sent);
    void child?.exited.then(() => resolve({ id, error: "its process has ended" }));
    const reply = (await within(BOUND_MS, promise)) ?? { error: "not in time" };
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
