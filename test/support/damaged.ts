/**
 * Owns how the protocol tests look at a shop that they damage.
 *
 * **Invariants**
 * - A server that was opened here ends with 0, however its shop was damaged.
 */
import { expect } from "bun:test";
import { ask, brew, expectStatus, lookAtQueue, place, untilHeld, type Answer, type WireOrder } from "./http.ts";
import { startServer, type Server } from "./server.ts";

/** A server of its own shop, and the names of that shop's keys. */
export class Shop implements AsyncDisposable {
  readonly server: Server;
  readonly #prefix: string;

  private constructor(server: Server, name: string) {
    this.server = server;
    this.#prefix = `{${name}}:`;
  }

  static async open(environment: Record<string, string> = {}): Promise<Shop> {
    const name = `damaged-${crypto.randomUUID()}`;
    const relaxed = { LIMIT_CAPACITY: "10000", MAX_HELD_PER_ADDRESS: "10000" };
    return new Shop(await startServer({ SHOP: name, ...relaxed, ...environment }), name);
  }

  key(name: string): string {
    return this.#prefix + name;
  }

  record({ order_id }: Pick<WireOrder, "order_id">): string {
    return this.key(`order:${order_id}`);
  }

  async placeMany(count: number): Promise<WireOrder[]> {
    const placed: WireOrder[] = [];
    while (placed.length < count) placed.push(await place(this.server));
    return placed;
  }

  /** Customers who come back for their orders, and are held. */
  async hold(orders: readonly WireOrder[]): Promise<Promise<Answer>[]> {
    const before = (await lookAtQueue(this.server)).held;
    const held = orders.map(({ order_id }) => ask(`${this.server.customers}/order/${order_id}?wait`));
    await untilHeld(this.server, before + orders.length);
    return held;
  }

  /** Makes so many orders; resolves to their ids in the order in which they were given out. */
  async make(count: number): Promise<string[]> {
    const made: string[] = [];
    while (made.length < count) made.push((await brew(this.server, "wait=5")).order_id);
    return made;
  }

  async damaged(): Promise<DamagedView> {
    const answer = await ask(`${this.server.baristas}/damaged`);
    expectStatus(answer, 200);
    return answer.body as DamagedView;
  }

  /** Lines at level warn or above. */
  complaints(): readonly Record<string, unknown>[] {
    return this.server.log().filter(({ level }) => level !== "info" && level !== "debug");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    expect(await this.server.stop()).toBe(0);
  }
}

export interface DamagedView {
  readonly orders: readonly { readonly order_id: string; readonly reason: string }[];
  readonly keys: readonly { readonly key: string; readonly type: string; readonly expected_type: string }[];
}

export const idsOf = (orders: readonly { readonly order_id: string }[]) => orders.map(({ order_id }) => order_id);
