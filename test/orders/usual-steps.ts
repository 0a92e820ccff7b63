/**
 * Owns the steps of the histories that usual.test.ts runs both ways: the runs, and what befalls the shop between them.
 *
 * **Invariants**
 * - A run does its operations in the order of `ITEMS`, as a server sends them.
 */
import fc from "fast-check";

const REPLICA = "replica-1";
const LEASE_MS = 6;

/** Names an order as the history goes: mostly one that is brewing, else any that there was. */
const pick = fc.nat({ max: 399 }).map((number) => `pick-${number}`);
/** A new order's id; now and then one that there was. */
const fresh = fc.oneof({ weight: 9, arbitrary: fc.constant("new") }, { weight: 1, arbitrary: pick });
/** One of the newest. */
const recent = fc.nat({ max: 5 }).map((number) => `recent-${number}`);
const barista = fc.constantFrom('"Ada"', '"Grace"', '"Zoë \\n"');
/** `own` is the barista who brews the order. */
const hand = fc.oneof({ weight: 6, arbitrary: fc.constantFrom("own", "") }, { weight: 1, arbitrary: barista });
const queue = fc.constantFrom("default", "default", "default", "bar");
export const MACHINES = "thumbs";
/** Its lease and its attempts are not the counter's. */
export const RULES = "9 2 300000 6 4 0.01";
/** A time that the clock passes in a long history. */
const due = fc.constantFrom("", "", "1795000000012", "1795000000030");
const holder = fc.constantFrom("", REPLICA, "replica-2");
const optional = (...values: readonly string[]) => fc.constantFrom("", ...values);

/** A start by its attempts and its time, by the clock of the histories. */
const anyStart = [optional("1", "2"), optional("2026-11-18T11:06:40.004Z", "2026-11-18T11:06:40.009Z")] as const;

const LOOK_MS = fc.constant("4");

/** The fields of one item by its operation, in the order in which a run does them. */
const ITEMS = {
  finish: fc.tuple(pick, hand, optional('{"cups":2}'), ...anyStart),
  fail: fc.tuple(
    pick,
    hand,
    fc.constant('"no milk"'),
    fc.constantFrom("0", "1"),
    fc.constantFrom("0", "3"),
    ...anyStart,
  ),
  release: fc.tuple(pick, hand, optional("1")),
  extend: fc.tuple(pick, hand),
  progress: fc.tuple(pick, hand, fc.constantFrom('{"percent":7}', '{"message":"half\\n"}')),
  cancel: fc.tuple(pick, fc.constantFrom("customer", "barista"), fc.constant("customer"), hand),
  requeue: fc.tuple(pick),
  watch: fc.tuple(pick, holder),
  authorise: fc.tuple(recent, fc.constant("pi_1"), fc.constantFrom("300", "400"), optional("4922985600000"), LOOK_MS),
  take: fc.tuple(recent, barista),
  attempt: fc.tuple(recent, fc.constantFrom("pm_1", "pm_2"), LOOK_MS),
  retry: fc.tuple(pick, fc.constant("new"), optional('"Ada \\"A\\""')),
  bury: fc.tuple(fresh, fc.constant(MACHINES), fc.constant("[]"), fc.constant('"no url"'), fc.constantFrom("b1", "b2")),
  call: fc.tuple(
    fresh,
    fc.constantFrom(MACHINES, MACHINES, MACHINES, "default"),
    fc.constantFrom("{}", '"\\n\\"}"'),
    fc.constantFrom("", "queue-thumbs:a"),
    holder,
    optional('{"not_before":"2026-11-18T00:00:00.000Z"}'),
    optional("k1", "k2"),
    fc.constant("hash"),
    due,
    optional("doc-1", "doc-2"),
  ),
  place: fc.tuple(
    fresh,
    queue,
    fc.constantFrom("americano", "americano", "americano", "latte", "tea"),
    fc.constantFrom("{}", '{"note":"hot, please"}', '{"note":"\\n\\"}"}'),
    fc.constantFrom("", "", "orders:a", "orders:b"),
    holder,
    optional('{"milk":"oat"}'),
    optional("c1", "c2"),
    optional("CODE"),
    optional("k1", "k2"),
    fc.constant("hash"),
    due,
  ),
  start: fc.tuple(
    barista,
    fc.oneof({ weight: 4, arbitrary: queue }, { weight: 1, arbitrary: fc.constant(MACHINES) }),
    fc.constantFrom("0", "500"),
    optional("claim-1", "claim-2"),
    optional("pick-3", "pick-8", "pick-40", "pick-80"),
    optional("finished", "pick-1"),
  ),
};
type Name = keyof typeof ITEMS;
const NAMES = Object.keys(ITEMS) as Name[];
/** How many of the last fields travel only where one is there: as in the descriptors. */
const OPTIONAL: Partial<Record<Name, number>> = { finish: 3, fail: 2, release: 1, call: 5, place: 6, start: 3 };

const USUAL: readonly Name[] = ["finish", "place", "start"];

/** Most runs hold only what the usual way is for. */
const items = (name: Name) => {
  const rows = fc.array(ITEMS[name] as fc.Arbitrary<readonly string[]>, { maxLength: name === "place" ? 5 : 3 });
  return USUAL.includes(name)
    ? rows
    : fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: rows });
};
const operations = fc.tuple(...NAMES.map(items));

/** Keys that may come to hold a value of another type. */
const DAMAGEABLE = [
  "queue:bar",
  "leases:bar",
  "waiting:bar",
  "bucket:orders:a",
  "claims",
  "damaged",
  "delayed:default",
  "events",
  "events:count",
  "calls:thumbs",
  "dead",
  "idle:default",
  "menu",
  "numbers:2026-11-18",
  "once:k1",
  "open:of:c1",
  "orders",
  "orders:of:c1",
  "payments",
  "payments:open",
  "queue-rules",
  "queues",
  "scheduled:default",
  "settings",
  "unpaid:default",
  "waits:default",
];

