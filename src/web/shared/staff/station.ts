/**
 * Owns what a staff page knows of the shop, and what it can do there: one connection, one floor, one way to each verb.
 *
 * **Invariants**
 * - State is a snapshot and the events since.
 * - After every reconnection, and once a minute, a new snapshot mends whatever was missed.
 */
import { writable, type Readable } from "svelte/store";
import type { Order, Status } from "../../../orders/order.ts";
import type { Coffee } from "../../../shop/menu.ts";
import { createShopClock, secondsSince } from "../clock.ts";
import { Live, type Connection } from "../live.ts";
import type { ShopEvent } from "../sse.ts";
import { Access, type Keeper } from "./access.ts";
import { createStaffApi, type Answer, type Failure, type Handover, type StaffApiOptions } from "./api.ts";
import { Floor, READY_SHOWN_SECONDS } from "./floor.ts";

const RESYNC_MS = 60_000;
const HOUR_MS = 3_600_000;
/**
 * Orders that are open longer before the oldest queued one are found by the first snapshot and by events, not by later
 * ones.
 */
const FIRST_LOOK_BACK_MS = 24 * HOUR_MS;
const LOOK_BACK_MS = 2 * HOUR_MS;
/** Of ready ones there may be any number; 200 a page. */
const MOST_READY_PAGES = 10;

export interface StationOptions {
  /** The states in which this page shows orders. */
  readonly states: readonly Status[];
  readonly keeper: Keeper;
  /** Called with each event, once the floor has it. */
  readonly onEvent?: (event: ShopEvent) => void;
  readonly fetch?: StaffApiOptions["fetch"];
}

export type Station = ReturnType<typeof createStation>;

