/**
 * Owns how the arguments of a createOrder become the draft of an order request.
 *
 * **Invariants**
 * - They are checked by the draft's own schema, and faults name the argument.
 */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Draft } from "../../orders/order.ts";
import { InvalidInputError, type FieldFault } from "../../problem.ts";
import { faultsOf } from "../../schema-faults.ts";

export interface DraftArguments {
  readonly item?: string | null | undefined;
  readonly modifiers?: readonly { readonly name: string; readonly option: string }[] | null | undefined;
  readonly note?: string | null | undefined;
  readonly customerId?: string | null | undefined;
  readonly customerName?: string | null | undefined;
  readonly code?: string | null | undefined;
  readonly notBefore?: string | null | undefined;
  readonly callbackUrl?: string | null | undefined;
}

const validator = TypeCompiler.Compile(Draft);

/** Throws an InvalidInputError. */
export function readDraft({ modifiers, ...others }: DraftArguments): Draft {
  const names = modifiers?.map(({ name }) => name) ?? [];
  if (new Set(names).size < names.length) {
    throw new InvalidInputError([{ field: "modifiers", detail: "must have different names" }]);
  }
  const options = modifiers && Object.fromEntries(modifiers.map(({ name, option }) => [name, option]));
  const named = { ...inSnakeCase(others), modifiers: options };
  const given = Object.entries(named).filter(([, value]) => value !== undefined && value !== null);
  const draft: unknown = Object.fromEntries(given);
  if (validator.Check(draft)) return draft;
  throw new InvalidInputError(faultsOf(validator.Errors(draft)).map(inCamelCase));
}

function inSnakeCase({ customerId, customerName, notBefore, callbackUrl, ...same }: Omit<DraftArguments, "modifiers">) {
  const others = { customer_id: customerId, customer_name: customerName, not_before: notBefore };
  return { ...same, ...others, callback_url: callbackUrl };
}

function inCamelCase({ field, detail }: FieldFault): FieldFault {
  return { field: field.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), detail };
}
