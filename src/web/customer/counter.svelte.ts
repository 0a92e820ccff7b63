/**
 * Owns what the customer page is made of, and how its parts react to one another and to the device.
 *
 * **Invariants**
 * - While the page is hidden, it asks for the open orders only.
 */
import { untrack } from "svelte";
import { Announcer } from "./announcer.svelte.ts";
import { Cancelling } from "./cancelling.ts";
import { Device } from "./device.svelte.ts";
import { Following } from "./following.ts";
import { Paying } from "./paying.svelte.ts";
import { PaymentWatch } from "./payment-watch.svelte.ts";
import { Redeeming } from "./redeeming.ts";
import { Sending } from "./sending.svelte.ts";
import { ShopWatch } from "./shop-watch.svelte.ts";
import { Tickets } from "./tickets.svelte.ts";

export class Counter {
  readonly device = new Device();
  readonly announcer = new Announcer();
  readonly tickets = new Tickets(this.device, this.announcer);
  readonly shop = new ShopWatch(this.tickets, this.announcer);
  readonly sending = new Sending(this);
  readonly redeeming: Redeeming;
  readonly payments = new PaymentWatch();
  readonly following = new Following({
    hear: (order) => this.tickets.hear(order),
    lose: (orderId) => this.tickets.lose(orderId),
    hearPayment: (payment) => this.payments.hear(payment),
  });
  readonly cancelling = new Cancelling(this);
  readonly paying = new Paying(this);

  /** To be made with the page's component. `code`: from the board, in the page's address. */
  constructor(code: string | undefined) {
    this.redeeming = new Redeeming(this, code);
    $effect(() => {
      const { waiting } = this.tickets;
      untrack(() => this.following.follow(waiting));
    });
    $effect(() => {
      const { withMoney } = this.tickets;
      untrack(() => this.payments.watch(withMoney));
    });
    $effect(() => {
      const { view } = this.shop;
      if (view) untrack(() => void this.redeeming.redeemScanned(view));
    });
  }

  /** Begins; returns how to end. */
  start(): () => void {
    this.tickets.tidy();
    const stopListening = this.device.listen();
    this.sending.resume();
    void this.shop.look();

    const wake = (): void => {
      if (document.hidden) return;
      this.following.hurry();
      this.sending.hurry();
      this.paying.hurry();
      this.payments.hurry();
      void this.shop.look();
    };
    const drop = (): void => {
      this.following.drop();
      void this.shop.look();
    };
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    addEventListener("offline", drop);
    return () => {
      document.removeEventListener("visibilitychange", wake);
      removeEventListener("online", wake);
      removeEventListener("offline", drop);
      this.shop.stop();
      stopListening();
      this.following.follow([]);
      this.payments.watch([]);
    };
  }
}
