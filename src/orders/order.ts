/**
 * Owns what an order is: its states, and its JSON on the wire.
 *
 *      reserve            complete
 *  (nothing) ──▶ reserved ───┐
 *           place, call      ▼       start                finish
 *  (nothing) ────────▶ queued ────────────────▶ brewing ────────────▶ ready
 *      │  │              ▲  ▲
 *      │  └▶ scheduled ──┘  │ (once it is due)
 *      └────▶ unpaid ───────┘ (once it is paid: queued, or scheduled)
 *                        │  ▲                      │ │
 *                        │  └──── release ─────────┘ │   (or its lease ran out)
 *                        └───────── cancel ──────────┴───────────────▶ cancelled (reason)
 *
 * **Invariants**
 * - `ready` and `cancelled` are final, and only scripts write an order.
 */
import { Type, type SchemaOptions, type Static, type TLiteral, type TUnion } from "@sinclair/typebox";
import { AT_MOST_200_CHARACTERS, COFFEE_ID, DATE_TIME } from "../formats.ts";
import { MAX_SCHEDULED_DAYS, STATUSES } from "./status.ts";

type Literals<Values extends readonly string[]> = { -readonly [Index in keyof Values]: TLiteral<Values[Index]> };

/** A string that is one of `values`. */
export function oneOf<const Values extends readonly string[]>(
  values: Values,
  options?: SchemaOptions,
): TUnion<Literals<Values>> {
  const literals = values.map((value) => Type.Literal(value));
  return Type.Union(literals, { ...options, description: `one of ${values.join(", ")}` }) as TUnion<Literals<Values>>;
}

export const Status = oneOf(STATUSES, { $id: "OrderStatus" });
export type Status = Static<typeof Status>;

export const CANCEL_REASONS = [
  "customer",
  "barista",
  "customer_timeout",
  "barista_timeout",
  "payment_failed",
  "machine_error",
] as const;

/** Why an order may be cancelled: what is stored. */
export const CancelReason = oneOf(CANCEL_REASONS, { $id: "CancelReason" });
export type CancelReason = Static<typeof CancelReason>;

/**
 * The reason that a customer reads. `lost`: the storage lost the order while its answer was under way; such a one is
 * never stored.
 */
export const REASONS = [...CANCEL_REASONS, "lost"] as const;
const Reason = oneOf(REASONS);

/** The item of an order that names none. */
export const DEFAULT_ITEM = "americano";

const CustomerId = Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" });
const CustomerName = Type.String({ minLength: 1, maxLength: 100, description: "1 to 100 characters" });
const Code = Type.String({ minLength: 1, maxLength: 64, description: "the code from the board" });

/** The drink that is wanted, of the menu. */
const Choice = {
  item: Type.Optional(Type.String({ pattern: COFFEE_ID, description: "the id of a coffee on the menu" })),
  modifiers: Type.Optional(
    Type.Record(
      Type.String({ pattern: "^[\\s\\S]{1,40}$" }),
      Type.String({ minLength: 1, maxLength: 40, description: "one of the modifier's options: 1 to 40 characters" }),
      {
        maxProperties: 10,
        additionalProperties: false,
        description: "an object of at most 10 modifiers, each with one of its options",
      },
    ),
  ),
  note: Type.Optional(Type.String({ format: AT_MOST_200_CHARACTERS, description: "at most 200 characters" })),
};

/** When an order is to be queued. */
export const NotBefore = Type.String({
  format: DATE_TIME,
  description: `a time such as 2026-11-20T09:30:00Z, from now to ${MAX_SCHEDULED_DAYS} days ahead`,
});

/** Where a final order is posted. What it has to be is checked by itself. */
export const CallbackUrl = Type.String({
  minLength: 1,
  maxLength: 2000,
  description: "a URL such as https://example.org/hook, of at most 2000 characters",
});

const asObject = { additionalProperties: false, description: "an object" };

/** The body of an order request. */
export const Draft = Type.Object(
  {
    ...Choice,
    customer_id: Type.Optional(CustomerId),
    customer_name: Type.Optional(CustomerName),
    code: Type.Optional(Code),
    not_before: Type.Optional(NotBefore),
    callback_url: Type.Optional(CallbackUrl),
  },
  {
    $id: "OrderDraft",
    ...asObject,
    examples: [{ item: "latte", modifiers: { milk: "oat" }, note: "no lid, please", customer_name: "Ada" }],
  },
);
export type Draft = Static<typeof Draft>;

