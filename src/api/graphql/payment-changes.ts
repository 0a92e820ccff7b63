/**
 * Owns what staff change of payments. Only the baristas' port has it.
 *
 * **Invariants**
 * - A payment is changed as over HTTP, by the same operations.
 */
import { Type } from "@sinclair/typebox";
import type { Payment, PaymentOutcome } from "../../orders/payment.ts";
import type { Payments } from "../../orders/payments.ts";
import { answerPaymentChange, RefundReason } from "../payments.ts";
import { Barista, createArgumentReader, readId } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import { RefusedError, type Guard } from "./errors.ts";
import { parsePayment } from "./outcomes.ts";
import type { PaymentTypes } from "./payment-type.ts";

const readTake = createArgumentReader(Type.Object({ barista: Type.Optional(Barista) }));
const readRefund = createArgumentReader(Type.Object({ reason: RefundReason, barista: Type.Optional(Barista) }));

export function definePaymentChanges(
  builder: Builder,
  { PaymentObject }: PaymentTypes,
  payments: Pick<Payments, "take" | "refund">,
  guard: Guard,
): void {
  builder.mutationFields((t) => {
    const args = {
      id: t.arg.id({ required: true, description: "The id of its order." }),
      barista: t.arg.string({ description: "Who takes the money, or gives it back." }),
    };
    return {
      takePayment: t.field({
        type: PaymentObject,
        nullable: true,
        description: "Says that the money of an order was taken at the counter: the order is queued.",
        args,
        resolve: (_root, { id, barista }, context) =>
          guard(context, async () =>
            changedPaymentOf(await payments.take({ orderId: readId(id), ...readTake({ barista }) })),
          ),
      }),
      refundPayment: t.field({
        type: PaymentObject,
        nullable: true,
        description:
          "Gives back the money of an order that is over: at the counter at once, by card once the provider has done so.",
        args: { ...args, reason: t.arg.string({ required: true, description: "1 to 200 characters." }) },
        resolve: (_root, { id, reason, barista }, context) =>
          guard(context, async () =>
            changedPaymentOf(await payments.refund({ orderId: readId(id), ...readRefund({ reason, barista }) })),
          ),
      }),
    };
  });
}

function changedPaymentOf(outcome: PaymentOutcome): Payment {
  if (outcome.kind === "changed") return parsePayment(outcome.payment);
  throw new RefusedError(answerPaymentChange(outcome));
}
