/**
 * Owns what the tests of the waiting rooms share: replicas of one shop on a real Redis, and customers in them.
 */
import { spyOn } from "bun:test";
import type { Redis } from "ioredis";
import type { Log } from "../../src/log.ts";
import { BLOCK_SECONDS } from "../../src/longpoll/lane.ts";
import { LANE_TARGET_SIZE } from "../../src/longpoll/lanes.ts";
import { WaitingRoom, type WaitOutcome } from "../../src/longpoll/room.ts";
import { WakeRoom } from "../../src/longpoll/wake-room.ts";
import type { Claim, StartOutcome } from "../../src/orders/operations/start.ts";
import type { Order, OrderJson } from "../../src/orders/order.ts";
import { createOrders, DEFAULT_QUEUE, type Orders, type OrderSettings } from "../../src/orders/orders.ts";
import type { ShopRedis } from "../../src/redis/connections.ts";
import type { Read } from "../../src/redis/operation.ts";
import type { RunScript } from "../../src/redis/script.ts";
import { createOrderEnds } from "../../src/service/order-ends.ts";
import { Staffing } from "../../src/service/staffing.ts";
import { ORDER_SETTINGS } from "../support/orders.ts";
import { Fixture } from "../support/fixture.ts";
import { silent, type TestRedis } from "../support/redis.ts";
import { soon, until } from "../support/until.ts";
import { parsed, parsing, type ParsedOrders } from "../support/wire.ts";

export interface ReplicaSettings extends Partial<OrderSettings> {
  /** The shared one, unless the test harms it. */
  readonly server?: TestRedis;
  readonly lanes?: number;
}

/** A lane with so many orders is full: who comes next sits in another one, while there may be more. */
export const ROOMY = LANE_TARGET_SIZE;

/** Any number of replicas that serve the shop. */
export class ReplicaFixture extends Fixture {
  readonly #settings: ReplicaSettings;
  #kitchen: Promise<Replica> | undefined;

  private constructor(server: TestRedis, settings: ReplicaSettings) {
    super(server);
    this.#settings = settings;
  }

  static async open(settings: ReplicaSettings = {}): Promise<ReplicaFixture> {
    return new ReplicaFixture(await Fixture.server(settings.server), settings);
  }

  /** Opens one more replica; `url` is where it finds Redis, and `log` where it says so when Redis is unavailable. */
  async replica(url = this.server.url, log = silent): Promise<Replica> {
    const { server: _server, lanes = 4, ...own } = this.#settings;
    const settings = { ...ORDER_SETTINGS, retentionHours: 1, ...own };
    const redis = await this.openRedis({ url, outageSeconds: settings.outageSeconds, log });
    const replica = new Replica({ redis, lanes, settings, log });
    this.opened(() => replica.close());
    return replica;
  }

  /**
   * The replica where baristas finish orders that customers of other replicas wait for: those hear of it by bells
   * alone.
   */
  kitchen(): Promise<Replica> {
    this.#kitchen ??= this.replica();
    return this.#kitchen;
  }

  /** Finishes an order at a replica that holds no customer. */
  async finish(orderId: string): Promise<void> {
    await (await this.kitchen()).finish(orderId);
  }

  /** Resolves to the ids of the blocked lanes' connections, once there are `count` of them. */
  async blockedLanes(count: number): Promise<string[]> {
    let ids: string[] = [];
    await until(async () => {
      ids = (await this.connections("lane")).filter(({ isBlocked }) => isBlocked).map(({ id }) => id);
      return ids.length === count;
    }, `${count} lanes are blocked`);
    return ids;
  }
}

interface ReplicaParts {
  readonly redis: ShopRedis;
  readonly lanes: number;
  readonly settings: OrderSettings;
  readonly log: Log;
}

/** What one server holds, as src/main.ts puts it together. */
export class Replica {
  readonly redis: ShopRedis;
  readonly orders: ParsedOrders;
  readonly room: WaitingRoom<OrderJson>;
  readonly baristas: WakeRoom;
  readonly staffing: Staffing;
  /** How many orders baristas asked for so far, and how often they were answered. */
  starts = 0;
  answeredStarts = 0;
  /** How often this replica asked who waits for an order, before it listened to its bell. */
  watches = 0;
  /** Orders whose end this server passed on to its own customers without a bell. */
  readonly notified: string[] = [];
  /** Scripts that run once more, and whose reply is lost then. */
  readonly losesNext = new Set<string>();
  readonly #calls = new Map<string, number>();
  /** The same as `orders`, whose outcomes are not read. */
  readonly verbs: Orders;
  /** The bells that each lane listens to. */
  readonly #listensTo: (() => string[])[] = [];

  constructor({ redis, lanes, settings, log }: ReplicaParts) {
    const run: RunScript = async (script, args) => {
      this.#calls.set(script.name, this.calls(script.name) + 1);
      const reply = await redis.run(script, args);
      if (this.losesNext.delete(script.name)) throw new Error(`the reply of ${script.name} is lost`);
      return reply;
    };
    this.redis = { ...redis, run };
    const orders = createOrders(this.redis, settings);
    orders.onFinal({
      notify: (orderId, order) => {
        this.notified.push(orderId);
        this.room.notify(orderId, order);
      },
    });
    this.verbs = orders;
    this.orders = parsing(orders);
    const watch: Orders["watch"] = (wanted) => {
      this.watches += 1;
      return orders.watch(wanted);
    };
    const openBlocking = (): Redis => this.#openLane();
    const unblock = (clientId: number): Promise<boolean> => redis.unblock(clientId);
    const ends = createOrderEnds(this.redis, { watch, replica: orders.replica }, log);
    this.room = new WaitingRoom(ends, { openBlocking, unblock }, lanes);
    const start = this.#count(orders.start);
    this.baristas = new WakeRoom(this.redis, this.redis.keys.wake);
    const closing = new AbortController().signal;
    this.staffing = new Staffing({ orders: { ...orders, start }, room: this.baristas, closing });
  }