/** Records that are put in the place of an order's: damaged, or of another queue. */
const PLANTED: readonly (readonly [string, string])[] = [
  ["order-3", "garbage"],
  [
    "order-4",
    '2\nqueued\n\n0\n0\ndefault\nnowhere\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"number":1,"item":"latte","price":1,"placed_at":"x"',
  ],
  [
    "order-7",
    '1\nqueued\n\n0\n0\ndefault\n77\n\n\n\n\n\n\n\n\n\n\n\n\n"number":1,"item":"latte","price":1,"placed_at":"2026-11-18T00:00:00.000Z"',
  ],
];
const DELETED = "order-5";

/** How orders are paid from then on. */
const paying = fc.constantFrom(
  ["HSET", "settings", "payment", '"card"'],
  ["HSET", "settings", "payment", '"counter"'],
  ["HSET", "settings", "payment", '"off"'],
  ["HDEL", "settings", "payment"],
);
const damaging = fc.constantFrom(
  ["HSET", "settings", "open", "false"],
  ["HSET", "settings", "open", "true"],
  ["HSET", "settings", "capacity", "4"],
  ["HDEL", "settings", "capacity"],
  ["HSET", "settings", "require_code", "true"],
  ["HDEL", "settings", "require_code"],
  ...PLANTED.map(([id, record]) => ["SET", `order:${id}`, record]),
  ["HSET", "queue-rules", MACHINES, RULES],
  ["HSET", "queue-rules", "bar", RULES],
  ["DEL", `order:${DELETED}`],
  ["ZREM", "waiting:default", "order-6"],
  ["DEL", "queue:default"],
  ...DAMAGEABLE.flatMap((key) => [
    ["SET", key, "of another type"],
    ["DEL", key],
  ]),
);
/** What befalls the shop between runs: a command without its key's prefix. */
const meddling = fc.oneof({ weight: 1, arbitrary: paying }, { weight: 3, arbitrary: damaging });

export interface Step {
  readonly operations: readonly (readonly (readonly string[])[])[];
  /** Operations that have some of their optional fields. */
  readonly rich: readonly string[];
  readonly meddling: readonly string[] | null;
  readonly isSentAgain: boolean;
}
export const step: fc.Arbitrary<Step> = fc.record({
  operations,
  rich: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.subarray(NAMES) }),
  meddling: fc.option(meddling, { freq: 8 }),
  isSentAgain: fc.boolean(),
});

/** What is known of a history's orders from the answers so far, to name those that an operation is for. */
export class Known {
  readonly #ids: string[] = [];
  readonly #brewing = new Map<string, string>();
  #finished = "";

  fill(name: Name, row: readonly string[]): string[] {
    const [first = "", ...rest] = row.map((field) => (field === "finished" ? this.#finished : this.#find(field)));
    if (name === "finish") this.#finished = first;
    return [first, ...rest].map((field) => (field === "own" ? (this.#brewing.get(first) ?? '"Ada"') : field));
  }

  hear(answer: string): void {
    for (const [, outcome, id = "", brewer] of answer.matchAll(SHOWN)) {
      if (outcome === "started") this.#brewing.set(id, `"${brewer}"`);
      else this.#brewing.delete(id);
    }
  }

  #find(field: string): string {
    if (field === "new") {
      const id = `order-${this.#ids.length + 1}`;
      this.#ids.push(id);
      return id;
    }
    const ago = /^recent-(\d+)$/.exec(field)?.[1];
    if (ago !== undefined) return this.#ids.at(-1 - Number(ago)) ?? "order-0";
    const number = /^pick-(\d+)$/.exec(field)?.[1];
    if (number === undefined) return field;
    const from = Number(number) % 4 > 0 && this.#brewing.size > 0 ? [...this.#brewing.keys()] : this.#ids;
    return from[Math.floor(Number(number) / 4) % from.length] ?? "order-0";
  }
}
const SHOWN =
  /^(started|finished|cancelled|failed_for_now|released)\t\{"order_id":"([^"]+)"(?:.*"barista":"((?:[^"\\]|\\.)*)")?/gm;

export function argumentsOf(number: number, { operations: kinds, rich }: Step, known: Known): string[] {
  const args = ["slot", String(number), String(LEASE_MS), "3", "600000", "5", "0.01", REPLICA, "commit"];
  for (const [index, name] of NAMES.entries()) {
    const given = kinds[index] ?? [];
    if (given.length === 0) continue;
    const rows = given.map((row) => known.fill(name, row));
    const full = ITEM_WIDTHS[name];
    // A start that names a finished order is usual too.
    const isNext = name === "start" && rows.some((row) => row[full - 1] !== "");
    const width = rich.includes(name) || isNext ? full : full - (OPTIONAL[name] ?? 0);
    const plainly = (row: readonly string[]) => (rich.includes(name) ? row : row.with(3, "").with(4, ""));
    args.push(name, String(rows.length), String(width));
    args.push(...rows.flatMap((row) => (isNext ? plainly(row) : row).slice(0, width)));
  }
  return args;
}
const ITEM_WIDTHS: Readonly<Record<Name, number>> = {
  finish: 5,
  fail: 7,
  release: 3,
  extend: 2,
  progress: 3,
  cancel: 4,
  requeue: 1,
  watch: 2,
  authorise: 5,
  take: 2,
  attempt: 3,
  retry: 3,
  bury: 5,
  call: 10,
  place: 12,
  start: 6,
};
