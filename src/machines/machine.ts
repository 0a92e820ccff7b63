/**
 * Owns what a machine is: a barista that is code inside the server, with a queue of its own.
 *
 * **Invariants**
 * - A machine that is defined can run: every fault of its definition throws there, in one sentence that names it.
 * - It is known by a mark: a package may be there twice, and each copy marks alike.
 */
import { Type, type Static, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Log } from "../log.ts";
import type { Order } from "../orders/order.ts";
import type { QueueRules } from "../orders/queues.ts";
import { wholeNumber } from "../numeric.ts";
import { findNameFault, QueueOptions as InSetting } from "../queue-settings.ts";
import type { Progress } from "./progress.ts";
import { compileCheck, type SchemaCheck } from "./schema-check.ts";

const MARK = Symbol.for("longpour.machine");
const DEFAULT_TIMEOUT_SECONDS = 300;

/** What a machine gets beside the input. */
export interface MakeContext {
  /** Aborted when its time is over, its lease is lost, or the server ends: what it answers then is dropped. */
  readonly signal: AbortSignal;
  /** The order as it was started. */
  readonly order: Order;
  /** Shows how far it is: an event, and in the order while it is made. The latest counts, a few times a second. */
  readonly progress: (progress: Progress) => void;
  /**
   * Adds an event of its own to those of the order: its type is two words with a slash between, such as
   * `compute/start`, and `data` may have 1,000 characters as JSON. At most 100 an order. To be awaited: it resolves
   * once it is stored, or can't be, as its order is lost or Redis unavailable.
   */
  readonly note: (event: string, data: Readonly<Record<string, unknown>>) => Promise<void>;
  /**
   * What the machine's own requests may send as `traceparent`, where the order is traced: the span of this making (W3C
   * Trace Context).
   */
  readonly traceparent?: string | undefined;
  /** The server's log. What is written to it stands there: no words of customers. */
  readonly log: Log;
}

/** How a machine is defined. What is left out of the queue's options is as the server's settings say. */
export interface MachineOptions<Input extends TSchema, Output extends TSchema> extends QueueOptions {
  /** The queue that it makes: 1 to 64 letters, digits, `_` or `-`. */
  readonly queue: string;
  /** What its calls bring. A call that brings anything else is refused with 422 before it is queued. */
  readonly input: Input;
  /** What it answers. An order with any other answer fails. */
  readonly output: Output;
  /** How many orders it makes at once on one server: 1 to 1,000; without it 1. */
  readonly concurrency?: number | undefined;
  /** How long it may take for one order, before that fails: up to a day; without it 300. */
  readonly timeoutSeconds?: number | undefined;
  /** Makes one order. What it throws fails the order; a RetryLater puts it back. */
  readonly make: (input: Static<Input>, context: MakeContext) => Static<Output> | Promise<Static<Output>>;
}

/** A queue's rules, as far as they are given. */
type QueueOptions = { readonly [Name in Exclude<keyof QueueRules, "name">]?: QueueRules[Name] | undefined };

export interface Machine<Input extends TSchema = TSchema, Output extends TSchema = TSchema> {
  readonly [MARK]: true;
  readonly queue: string;
  readonly input: Input;
  readonly output: Output;
  readonly concurrency: number;
  readonly timeoutSeconds: number;
  /** The queue's own options, those that were given. */
  readonly rules: Partial<Omit<QueueRules, "name">>;
  readonly checkInput: SchemaCheck;
  readonly checkOutput: SchemaCheck;
  /** Makes one order of input that was checked. It never throws: it rejects. */
  readonly make: (input: unknown, context: MakeContext) => Promise<unknown>;
}

/** The options that are numbers; those of the queue are bounded as in the setting QUEUES. */
const Numbers = Type.Partial(
  Type.Object({
    concurrency: wholeNumber(1, 1000),
    timeoutSeconds: Type.Number({ minimum: 0.01, maximum: 86_400, description: "a number from 0.01 to 86400" }),
    capacity: InSetting.properties.capacity,
    leaseSeconds: InSetting.properties.lease_seconds,
    maxAttempts: InSetting.properties.max_attempts,
    retentionSeconds: InSetting.properties.retention_seconds,
    limitCapacity: InSetting.properties.limit_capacity,
    limitRefillPerSecond: InSetting.properties.limit_refill_per_second,
  }),
);
const KNOWN = new Set(["queue", "input", "output", "make", ...Object.keys(Numbers.properties)]);

/** Defines a machine. Throws a TypeError that says what is wrong with it. */
export function defineMachine<Input extends TSchema, Output extends TSchema>(
  options: MachineOptions<Input, Output>,
): Machine<Input, Output> {
  const { queue, input, output, concurrency = 1, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, make, ...rules } = options;
  const name = checkQueue(queue);
  const fault = findFault(options);
  if (fault !== undefined) throw new TypeError(`${name}: ${fault}`);
  const [checkInput, checkOutput] = [readSchema(name, "input", input), readSchema(name, "output", output)];
  return Object.freeze({
    [MARK]: true as const,
    queue,
    input,
    output,
    concurrency,
    timeoutSeconds,
    rules: Object.freeze(withoutUndefined(rules)),
    checkInput,
    checkOutput,
    make: async (checked: unknown, context: MakeContext) => await make(checked as Static<Input>, context),
  });
}

export function isMachine(value: unknown): value is Machine {
  return typeof value === "object" && value !== null && MARK in value;
}

/** How the machine is called in messages. */
function checkQueue(queue: unknown): string {
  const fault = typeof queue === "string" ? findNameFault(queue) : "must be 1 to 64 letters, digits, _ or -";
  if (fault !== undefined) throw new TypeError(`machine: queue ${fault}`);
  return `machine ${String(queue)}`;
}

function findFault(options: { readonly make: unknown }): string | undefined {
  for (const name of Object.keys(options)) if (!KNOWN.has(name)) return `${name} is no option of a machine`;
  if (typeof options.make !== "function") return "make must be a function";
  const [first] = Value.Errors(Numbers, options);
  if (!first) return undefined;
  return `${first.path.slice(1)} must be ${first.schema.description}, not ${String(first.value)}`;
}

function withoutUndefined(rules: QueueOptions): Machine["rules"] {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

function readSchema(name: string, which: "input" | "output", schema: TSchema): SchemaCheck {
  try {
    // What a call brings is a body.
    return compileCheck(schema, which === "input" ? "body" : "result");
  } catch (error) {
    throw new TypeError(`${name}: ${which} ${error instanceof Error ? error.message : "is no schema"}`, {
      cause: error,
    });
  }
}
