/** Owns what the client knows of a machine: its queue, and the types of what it takes and answers. */

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

export function queueName(queue: MachineType | string): string {
  return typeof queue === "string" ? queue : queue.queue;
}
