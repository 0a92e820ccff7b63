/** Owns what the client reads of a machine's type: nothing of it is there when code runs. */

/** A schema as TypeBox types one: `static` is the type of its values. */
interface Schema {
  readonly static: unknown;
}

/** As much of a machine as types an input and a result. `typeof adder` is one. */
export interface MachineType {
  readonly queue: string;
  readonly input: Schema;
  readonly output: Schema;
}

/** What a call of the machine brings. */
export type InputOf<Machine extends MachineType> = (Machine["input"] & { readonly params: [] })["static"];

/** What the machine answers. */
export type OutputOf<Machine extends MachineType> = (Machine["output"] & { readonly params: [] })["static"];
