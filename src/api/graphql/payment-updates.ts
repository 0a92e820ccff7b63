/**
 * Owns the subscriptions to payments: customers' to that of an order, staff's to all.
 *
 * **Invariants**
 * - Who listens to one payment gets its last event, also after its order's; then the stream is complete.
 * - Their stream is bounded: one that has lasted LONGEST_MS is cut, and a client that comes back goes on.
 */
import { PAYMENT_TYPES } from "../../events/event.ts";
import type { EventFeed } from "../../events/feed.ts";
import type { Payment } from "../../orders/payment.ts";
import type { Listening } from "../../service/listening.ts";
import { answerPaymentRefusal } from "../payments.ts";
import { readId } from "./arguments.ts";
import type { Builder, Context } from "./builder.ts";
import type { Guard } from "./errors.ts";
import { FeedSource } from "./feed-source.ts";
import { listenToAll, sourceOf } from "./listening-source.ts";
import { parsePayment } from "./outcomes.ts";
import type { PaymentTypes } from "./payment-type.ts";

/** Where a provider is away, or an event was lost, the last event may not come for long. */
const LONGEST_MS = 3_600_000;

/** What an event of a payment shows. */
interface PaymentEvent {
  readonly payment: Payment;
}

interface OneDependencies {
  readonly listening: Pick<Listening, "listenToPayment">;
}

const DESCRIPTION =
  "The payment of an order at each of its events, up to that which says that it is taken, failed or refunded.";

async function listenToOne(
  { listening }: OneDependencies,
  given: string,
  { address, after }: Context,
): Promise<FeedSource<PaymentEvent>> {
  const orderId = readId(given, "orderId");
  const outcome = await listening.listenToPayment({ orderId, address, after });
  if (outcome.kind === "settled") {
    return new FeedSource({ kind: "settled", data: { payment: parsePayment(outcome.payment) } });
  }
  return sourceOf<PaymentEvent>(outcome, { answerMissing: answerPaymentRefusal, longestMs: LONGEST_MS });
}

/** Of one order: knowing its id is the right. */
export function definePaymentUpdates(
  builder: Builder,
  { PaymentObject }: PaymentTypes,
  dependencies: OneDependencies,
  guard: Guard,
): void {
  builder.subscriptionField("paymentUpdated", (t) =>
    t.field({
      type: PaymentObject,
      nullable: true,
      description: DESCRIPTION,
      args: { orderId: t.arg.id({ required: true }) },
      subscribe: (_root, { orderId }, context) => guard(context, () => listenToOne(dependencies, orderId, context)),
      resolve: ({ payment }) => payment,
    }),
  );
}

/** Of one order, or of all. */
export function defineAllPaymentUpdates(
  builder: Builder,
  { PaymentObject }: PaymentTypes,
  dependencies: OneDependencies & { readonly feed: EventFeed },
  guard: Guard,
): void {
  builder.subscriptionField("paymentUpdated", (t) =>
    t.field({
      type: PaymentObject,
      nullable: true,
      description: `Each payment at each of its events. With orderId: ${DESCRIPTION}`,
      args: { orderId: t.arg.id() },
      subscribe: (_root, { orderId }, context) =>
        guard(context, () =>
          orderId === null || orderId === undefined
            ? listenToAll<PaymentEvent>(dependencies.feed, { types: PAYMENT_TYPES })
            : listenToOne(dependencies, orderId, context),
        ),
      resolve: ({ payment }) => payment,
    }),
  );
}