  /** Counts the starts that are asked for, and those that are answered. */
  #count(start: Orders["start"]): Orders["start"] {
    const callBack: Orders["start"]["callBack"] = (claim, settle, reject) => {
      this.starts += 1;
      const count = (outcome: StartOutcome): void => {
        this.answeredStarts += 1;
        settle(outcome);
      };
      start.callBack(claim, count, reject);
    };
    const into = <Result>(claim: Claim, read: Read<StartOutcome, Result>): Promise<Result> =>
      new Promise((resolve, reject) => callBack(claim, (outcome) => resolve(read(outcome)), reject));
    return Object.assign((claim: Claim) => into(claim, (outcome) => outcome), { into, callBack });
  }

  #openLane(): Redis {
    const lane = this.redis.openBlocking("lane", BLOCK_SECONDS);
    const blocks = spyOn(lane, "blpop");
    this.#listensTo.push(() => [blocks.mock.lastCall?.[0] ?? []].flat().map(String));
    return lane;
  }

  /** How many bells each lane listens to, as it blocked last. */
  laneSizes(): number[] {
    return this.#listensTo.map((bells) => bells().length);
  }

  /** Resolves once lanes listen for this order. */
  async listensFor(orderId: string): Promise<void> {
    const bell = this.redis.keys.bell(orderId);
    await until(() => this.#listensTo.some((bells) => bells().includes(bell)), `a lane listens for ${orderId}`);
  }

  /** How often a script was run so far. */
  calls(script: string): number {
    return this.#calls.get(script) ?? 0;
  }

  /** Seats a customer, who has come back for their order unless it `isNew`. */
  visit(orderId: string, seconds?: number, isNew = false): Visit {
    const { signal, hangUp } = phone();
    const outcome = this.room.wait({ id: orderId, signal, seconds, ...(isNew ? { isNew } : undefined) });
    return { orderId, outcome: outcome.then(parsedEnd), hangUp };
  }

  /** Seats a customer whose order is placed just now, with this replica as its holder. */
  visitNew(orderId: string): Visit {
    return this.visit(orderId, undefined, true);
  }

  /** Seats so many customers in a lane. */
  async fillLane(count = ROOMY): Promise<Visit[]> {
    return (await this.brew(count)).map((orderId) => this.visit(orderId));
  }

  /** Places orders in one tick, each with a customer who is held here; resolves to their ids. */
  async place(count: number, queue = DEFAULT_QUEUE): Promise<string[]> {
    const orderIds = Array.from({ length: count }, () => Bun.randomUUIDv7());
    await Promise.all(
      orderIds.map((orderId) => this.orders.place({ orderId, queue, draft: {}, holder: this.verbs.replica })),
    );
    return orderIds;
  }

  /** Places and starts orders: any of them may be finished next. */
  async brew(count: number): Promise<string[]> {
    const orderIds = await this.place(count);
    await Promise.all(orderIds.map(() => this.orders.start({ barista: "Grace", queue: DEFAULT_QUEUE })));
    return orderIds;
  }

  async brewOne(): Promise<string> {
    const [orderId = ""] = await this.brew(1);
    return orderId;
  }

  async finish(orderId: string): Promise<void> {
    const outcome = await this.orders.finish({ orderId });
    if (outcome.kind !== "changed") throw new Error(`order ${orderId} was not finished: ${outcome.kind}`);
  }

  close(): void {
    this.room.close();
    this.baristas.close();
    this.verbs.close();
    this.redis.close();
  }
}

export interface Visit {
  readonly orderId: string;
  readonly outcome: Promise<VisitEnd>;
  readonly hangUp: () => void;
}

export type VisitEnd =
  | { readonly kind: "final"; readonly order: Order }
  | { readonly kind: Exclude<WaitOutcome<OrderJson>["kind"], "final"> };

/** Reads how a wait ended: JSON that is no order fails the test. */
export function parsedEnd(end: WaitOutcome<OrderJson>): VisitEnd {
  if (end.kind !== "final") return end;
  return { kind: "final", order: parsed({ order: end.value }).order };
}

/** What a request carries: a signal, and how to abort it. */
export function phone(): { signal: AbortSignal; hangUp: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, hangUp: () => controller.abort() };
}

/** Resolves to what became of a visit, in one word and the order's id. */
export async function endOf({ orderId, outcome }: Visit, ms?: number): Promise<string> {
  const end = await soon(outcome, `the customer of ${orderId} is answered`, ms);
  if (end.kind !== "final") return end.kind;
  return end.order.order_id === orderId ? end.order.status : `another's order: ${end.order.order_id}`;
}

/** Of many visits: how many ended in which way. */
export async function endsOf(visits: readonly Visit[], ms?: number): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  const settled = await Promise.allSettled(visits.map((visit) => endOf(visit, ms)));
  for (const end of settled) {
    const name = end.status === "fulfilled" ? end.value : "unanswered";
    ends[name] = (ends[name] ?? 0) + 1;
  }
  return ends;
}

/** The next turn of the event loop, after what was set to run in it before. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Random numbers that are the same in every run (mulberry32, Tommy Ettinger, public domain). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function shuffled<Item>(items: readonly Item[], random: (below: number) => number): Item[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(random(rest.length), 1));
}