/** The body of a request that redeems a code, for a drink to be chosen later. */
export const ReservationDraft = Type.Object(
  { code: Code, customer_id: Type.Optional(CustomerId), customer_name: Type.Optional(CustomerName) },
  { $id: "ReservationDraft", ...asObject, examples: [{ code: "7QK2M9XWTR3B", customer_name: "Ada" }] },
);
export type ReservationDraft = Static<typeof ReservationDraft>;

/** The drink that a customer chooses for their reservation. */
export const Completion = Type.Object(
  { ...Choice, customer_name: Type.Optional(CustomerName) },
  { $id: "OrderCompletion", ...asObject, examples: [{ item: "latte", modifiers: { milk: "oat" } }] },
);
export type Completion = Static<typeof Completion>;

const Time = (description: string) => Type.String({ format: DATE_TIME, description });

// Examples for the OpenAPI documents: one order on its way.
const PLACED = {
  order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
  number: 17,
  item: "latte",
  price: 400,
  modifiers: { milk: "oat" },
  note: "no lid, please",
  customer_name: "Ada",
  placed_at: "2026-11-20T09:30:00.120Z",
};
const STARTED = { ...PLACED, barista: "Grace", attempts: 1, started_at: "2026-11-20T09:31:10.004Z" };
export const QUEUED_EXAMPLE = { ...PLACED, status: "queued", attempts: 0, position: 3, eta_seconds: 95 };
export const RESERVED_EXAMPLE = {
  order_id: PLACED.order_id,
  status: "reserved",
  attempts: 0,
  customer_name: "Ada",
  placed_at: PLACED.placed_at,
};
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
    number: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          "ticket number, from 1 each day (UTC), in a queue of machines from its first order on; none while reserved",
      }),
    ),
    queue: Type.Optional(Type.String({ description: "the queue of machines that it is in" })),
    status: Status,
    reason: Type.Optional(Reason),
    item: Type.Optional(Type.String({ description: "none while it is reserved, or for machines" })),
    price: Type.Optional(Type.Integer({ minimum: 0, description: "cents, as the menu said when it was placed" })),
    payment_kind: Type.Optional(
      Type.Union([Type.Literal("counter"), Type.Literal("card")], {
        description: "how it is or was paid: counter or card; none where nothing is to be paid",
      }),
    ),
    modifiers: Type.Optional(Type.Record(Type.String(), Type.String())),
    note: Type.Optional(Type.String()),
    customer_id: Type.Optional(Type.String()),
    customer_name: Type.Optional(Type.String()),
    barista: Type.Optional(Type.String({ description: "who brews or brewed it" })),
    attempts: Type.Integer({ minimum: 0, description: "how often it was started" }),
    input: Type.Optional(Type.Unknown({ description: "what machines make it of: any JSON" })),
    not_before: Type.Optional(Time("when it is or was to be queued")),
    traceparent: Type.Optional(
      Type.String({ description: "the trace that it is part of, where it is traced (W3C Trace Context)" }),
    ),
    callback_url: Type.Optional(Type.String({ description: "where it is posted once it is final" })),
    retry_of: Type.Optional(Type.String({ description: "the order that failed, and that this one makes again" })),
    retried_by: Type.Optional(Type.String({ description: "who had it made again" })),
    placed_at: Time("when it was placed"),
    progress: Type.Optional(
      Type.Object(
        { percent: Type.Optional(Type.Number()), message: Type.Optional(Type.String()) },
        { description: "how far it is, while it is brewing" },
      ),
    ),
    result: Type.Optional(Type.Unknown({ description: "what its barista answered: any JSON" })),
    error: Type.Optional(Type.String({ description: "why it could not be made" })),
    started_at: Type.Optional(Time("when it was last started")),
    finished_at: Type.Optional(Time("when it became ready or cancelled")),
    position: Type.Optional(Type.Integer({ minimum: 1, description: "position in the queue while queued; 1 is next" })),
    eta_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: "expected seconds until ready while queued: the median of recent waits, less the time waited",
      }),
    ),
  },
  { $id: "Order", examples: [READY_EXAMPLE] },
);
export type Order = Static<typeof Order>;

/** An order as JSON, as it goes over the wire: it is passed on as it is. */
export type OrderJson = string;

/**
 * Puts together what scripts answer: the id, and the order as JSON without it (`encode_order` in `redis/order.lua`).
 */
export function toOrderJson(id: string, rest: string): OrderJson {
  return `{"order_id":"${id}",${rest.slice(1)}`;
}
