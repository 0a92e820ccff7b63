/**
 * Owns the processes of the load, as their parent: beside the servers, so that neither slows the other's event loop.
 *
 * **Invariants**
 * - No answer is waited for longer than a bound.
 * - Closing ends the processes.
 */
import { join } from "node:path";
import { endChild, watchChild } from "./children.ts";
import type { Order, Reply, RoleSpec, Told } from "./load.ts";
import { processorSeconds } from "./process.ts";
import type { Report } from "./report.ts";
import type { Count } from "./roles/role.ts";

/** A part of the load that has begun. */
export interface Part {
  /** Ends what goes on by the clock. */
  pause(): Promise<void>;
  /** Begins nothing new; resolves, when what was begun has ended, to what was seen. */
  end(): Promise<Report>;
  count(): Promise<Count>;
}

type Waiting = (reply: Reply) => void;

/** Above the longest of a part's own bounds, and the time to queue 100,000 orders. */
const BOUND_MS = 180_000;

export class Fleet {
  readonly #children: Bun.Subprocess[];
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(processes = 1) {
    this.#children = Array.from({ length: processes }, () => this.#spawn());
  }

  /** Begins a part of the load in one of the processes, and resolves once everybody is where the load begins. */
  async begin(spec: RoleSpec, process = 0): Promise<Part> {
    const part = ++this.#lastId;
    const tell = (order: Order): Promise<unknown> => this.#tell(process, order);
    await tell({ verb: "begin", part, spec });
    return {
      pause: async () => void (await tell({ verb: "pause", part })),
      end: async () => (await tell({ verb: "end", part })) as Report,
      count: async () => (await tell({ verb: "count", part })) as Count,
    };
  }

  get processorSeconds(): number {
    return processorSeconds(this.#children.map(({ pid }) => pid));
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => endChild(child)));
  }

  #spawn(): Bun.Subprocess {
    return watchChild(
      Bun.spawn([process.execPath, join(import.meta.dir, "load.ts")], {
        stdio: ["ignore", "inherit", "inherit"],
        serialization: "json",
        ipc: (reply: Reply) => this.#waiting.get(reply.id)?.(reply),
      }),
    );
  }

  async #tell(process: number, order: Order): Promise<unknown> {
    const child = this.#children[process % this.#children.length];
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => reject(new Error(`the load did not ${order.verb} in time`)), BOUND_MS);
    this.#waiting.set(id, (reply) => {
      if ("error" in reply) reject(new Error(`the load could not ${order.verb}: ${reply.error}`));
      else resolve(reply.result);
    });
    child?.send({ id, order } satisfies Told);
    void child?.exited.then(() => reject(new Error("a process of the load has ended")));
    return await promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(id);
    });
  }
}
