/**
 * Owns a staff page's way to the shop: its access, its calls, and one listener to events.
 *
 * **Invariants**
 * - One listener a page, which goes on after the last event that was received.
 * - What the events build on is loaded anew after each reconnection.
 */
import { createShopClock } from "../clock.ts";
import { Live, type Connection } from "../live.ts";
import type { ShopEvent } from "../sse.ts";
import { Access, type DeviceStorage } from "./access.svelte.ts";
import { createStaffApi, type StaffApi, type StaffApiOptions } from "./api.ts";
import { COUNTER } from "./queue.ts";

export interface LinkOptions {
  readonly storage: DeviceStorage;
  readonly fetch?: StaffApiOptions["fetch"];
  /** The queue whose events are wanted, as a connection is opened; the counter's by default. */
  readonly queue?: () => string;
  /** Loads what the events build on. False: it can't be had now. */
  readonly load: () => Promise<boolean>;
  readonly onEvent: (event: ShopEvent) => void;
}

export class Link {
  readonly clock = createShopClock();
  readonly access: Access;
  readonly api: StaffApi;
  readonly #live: Live;
  #connection = $state<Connection>("connecting");

  constructor({ storage, fetch, queue = () => COUNTER, load, onEvent }: LinkOptions) {
    const access = new Access(storage);
    const api = createStaffApi({
      readToken: () => access.token,
      onLocked: (given, problem) => access.refuse(given, problem?.detail),
      clock: this.clock,
      fetch,
    });
    this.access = access;
    this.api = api;
    this.#live = new Live({
      open: (lastEventId, signal) => api.listen(queue(), lastEventId, signal),
      load,
      onEvent,
      onConnection: (connection) => {
        if (connection === "live") access.accept();
        this.#connection = connection;
      },
    });
  }

  get connection(): Connection {
    return this.#connection;
  }

  open(): void {
    this.#live.start();
  }

  close(): void {
    this.#live.stop();
  }

  /** The device came back, or its user pressed "try again". */
  hurry(): void {
    this.#live.hurry();
  }

  /** The device lost its connection. */
  drop(): void {
    this.#live.drop();
  }

  /** Tries a token; the lock says what became of it. */
  async unlock(token: string): Promise<void> {
    this.access.offer(token);
    const answer = await this.api.queue();
    if (answer.kind === "locked" || answer.kind === "unreachable") return;
    this.access.accept();
    this.#live.start();
  }

  /** Leaves nothing of the token on this device, and hears nothing more. */
  forget(): void {
    this.#live.stop();
    this.access.forget();
  }
}