export function createStation({ states, keeper, onEvent, fetch }: StationOptions) {
  const clock = createShopClock();
  const access = new Access(keeper);
  const floor = new Floor(states);
  const connection = writable<Connection>("connecting");
  const api = createStaffApi({
    readToken: () => access.token,
    onLocked: (given, problem) => access.refuse(given, problem?.detail),
    clock,
    ...(fetch ? { fetch } : undefined),
  });
  const settings = kept(api.settings);
  const coffees = kept(api.coffees);
  const counts = kept(api.queue);
  let resync: ReturnType<typeof setInterval> | undefined;

  const live = new Live({
    open: api.listen,
    load: () => load(states, FIRST_LOOK_BACK_MS),
    onEvent: hear,
    onConnection: (now) => {
      if (now === "live") access.accept();
      connection.set(now);
    },
  });

  function hear(event: ShopEvent): void {
    if (event.type.startsWith("order.") && event.subject !== undefined) {
      const isLease = event.type === "order.started" || event.type === "order.extended";
      const order = { ...event.data, order_id: event.subject } as Order;
      floor.put(order, isLease ? Date.parse(event.time) : undefined);
    }
    if (event.type === "shop.changed") void settings.refresh();
    if (event.type === "menu.changed") void coffees.refresh();
    // The server no longer had all that came since the last event.
    if (event.type === "events.missed") void load(states, FIRST_LOOK_BACK_MS);
    onEvent?.(event);
  }

  /**
   * Takes a snapshot of the orders in these states, and of the rest of the shop. False: there was no answer to one of
   * them.
   */
  async function load(wanted: readonly Status[], lookBackMs: number): Promise<boolean> {
    const sync = floor.beginSync();
    const [queue] = await Promise.all([counts.refresh(), settings.refresh(), coffees.refresh()]);
    if (queue.kind !== "done") {
      sync.abandon();
      return false;
    }
    const oldestMs = clock.now() - (queue.value.oldest_waiting_seconds ?? 0) * 1000;
    const fromMs = oldestMs - lookBackMs;
    const open = wanted.filter((status) => status !== "ready");
    const found = await Promise.all([
      ...open.map((status) => api.search(status, { fromMs })),
      ...(wanted.includes("ready") ? searchReady(oldestMs) : []),
    ]);
    const pages = found.flatMap((answer) => (answer.kind === "done" ? [answer.value] : []));
    if (pages.length < found.length) {
      sync.abandon();
      return false;
    }
    const isShown = ({ status, finished_at = "" }: Order): boolean =>
      status !== "ready" || secondsSince(finished_at, clock.now()) < READY_SHOWN_SECONDS;
    // A ready order stays ready: of those, none is missing.
    sync.end(pages.flat().filter(isShown), fromMs, open);
    return true;
  }

  /**
   * The server searches by when orders were placed, oldest first; those that count were finished a few minutes ago.
   * Most were placed about when the oldest queued one was; a few waited for long, so the hours before are looked
   * through as well.
   */
  function searchReady(oldestMs: number): Promise<Answer<readonly Order[]>>[] {
    const lateMs = oldestMs - LOOK_BACK_MS;
    const spans = [{ fromMs: oldestMs - FIRST_LOOK_BACK_MS, beforeMs: lateMs }, { fromMs: lateMs }];
    return spans.map((span) => api.search("ready", { ...span, mostPages: MOST_READY_PAGES }));
  }

  /** The result of a verb is on the floor before its event comes, if the answer is quicker. */
  async function act(asked: Promise<Answer<Order>>, isLease = false): Promise<Answer<Order>> {
    const sync = floor.beginSync();
    const answer = await asked;
    if (answer.kind === "done") sync.take(answer.value, isLease ? clock.now() : undefined);
    else sync.abandon();
    return answer;
  }

  return {
    clock,
    access,
    orders: floor.orders,
    connection: { subscribe: connection.subscribe } satisfies Readable<Connection>,
    settings,
    coffees,
    counts,
    code: api.code,

    open(): void {
      live.start();
      // Ready orders come by events; the others are mended.
      const open = states.filter((status) => status !== "ready");
      resync ??= setInterval(() => void load(open, LOOK_BACK_MS), RESYNC_MS);
    },
    close(): void {
      live.stop();
      clearInterval(resync);
      resync = undefined;
    },
    /** The device came back, or its user pressed "try again". */
    hurry: () => live.hurry(),
    /** The device lost its connection. */
    drop: () => live.drop(),

    /** Tries a token; the lock says what became of it. */
    async unlock(token: string): Promise<void> {
      access.offer(token);
      const answer = await api.queue();
      if (answer.kind === "locked" || answer.kind === "away") return;
      access.accept();
      live.start();
    },

    /** Leaves nothing of the token on this device, and hears nothing more. */
    forget(): void {
      live.stop();
      access.forget();
    },

    start: (barista: string, claim: string, orderId?: string) => act(api.start(barista, claim, orderId), true),
    finish: (barista: string, orderId: string) => act(api.finish(barista, orderId)),
    async finishAndStart(barista: string, claim: string, orderId: string): Promise<Answer<Handover>> {
      const [finish, start] = [floor.beginSync(), floor.beginSync()];
      const answer = await api.finishAndStart(barista, claim, orderId);
      const made = answer.kind === "done" ? answer.value : undefined;
      if (made) finish.take(made.finished);
      else finish.abandon();
      if (made?.started) start.take(made.started, clock.now());
      else start.abandon();
      return answer;
    },
    fail: (barista: string, orderId: string, failure: Failure) => act(api.fail(barista, orderId, failure)),
    release: (barista: string, orderId: string) => act(api.release(barista, orderId)),
    extend: (barista: string, orderId: string) => act(api.extend(barista, orderId), true),
    cancel: (barista: string, orderId: string, reason: string) => act(api.cancel(barista, orderId, reason)),
    /** Looks an order up: after a refusal, to see which barista has it. */
    look: (orderId: string) => act(api.find(orderId)),
    find: (orderId: string) => floor.find(orderId),

    changeSettings: (wish: Parameters<typeof api.changeSettings>[0]) => settings.take(api.changeSettings(wish)),
    async putCoffee(coffee: Coffee): Promise<Answer<Coffee>> {
      const answer = await api.putCoffee(coffee);
      await coffees.refresh();
      return answer;
    },
  };
}

/** The last answer to a question; the newest question's answer wins. */
interface Kept<Value> extends Readable<Value | undefined> {
  readonly refresh: () => Promise<Answer<Value>>;
  /** Takes the answer to another question that shows the same. */
  readonly take: (asked: Promise<Answer<Value>>) => Promise<Answer<Value>>;
}

function kept<Value>(ask: () => Promise<Answer<Value>>): Kept<Value> {
  const store = writable<Value | undefined>();
  let newest = 0;
  const take = async (asked: Promise<Answer<Value>>): Promise<Answer<Value>> => {
    newest += 1;
    const mine = newest;
    const answer = await asked;
    if (answer.kind === "done" && mine === newest) store.set(answer.value);
    return answer;
  };
  return { subscribe: store.subscribe, refresh: () => take(ask()), take };
}
