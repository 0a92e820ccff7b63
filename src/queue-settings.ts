/**
 * Owns the setting QUEUES: `thumbs capacity=100 lease_seconds=60, mail`.
 *
 * **Invariants**
 * - Every value is in range, and a queue is named once.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { QUEUE_NAME } from "./formats.ts";
import { readNumbers, wholeNumber } from "./numeric.ts";

/** Where customers' orders go, and where baristas look who name no queue: the counter's. */
export const DEFAULT_QUEUE = "default";

/** What may be said of a queue. The bounds are those of machines' own options too. */
export const QueueOptions = Type.Partial(
  Type.Object({
    capacity: wholeNumber(1, 1_000_000),
    lease_seconds: wholeNumber(1, 86_400),
    max_attempts: wholeNumber(1, 1000),
    retention_seconds: wholeNumber(1, 31_536_000),
    limit_capacity: wholeNumber(1, 1_000_000),
    limit_refill_per_second: Type.Number({
      minimum: 0.001,
      maximum: 1_000_000,
      description: "a number from 0.001 to 1000000",
    }),
  }),
);
type QueueOptions = Static<typeof QueueOptions>;

/** A queue as it was declared. */
export interface NamedQueue extends QueueOptions {
  readonly name: string;
}

type QueuesOutcome =
  | { readonly kind: "queues"; readonly declared: readonly NamedQueue[] }
  | { readonly kind: "faults"; readonly faults: readonly string[] };

export function readQueues(text: string): QueuesOutcome {
  const declared: NamedQueue[] = [];
  const faults: string[] = [];
  for (const part of text.split(",").flatMap((each) => each.trim() || [])) {
    const [name = "", ...options] = part.split(/\s+/);
    const fault = findNameFault(name, declared) ?? findOptionFault(name, options);
    if (fault === undefined) declared.push({ name, ...readOptions(options) });
    else faults.push(fault);
  }
  return faults.length > 0 ? { kind: "faults", faults } : { kind: "queues", declared };
}

/** The fault of a queue's name; undefined where there is none. */
export function findNameFault(name: string, others: readonly { readonly name: string }[] = []): string | undefined {
  if (!new RegExp(QUEUE_NAME).test(name)) return `${JSON.stringify(name)} must be 1 to 64 letters, digits, _ or -`;
  if (name === DEFAULT_QUEUE) return `${name} is the counter's queue: choose another name`;
  return others.some((other) => other.name === name) ? `${name} is named twice` : undefined;
}

function findOptionFault(name: string, options: readonly string[]): string | undefined {
  const values = readOptions(options);
  const unknown = Object.keys(values).find((option) => !Object.hasOwn(QueueOptions.properties, option));
  if (Object.keys(values).length < options.length) return `${name}: an option is given twice`;
  if (unknown !== undefined) {
    return `${name}: there is no option ${unknown}: there are ${Object.keys(QueueOptions.properties).join(", ")}`;
  }
  const [error] = [...Value.Errors(QueueOptions, values)];
  return error && `${name}: ${error.path.slice(1)} must be ${error.schema.description}`;
}

function readOptions(options: readonly string[]): QueueOptions {
  const given = options.map((option): [string, string] => {
    const at = option.indexOf("=");
    return at < 0 ? [option, ""] : [option.slice(0, at), option.slice(at + 1)];
  });
  return readNumbers(QueueOptions, Object.fromEntries(given));
}
