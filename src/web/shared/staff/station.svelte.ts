/**
 * Owns what a page at the counter knows of the shop: one floor, and the last answers to the rest.
 *
 * **Invariants**
 * - State is a snapshot and the events since.
 * - After every reconnection, and once a minute, a new snapshot mends whatever was missed.
 */
import { MAX_SCHEDULED_DAYS } from "../../../orders/status.ts";
import type { Order, Status } from "../../../orders/order.ts";
import type { SearchPage } from "../../../orders/views.ts";
import type { Coffee, CoffeeList } from "../../../shop/menu.ts";
import type { ShopPatch, StaffShopView } from "../../../shop/settings.ts";
import { secondsSince, type ShopClock } from "../clock.ts";
import type { Connection } from "../live.ts";
import type { ShopEvent } from "../sse.ts";
import type { Access, DeviceStorage } from "./access.svelte.ts";
import type { Answer, StaffApi, StaffApiOptions } from "./api.ts";
import { Floor, READY_SHOWN_SECONDS } from "./floor.svelte.ts";
import { Latest } from "./latest.svelte.ts";
import { Link } from "./link.svelte.ts";
import { createVerbs, type Verbs } from "./verbs.ts";

const RESYNC_MS = 60_000;
const HOUR_MS = 3_600_000;
/**
 * Orders that are open longer before the oldest queued one are found by the first snapshot and by events, not by later
 * ones.
 */
const FIRST_LOOK_BACK_MS = 24 * HOUR_MS;
const LOOK_BACK_MS = 2 * HOUR_MS;
/** When scheduled orders may have been placed. */
const SCHEDULED_LOOK_BACK_MS = (MAX_SCHEDULED_DAYS * 24 + 1) * HOUR_MS;
/** Of ready ones there may be any number; 200 a page. */
const MAX_READY_PAGES = 10;

export interface StationOptions {
  /** The states in which this page shows orders. */
  readonly states: readonly Status[];
  readonly storage: DeviceStorage;
  /** Called with each event, once the floor has it. */
  readonly onEvent?: (event: ShopEvent) => void;
  readonly fetch?: StaffApiOptions["fetch"];
}

export class Station {
  readonly #options: StationOptions;
  readonly #link: Link;
  readonly #api: StaffApi;
  readonly #floor: Floor;
  #resync: ReturnType<typeof setInterval> | undefined;
  readonly clock: ShopClock;
  readonly access: Access;
  readonly verbs: Verbs;
  readonly settings: Latest<StaffShopView>;
  /** Orders that could not be made, of all queues; nothing until it was asked for. */
  readonly dead: Latest<SearchPage>;
  readonly code: StaffApi["code"];
  readonly payments: Pick<StaffApi, "paymentsOf" | "ordersOf" | "find" | "giveBack">;
  readonly #coffees: Latest<CoffeeList>;

