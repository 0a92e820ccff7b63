/**
 * Owns what an order is: its states, its JSON on the wire, and how it is read from its hash in Redis.
 *
 *              place                 start                finish
 *  (nothing) ────────▶ queued ────────────────▶ brewing ────────────▶ ready
 *                        │  ▲                      │ │
 *                        │  └──── release ─────────┘ │   (or its lease ran out)
 *                        └───────── cancel ──────────┴───────────────▶ cancelled (reason)
 *
 * Always holds: `ready` and `cancelled` are final, and only scripts write an order.
 */
import { Type, type Static, type TLiteral, type TUnion } from "@sinclair/typebox";
import { AT_MOST_200_CHARACTERS, DATE_TIME } from "../formats.ts";
import { asFields, asInteger, asList, asText } from "../redis/reply.ts";

type Literals<Values extends readonly string[]> = { -readonly [Index in keyof Values]: TLiteral<Values[Index]> };

/** A string that is one of `values`. */
function oneOf<const Values extends readonly string[]>(values: Values, description?: string): TUnion<Literals<Values>> {
  const literals = values.map((value) => Type.Literal(value));
  return Type.Union(literals, { description: description ?? `one of ${values.join(", ")}` }) as TUnion<
    Literals<Values>
  >;
}

export const Status = oneOf(["queued", "brewing", "ready", "cancelled"]);
export type Status = Static<typeof Status>;

export const Reason = oneOf([
  "customer",
  "barista",
  "customer_timeout",
  "barista_timeout",
  "payment_failed",
  "machine_error",
]);
export type Reason = Static<typeof Reason>;

/** What can be ordered. */
const Item = oneOf(["americano", "espresso", "double_espresso", "flat_white", "cappuccino", "latte", "mocha"]);
type Item = Static<typeof Item>;

/** What a customer may say of an order. */
export const Draft = Type.Object(
  {
    item: Type.Optional(Item),
    note: Type.Optional(Type.String({ format: AT_MOST_200_CHARACTERS, description: "at most 200 characters" })),
    customer_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" })),
    customer_name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "1 to 100 characters" })),
  },
  {
    additionalProperties: false,
    description: "an object",
    examples: [{ item: "latte", note: "oat milk, please", customer_name: "Ada" }],
  },
);
export type Draft = Static<typeof Draft>;

const Time = (description: string) => Type.String({ format: DATE_TIME, description });

// Examples for the OpenAPI documents: one order on its way.
const PLACED = {
  order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
  number: 17,
  item: "latte",
  note: "oat milk, please",
  customer_name: "Ada",
  placed_at: "2026-11-20T09:30:00.120Z",
};
const STARTED = { ...PLACED, barista: "Grace", attempts: 1, started_at: "2026-11-20T09:31:10.004Z" };
export const QUEUED_EXAMPLE = { ...PLACED, status: "queued", attempts: 0, position: 3, eta_seconds: 95 };
export const BREWING_EXAMPLE = { ...STARTED, status: "brewing" };
export const READY_EXAMPLE = { ...STARTED, status: "ready", finished_at: "2026-11-20T09:31:52.871Z" };
export const CANCELLED_EXAMPLE = {
  ...PLACED,
  status: "cancelled",
  reason: "customer",
  attempts: 0,
  finished_at: "2026-11-20T09:30:14.002Z",
};

/** An order on the wire. */
export const Order = Type.Object(
  {
    order_id: Type.String({
      format: "uuid",
      description: "UUIDv7; knowing it is the right to see and cancel the order",
    }),
    number: Type.Integer({ minimum: 1, description: "ticket number, from 1 each day (UTC)" }),
    status: Status,
    reason: Type.Optional(Reason),
    item: Item,
    note: Type.Optional(Type.String()),
    customer_id: Type.Optional(Type.String()),
    customer_name: Type.Optional(Type.String()),
    barista: Type.Optional(Type.String({ description: "who brews or brewed it" })),
    attempts: Type.Integer({ minimum: 0, description: "how often it was started" }),
    placed_at: Time("when it was placed"),
    started_at: Type.Optional(Time("when it was last started")),
    finished_at: Type.Optional(Time("when it became ready or cancelled")),
    position: Type.Optional(Type.Integer({ minimum: 1, description: "place in the queue while queued; 1 is next" })),
    eta_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: "expected seconds until ready while queued: the median of recent waits, less the time waited",
      }),
    ),
  },
  {
    examples: [READY_EXAMPLE],
  },
);
export type Order = Static<typeof Order>;

/** Whether the order will never change again. */
export function isFinal({ status }: Pick<Order, "status">): boolean {
  return status === "ready" || status === "cancelled";
}

/** Reads an order from its id and its hash as JSON. Fields that only scripts use are left out. */
export function readOrder(id: unknown, json: unknown): Order {
  const fields = asFields(json);
  const { number, status, item, attempts, placed_at: placedAt } = fields;
  if (!number || !status || !item || !attempts || !placedAt) throw new TypeError(`order ${asText(id)} is incomplete`);
  const order: Order = {
    order_id: asText(id),
    number: Number(number),
    status: status as Status,
    item: item as Item,
    attempts: Number(attempts),
    placed_at: toTime(placedAt),
  };
  if (fields.reason) order.reason = fields.reason as Reason;
  for (const name of ["note", "customer_id", "customer_name", "barista"] as const) {
    if (fields[name]) order[name] = fields[name];
  }
  if (fields.started_at) order.started_at = toTime(fields.started_at);
  if (fields.finished_at) order.finished_at = toTime(fields.finished_at);
  return order;
}

/** Reads {id, position, eta seconds, JSON}, as `describe_order` in `redis/prelude.lua` answers. */
export function readDescribedOrder(reply: unknown): Order {
  const [id, position, etaSeconds, json] = asList(reply);
  const order = readOrder(id, json);
  if (asInteger(position) > 0) order.position = asInteger(position);
  if (asInteger(etaSeconds) >= 0) order.eta_seconds = asInteger(etaSeconds);
  return order;
}

/** RFC 3339 with milliseconds. */
function toTime(ms: string): string {
  return new Date(Number(ms)).toISOString();
}
