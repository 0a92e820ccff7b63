/**
 * Owns the operations on an order that both ports have: look, place, cancel.
 *
 * **Invariants**
 * - An order is placed as over HTTP: by the same service, and each takes a token of its address's limit.
 */
import { checkIdempotencyKey } from "../../http/idempotency.ts";
import type { Limiter } from "../../limits/limiter.ts";
import type { Order } from "../../orders/order.ts";
import type { Orders } from "../../orders/orders.ts";
import type { Ordering, OrderRequest } from "../../service/ordering.ts";
import type { CheckCallback } from "../callbacks.ts";
import { answerRefusal } from "../refusals.ts";
import { readId } from "./arguments.ts";
import type { Builder, Context } from "./builder.ts";
import { readDraft } from "./draft.ts";
import { RefusedError, type Guard } from "./errors.ts";
import type { OrderType } from "./order-type.ts";
import { changedOrderOf, orderOf, parseOrder } from "./outcomes.ts";
import { WaitingOperation } from "./waiting-operation.ts";

export interface OrderFieldDependencies {
  readonly checkCallback: CheckCallback;
  readonly orders: Pick<Orders, "find">;
  readonly ordering: Pick<Ordering, "refuseEarly" | "orderAndWait" | "orderAndAccept" | "cancel" | "lookLast">;
  readonly limiter: Pick<Limiter, "headers">;
}

interface Placing {
  readonly wait: boolean;
  readonly request: OrderRequest;
}

export function defineOrderFields(
  builder: Builder,
  OrderObject: OrderType,
  dependencies: OrderFieldDependencies,
  guard: Guard,
): void {
  const { orders, ordering } = dependencies;
  builder.queryField("getOrder", (t) =>
    t.field({
      type: OrderObject,
      nullable: true,
      description: "The order as it is now.",
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, { id }, context) => guard(context, async () => orderOf(await orders.find(readId(id)))),
    }),
  );
  defineCreateOrder(builder, OrderObject, dependencies, guard);
  builder.mutationField("cancelOrder", (t) =>
    t.field({
      type: OrderObject,
      nullable: true,
      description: "Cancels an order for its customer, while it is not brewing.",
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, { id }, context) =>
        guard(context, async () => {
          const outcome = await ordering.cancel(readId(id), context.traceparent);
          return changedOrderOf(outcome, "cancelled by its customer");
        }),
    }),
  );
}

function defineCreateOrder(
  builder: Builder,
  OrderObject: OrderType,
  dependencies: OrderFieldDependencies,
  guard: Guard,
): void {
  const { ordering, limiter, checkCallback } = dependencies;
  const create = async ({ wait, request }: Placing, { request: { signal } }: Context): Promise<Order> => {
    const refusal = await ordering.refuseEarly(request.address, request.key !== undefined);
    if (refusal) throw new RefusedError(answerRefusal(refusal, limiter));
    if (wait) {
      const caller = new WaitingOperation({ ordering, limiter, signal });
      ordering.orderAndWait(request, caller);
      return parseOrder(await caller.order);
    }
    const outcome = await ordering.orderAndAccept(request);
    if (outcome.kind === "accepted") return orderOf(outcome.found);
    throw new RefusedError(answerRefusal(outcome, limiter));
  };
  const ModifierInput = builder.inputType("ModifierInput", {
    fields: (t) => ({ name: t.string({ required: true }), option: t.string({ required: true }) }),
  });
  builder.mutationField("createOrder", (t) =>
    t.field({
      type: OrderObject,
      nullable: true,
      description:
        "Places an order. With wait it is answered once the order is final, however long that takes. " +
        "The same idempotencyKey with the same arguments is the same order.",
      args: {
        item: t.arg.string({ description: "The id of a coffee on the menu; an americano without it." }),
        modifiers: t.arg({ type: [ModifierInput] }),
        note: t.arg.string(),
        customerId: t.arg.string(),
        customerName: t.arg.string(),
        code: t.arg.string({ description: "The code from the board." }),
        notBefore: t.arg({ type: "DateTime", description: "When it is to be queued." }),
        callbackUrl: t.arg.string({ description: "Where the final order is posted too, where the server allows it." }),
        wait: t.arg.boolean({ defaultValue: false }),
        idempotencyKey: t.arg.string({ description: "Best a UUID." }),
      },
      resolve: (_root, { wait, idempotencyKey, ...wanted }, context) =>
        guard(context, () => {
          const key = checkIdempotencyKey(idempotencyKey ?? undefined, "idempotencyKey");
          const { address, traceparent } = context;
          const draft = readDraft(wanted);
          checkCallback(draft.callback_url, "callbackUrl");
          const request = { address, key, draft, traceparent };
          return create({ wait: wait === true, request }, context);
        }),
    }),
  );
}
