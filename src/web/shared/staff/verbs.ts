/**
 * Owns what staff do with orders.
 *
 * **Invariants**
 * - The result of a verb is on the floor before its event comes, if the answer is quicker.
 */
import type { CancelReason, Order } from "../../../orders/order.ts";
import type { Payment } from "../../../orders/payment.ts";
import type { FailureDraft, HandoverView } from "../../../orders/views.ts";
import type { ShopClock } from "../clock.ts";
import type { Answer, StaffApi } from "./api.ts";
import type { Floor } from "./floor.svelte.ts";

export type Verbs = ReturnType<typeof createVerbs>;

export function createVerbs(api: StaffApi, floor: Floor, clock: ShopClock) {
  async function act(asked: Promise<Answer<Order>>, isLease = false): Promise<Answer<Order>> {
    const sync = floor.beginSync();
    const answer = await asked;
    if (answer.kind === "done") sync.take(answer.value, isLease ? clock.now() : undefined);
    else sync.abandon();
    return answer;
  }

  return {
    start: (barista: string, claim: string, orderId?: string) => act(api.start(barista, claim, orderId), true),
    finish: (barista: string, orderId: string) => act(api.finish(barista, orderId)),
    finishAndStart: async (barista: string, claim: string, orderId: string): Promise<Answer<HandoverView>> => {
      const [finish, start] = [floor.beginSync(), floor.beginSync()];
      const answer = await api.finishAndStart(barista, claim, orderId);
      const made = answer.kind === "done" ? answer.value : undefined;
      if (made) finish.take(made.finished);
      else finish.abandon();
      if (made?.started) start.take(made.started, clock.now());
      else start.abandon();
      return answer;
    },
    fail: (barista: string, orderId: string, failure: FailureDraft) => act(api.fail(barista, orderId, failure)),
    release: (barista: string, orderId: string) => act(api.release(barista, orderId)),
    extend: (barista: string, orderId: string) => act(api.extend(barista, orderId), true),
    cancel: (barista: string, orderId: string, reason: CancelReason) => act(api.cancel(barista, orderId, reason)),
    /** The money is taken: the order comes into the line. */
    takeMoney: async (barista: string, orderId: string): Promise<Answer<Payment>> => {
      const answer = await api.takeMoney(barista, orderId);
      // Also after a refusal: it shows what became of the order.
      if (answer.kind === "done" || answer.kind === "refused") await act(api.find(orderId));
      return answer;
    },
    /** Moves nothing on the floor: the new order comes by its event, unless it is for machines. */
    retry: (barista: string, orderId: string) => api.retry(barista, orderId),
    /** Looks an order up: after a refusal, to see which barista has it. */
    look: (orderId: string) => act(api.find(orderId)),
  };
}
