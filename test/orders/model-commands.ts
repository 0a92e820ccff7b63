/**
 * Owns the commands that random histories are made of: those of orders, those of payments, and what time does.
 *
 * **Invariants**
 * - Commands of one tick travel in one run, which does them in the order of the operations.
 */
import fc from "fast-check";

/** The last one is of machines: small, so that it is full at times. */
export const QUEUES = ["default", "patio", "thumbs"] as const;
/** What each order costs. */
export const PRICE = 300;
export const MACHINES = { name: QUEUES[2], capacity: 4 };

const barista = fc.constantFrom("Grace", "Linus", "Ada");
const whose = fc.option(barista, { nil: undefined });
const queue = fc.constantFrom(QUEUES[0], QUEUES[0], QUEUES[1], QUEUES[2], QUEUES[2]);
/** Which of the orders so far, counted round; -1 is one that never was. */
const pick = fc.integer({ min: -1, max: 5 });

type Model<Fields> = { readonly [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> };

function command<Verb extends string, Fields extends object>(
  verb: Verb,
  fields: Model<Fields>,
): fc.Arbitrary<{ readonly verb: Verb } & Fields> {
  const model = { verb: fc.constant(verb), ...fields } as Model<{ readonly verb: Verb } & Fields>;
  return fc.record(model) as fc.Arbitrary<{ readonly verb: Verb } & Fields>;
}

const change = { pick, barista: whose };
const start = command("start", {
  queue,
  barista,
  claim: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
  chosen: fc.option(pick, { nil: undefined, freq: 2 }),
});
const changes = fc.oneof(
  { weight: 4, arbitrary: command("place", { queue, isScheduled: fc.nat(3).map((one) => one === 0) }) },
  { weight: 5, arbitrary: start },
  { weight: 3, arbitrary: command("finish", change) },
  {
    weight: 2,
    arbitrary: command("fail", { pick, barista: whose, retry: fc.boolean(), isDelayed: fc.boolean() }),
  },
  { weight: 2, arbitrary: command("release", { ...change, isUncounted: fc.boolean() }) },
  { weight: 1, arbitrary: command("progress", { ...change, percent: fc.nat(100) }) },
  { weight: 2, arbitrary: command("retry", { pick }) },
  { weight: 1, arbitrary: command("extend", change) },
  {
    weight: 2,
    arbitrary: command("cancel", { ...change, canceller: fc.constantFrom("customer" as const, "barista" as const) }),
  },
);
/** `isOwn`: the intent that the order has. */
const authorise = command("authorise", {
  pick,
  isOwn: fc.nat(5).map((one) => one > 0),
  amount: fc.constantFrom(PRICE, PRICE, PRICE, PRICE - 1),
});
const payments = fc.oneof(
  { weight: 4, arbitrary: command("attempt", { pick, method: fc.constantFrom("pm_1", "pm_2") }) },
  { weight: 2, arbitrary: command("decline", { pick, isStale: fc.nat(3).map((one) => one === 0) }) },
  { weight: 5, arbitrary: authorise },
  { weight: 4, arbitrary: command("take", { pick }) },
  { weight: 2, arbitrary: command("capture", { pick }) },
  { weight: 2, arbitrary: command("reverse", { pick, hasLapsed: fc.nat(3).map((one) => one === 0) }) },
  { weight: 2, arbitrary: command("refund", { pick }) },
  { weight: 2, arbitrary: command("repay", { pick, isRefused: fc.nat(2).map((one) => one === 0) }) },
);
/** What time does, and the sweeper: a tick of its own. */
const passing = fc.oneof(
  { weight: 3, arbitrary: command("runOut", { pick }) },
  { weight: 2, arbitrary: command("comeDue", { pick }) },
  { weight: 2, arbitrary: command("expire", {}) },
);
/** The shop is set to take money in another way; payments are looked at (all that are open, or those that are due). */
const paying = fc.oneof(
  {
    weight: 2,
    arbitrary: command("setPayment", { kind: fc.constantFrom("off" as const, "counter" as const, "card" as const) }),
  },
  { weight: 1, arbitrary: command("look", { areAll: fc.boolean() }) },
);

type Arbitrary<Of> = Of extends fc.Arbitrary<infer Value> ? Value : never;
export type Command =
  | Arbitrary<typeof changes>
  | Arbitrary<typeof payments>
  | Arbitrary<typeof passing>
  | Arbitrary<typeof paying>;
export type PaymentCommand = Arbitrary<typeof payments> | Arbitrary<typeof paying>;
export type CommandOf<Verb extends Command["verb"]> = Extract<Command, { readonly verb: Verb }>;

const NEWEST = 1000;
/** What an order may go through that is paid for: it is made; it ends unpaid or unmade; its authorisation lapses. */
const walksOf = (at: number): readonly (readonly Command[])[] => {
  const paid: readonly Command[] = [
    { verb: "place", queue: QUEUES[0], isScheduled: false },
    { verb: "attempt", pick: at, method: "pm_1" },
    { verb: "decline", pick: at, isStale: false },
    { verb: "attempt", pick: at, method: "pm_2" },
    { verb: "authorise", pick: at, isOwn: true, amount: PRICE },
    { verb: "take", pick: at },
  ];
  const made: readonly Command[] = [
    { verb: "start", queue: QUEUES[0], barista: "Ada", claim: undefined, chosen: at },
    { verb: "finish", pick: at, barista: undefined },
  ];
  const refunded: readonly Command[] = [
    { verb: "refund", pick: at },
    { verb: "look", areAll: false },
    { verb: "repay", pick: at, isRefused: true },
    { verb: "refund", pick: at },
    { verb: "repay", pick: at, isRefused: false },
  ];
  const cancelled: Command = { verb: "cancel", pick: at, barista: undefined, canceller: "barista" };
  const reversed: readonly Command[] = [
    { verb: "look", areAll: true },
    { verb: "reverse", pick: at, hasLapsed: false },
  ];
  return [
    [...paid, ...made, { verb: "capture", pick: at }, ...refunded],
    [...paid.slice(0, 2), cancelled, ...paid.slice(4), ...reversed],
    [...paid, cancelled, ...reversed, ...refunded.slice(0, 1)],
    [...paid, ...made, { verb: "reverse", pick: at, hasLapsed: true }],
  ];
};
const walks = fc
  .oneof({ weight: 3, arbitrary: fc.constant(NEWEST) }, { weight: 1, arbitrary: pick })
  .chain((at) => fc.constantFrom(...walksOf(at)))
  .chain((walk) => fc.subarray([...walk], { minLength: walk.length - 3 }));

interface Tick {
  /** Those that travel in one run. */
  readonly commands: readonly Command[];
  readonly replica: number;
  readonly isAnswerLost: boolean;
}
export type History = readonly Tick[];

const tickOf = (commands: fc.Arbitrary<readonly Command[]>): fc.Arbitrary<Tick> =>
  fc.record({ commands, replica: fc.nat(1), isAnswerLost: fc.boolean() });
const alone = (commands: fc.Arbitrary<Command>) => commands.map((each) => [each]);

export const orderHistories: fc.Arbitrary<History> = fc.array(
  tickOf(
    fc.oneof(
      { weight: 4, arbitrary: fc.array(changes, { minLength: 1, maxLength: 5 }) },
      { weight: 1, arbitrary: alone(passing) },
    ),
  ),
  { maxLength: 30, size: "max" },
);

const mixed = tickOf(
  fc.oneof(
    { weight: 6, arbitrary: fc.array(fc.oneof(changes, payments), { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: alone(passing) },
    { weight: 1, arbitrary: alone(paying) },
  ),
).map((tick) => [tick]);
const walked = fc
  .tuple(walks, tickOf(fc.constant([])))
  .map(([commands, tick]) => commands.map((each) => ({ ...tick, commands: [each] })));

/** The shop takes money from the start. */
export const paymentHistories: fc.Arbitrary<History> = fc
  .tuple(
    fc.constantFrom("card" as const, "card" as const, "counter" as const),
    fc.array(fc.oneof({ weight: 5, arbitrary: mixed }, { weight: 2, arbitrary: walked }), {
      maxLength: 16,
      size: "max",
    }),
  )
  .map(([kind, parts]) => {
    const first: Tick = { commands: [{ verb: "setPayment", kind }], replica: 0, isAnswerLost: false };
    return [first, ...parts.flat()];
  });

/** The order in which a run does its operations. */
const ORDER = (
  "finish fail release extend progress cancel capture reverse refund repay decline authorise take attempt " +
  "retry call place start runOut comeDue expire setPayment look"
).split(" ");

export interface Action {
  readonly prefix: string;
  readonly next: Command;
  /** Names what the command makes: an order, or a claim. */
  readonly name: string;
  /** The orders before this tick, and which try of its card is the last. */
  readonly ids: readonly string[];
  readonly attemptOf: (id: string) => number;
}

const OF_PAYMENTS: ReadonlySet<string> = new Set<PaymentCommand["verb"]>([
  "attempt",
  "decline",
  "authorise",
  "take",
  "capture",
  "reverse",
  "refund",
  "repay",
  "setPayment",
  "look",
]);

export function isOfPayments(next: Command): next is PaymentCommand {
  return OF_PAYMENTS.has(next.verb);
}

/** The operation that a command is. */
function operationOf({ next }: Action): string {
  return next.verb === "place" && next.queue === MACHINES.name ? "call" : next.verb;
}

export function inOrder(actions: readonly Action[]): Action[] {
  return actions.toSorted((first, second) => ORDER.indexOf(operationOf(first)) - ORDER.indexOf(operationOf(second)));
}

/** The order that a command is for. */
export function idIn({ next, ids }: Action): string {
  return idOf(ids, "pick" in next ? next.pick : -1);
}

const idOf = (ids: readonly string[], at: number): string =>
  (at === NEWEST ? ids.at(-1) : ids[at % ids.length]) ?? "nobody's";
export const claimOf = ({ name }: Action, claim: number | undefined) => `claim-${claim ?? name}`;
export const chosenOf = (ids: readonly string[], at: number | undefined) =>
  at === undefined ? undefined : idOf(ids, at);
export const intentOf = (id: string, isOwn: boolean): string => (isOwn ? `pi_${id}` : "pi_of another");