  constructor(options: StationOptions) {
    const { states, storage, fetch } = options;
    const link = new Link({
      storage,
      fetch,
      load: () => this.#load(states, FIRST_LOOK_BACK_MS),
      onEvent: (event) => this.#hear(event),
    });
    const { api, access, clock } = link;
    this.#options = options;
    this.#link = link;
    this.#api = api;
    this.#floor = new Floor(states);
    this.clock = clock;
    this.access = access;
    this.verbs = createVerbs(api, this.#floor, clock);
    this.settings = new Latest(api.settings);
    this.dead = new Latest(api.dead);
    this.#coffees = new Latest(api.coffees);
    this.code = api.code;
    this.payments = api;
  }

  get orders(): Floor["orders"] {
    return this.#floor.orders;
  }

  get connection(): Connection {
    return this.#link.connection;
  }

  /** The menu; undefined until it was first heard of. */
  get coffees(): readonly Coffee[] | undefined {
    return this.#coffees.value?.coffees;
  }

  open(): void {
    this.#link.open();
    // Ready orders come by events; the others are mended.
    const open = this.#options.states.filter((status) => status !== "ready");
    this.#resync ??= setInterval(() => {
      // A locked page asks for nothing: each wrong token counts.
      if (!this.access.lock) void this.#load(open, LOOK_BACK_MS);
    }, RESYNC_MS);
  }

  close(): void {
    this.#link.close();
    clearInterval(this.#resync);
    this.#resync = undefined;
  }

  /** The device came back, or its user pressed "try again". */
  hurry(): void {
    this.#link.hurry();
  }

  /** The device lost its connection. */
  drop(): void {
    this.#link.drop();
  }

  /** Tries a token; the lock says what became of it. */
  unlock(token: string): Promise<void> {
    return this.#link.unlock(token);
  }

  /** Leaves nothing of the token on this device, and hears nothing more. */
  forget(): void {
    this.#link.forget();
  }

  changeSettings(patch: ShopPatch): Promise<Answer<StaffShopView>> {
    return this.settings.take(this.#api.changeSettings(patch));
  }

  async putCoffee(coffee: Coffee): Promise<Answer<Coffee>> {
    const answer = await this.#api.putCoffee(coffee);
    await this.#coffees.refresh();
    return answer;
  }

  #hear(event: ShopEvent): void {
    if (event.type.startsWith("order.") && event.subject !== undefined) {
      const isLease = event.type === "order.started" || event.type === "order.extended";
      const order = { ...event.data, order_id: event.subject } as Order;
      this.#floor.put(order, isLease ? Date.parse(event.time) : undefined);
    }
    if (event.type === "shop.changed") void this.settings.refresh();
    if (event.type === "menu.changed") void this.#coffees.refresh();
    // The server no longer had all that came since the last event.
    if (event.type === "events.missed") void this.#load(this.#options.states, FIRST_LOOK_BACK_MS);
    this.#options.onEvent?.(event);
  }

  /**
   * Takes a snapshot of the orders in these states, and of the rest of the shop. False: there was no answer to one of
   * them.
   */
  async #load(wanted: readonly Status[], lookBackMs: number): Promise<boolean> {
    const sync = this.#floor.beginSync();
    const [queue] = await Promise.all([this.#api.queue(), this.settings.refresh(), this.#coffees.refresh()]);
    if (queue.kind !== "done") {
      sync.abandon();
      return false;
    }
    const oldestMs = this.clock.now() - (queue.value.oldest_waiting_seconds ?? 0) * 1000;
    const fromMs = oldestMs - lookBackMs;
    const scheduledMs = this.clock.now() - SCHEDULED_LOOK_BACK_MS;
    const open = wanted.filter((status) => status !== "ready");
    const found = await Promise.all([
      ...open.map((status) => this.#api.search(status, { fromMs: status === "scheduled" ? scheduledMs : fromMs })),
      ...(wanted.includes("ready") ? this.#searchReady(oldestMs) : []),
    ]);
    const pages = found.flatMap((answer) => (answer.kind === "done" ? [answer.value] : []));
    if (pages.length < found.length) {
      sync.abandon();
      return false;
    }
    const isShown = ({ status, finished_at = "" }: Order): boolean =>
      status !== "ready" || secondsSince(finished_at, this.clock.now()) < READY_SHOWN_SECONDS;
    // A ready order stays ready: of those, none is missing.
    sync.end(pages.flat().filter(isShown), fromMs, open);
    return true;
  }

  /**
   * The server searches by when orders were placed, oldest first; those that count were finished a few minutes ago.
   * Most were placed about when the oldest queued one was; a few waited for long, so the hours before are looked
   * through as well.
   */
  #searchReady(oldestMs: number): Promise<Answer<readonly Order[]>>[] {
    const lateMs = oldestMs - LOOK_BACK_MS;
    const spans = [{ fromMs: oldestMs - FIRST_LOOK_BACK_MS, beforeMs: lateMs }, { fromMs: lateMs }];
    return spans.map((span) => this.#api.search("ready", { ...span, maxPages: MAX_READY_PAGES }));
  }
}
