/**
 * Owns the operations on a payment that both ports have: look, and pay by card.
 *
 * **Invariants**
 * - An order is paid as over HTTP: by the same service, and no client says an amount.
 */
import { Type } from "@sinclair/typebox";
import type { Payment } from "../../orders/payment.ts";
import type { Payments } from "../../orders/payments.ts";
import type { Paying } from "../../payments/paying.ts";
import { answerPaid, answerPayment, createPay, PaymentMethod } from "../payments.ts";
import { createArgumentReader, readId } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import { RefusedError, type Guard } from "./errors.ts";
import { parsePayment } from "./outcomes.ts";
import type { PaymentTypes } from "./payment-type.ts";

export interface PaymentFieldDependencies {
  readonly payments: Pick<Payments, "find">;
  readonly paying: Pick<Paying, "pay">;
}

const readMethod = createArgumentReader(Type.Object({ method: Type.Optional(PaymentMethod) }));

export function definePaymentFields(
  builder: Builder,
  { PaymentObject }: PaymentTypes,
  { payments, paying }: PaymentFieldDependencies,
  guard: Guard,
): void {
  const pay = createPay(payments, paying);
  const find = async (id: string): Promise<Payment> => {
    const found = await payments.find(readId(id));
    if (found.kind === "found") return parsePayment(found.payment);
    throw new RefusedError(answerPayment(found));
  };
  const make = async (orderId: string, given: { readonly method?: string | null | undefined }): Promise<Payment> => {
    const { method } = readMethod(given);
    const outcome = await pay(readId(orderId, "orderId"), method);
    if (outcome.kind === "paid" || outcome.kind === "under_way") return parsePayment(outcome.payment);
    throw new RefusedError(answerPaid(outcome));
  };
  builder.queryField("getPayment", (t) =>
    t.field({
      type: PaymentObject,
      nullable: true,
      description: "The payment of an order, as it is now.",
      args: { id: t.arg.id({ required: true, description: "The id of its order." }) },
      resolve: (_root, { id }, context) => guard(context, () => find(id)),
    }),
  );
  builder.mutationField("makePayment", (t) =>
    t.field({
      type: PaymentObject,
      nullable: true,
      description:
        "Pays an order by card; the amount is its price. With isUnderWay the provider has not answered, and is asked on.",
      args: {
        orderId: t.arg.id({ required: true }),
        method: t.arg.string({ description: "The card as the provider names it, such as pm_card_visa." }),
      },
      resolve: (_root, { orderId, method }, context) => guard(context, () => make(orderId, { method })),
    }),
  );
}
