/**
 * Owns the list of a day's payments, which only the baristas' port has.
 *
 * **Invariants**
 * - A list changes nothing.
 */
import { Type } from "@sinclair/typebox";
import { PaymentStatus, type Payment } from "../../orders/payment.ts";
import type { Payments } from "../../orders/payments.ts";
import { readRange } from "../day.ts";
import { PAGE_LIMIT } from "../parameters.ts";
import { createArgumentReader } from "./arguments.ts";
import type { Builder } from "./builder.ts";
import type { Guard } from "./errors.ts";
import { parsePayment } from "./outcomes.ts";
import { CURSOR_FIELD, cursorGone, PAGE_ARGUMENTS, pageArgumentsOf } from "./page-arguments.ts";
import type { PaymentTypes } from "./payment-type.ts";

const readArguments = createArgumentReader(Type.Object({ ...PAGE_ARGUMENTS, status: Type.Optional(PaymentStatus) }));

interface Page {
  readonly payments: readonly Payment[];
  readonly cursor: string | undefined;
}

export function definePaymentList(
  builder: Builder,
  { PaymentObject, PaymentStatus: Status }: PaymentTypes,
  payments: Pick<Payments, "search">,
  guard: Guard,
): void {
  const find = async (given: Readonly<Record<string, unknown>>): Promise<Page> => {
    const { date, status, first = PAGE_LIMIT, after } = readArguments(given);
    const outcome = await payments.search({ status, ...readRange({ date }), cursor: after, limit: first });
    if (outcome.kind === "cursor_gone") throw cursorGone();
    return { payments: outcome.payments.map(parsePayment), cursor: outcome.cursor };
  };
  const PaymentList = builder.objectRef<Page>("PaymentList").implement({
    fields: (t) => ({
      payments: t.field({ type: [PaymentObject], resolve: (page) => page.payments }),
      cursor: t.exposeID("cursor", CURSOR_FIELD),
    }),
  });
  builder.queryField("getPaymentList", (t) =>
    t.field({
      type: PaymentList,
      nullable: true,
      description: "The payments of a day, by the time they were created, oldest first.",
      args: { ...pageArgumentsOf(t), status: t.arg({ type: Status, description: "Only those; all without it." }) },
      resolve: (_root, given, context) => guard(context, () => find(given)),
    }),
  );
}
