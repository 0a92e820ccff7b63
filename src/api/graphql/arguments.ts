/**
 * Owns how the arguments of an operation are checked that GraphQL's own types say too little of.
 *
 * **Invariants**
 * - Faults name the argument, and one that is null is as one that is not given.
 */
import { Type, type Static, type TObject } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { InvalidInputError } from "../../problem.ts";
import { faultsOf } from "../../schema-faults.ts";
import { OrderId } from "../parameters.ts";

type Given = Readonly<Record<string, unknown>>;

/** Who of the staff changes something. */
export const Barista = Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" });

const idValidator = TypeCompiler.Compile(OrderId);

/** The order of an argument, as orders are named. Throws an InvalidInputError. */
export function readId(id: string, argument = "id"): string {
  if (idValidator.Check(id)) return id.toLowerCase();
  throw new InvalidInputError(faultsOf(idValidator.Errors(id), argument));
}

/** Makes what takes arguments, and throws an InvalidInputError. */
export function createArgumentReader<Schema extends TObject>(schema: Schema): (given: Given) => Static<Schema> {
  const validator = TypeCompiler.Compile(schema);
  return (given) => {
    const named: unknown = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
    );
    if (validator.Check(named)) return named;
    throw new InvalidInputError(faultsOf(validator.Errors(named)));
  };
}
