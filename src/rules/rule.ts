/**
 * Owns what a rule is to those who deliver: which events it wants, and where they go.
 *
 * **Invariants**
 * - Nothing here knows where a rule comes from: one of the rules file, or one of the server's own.
 */
import { Type, type Static } from "@sinclair/typebox";
import { msOf, type EventId, type ShopEvent } from "../events/event.ts";

/** Where the events of a rule go, as it is shown: without its secrets. */
export const TargetView = Type.Object(
  {
    kind: Type.String({ description: "log, stream, webhook or callback" }),
    url: Type.Optional(Type.String({ description: "of a webhook, without its path and query" })),
    stream: Type.Optional(Type.String({ description: "the stream's key" })),
  },
  { $id: "RuleTarget" },
);
export type TargetView = Static<typeof TargetView>;

/** What became of one try to deliver an event. No `why` holds a secret, or words of a customer. */
export type DeliveryOutcome =
  /** `append`: the stream that takes the event, in the same step in which it counts as delivered. */
  | { readonly kind: "delivered"; readonly append?: StreamAppend }
  /** To be tried again, not before `retryAfterMs` if that is said. */
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs?: number | undefined }
  /** Nothing was sent, and no try counts. */
  | { readonly kind: "held"; readonly why: string; readonly retryAfterMs: number }
  /** Not to be tried again: it becomes a dead letter. */
  | { readonly kind: "dead"; readonly why: string }
  /** Nothing more is to be sent to this target: it ends the rule. */
  | { readonly kind: "ended"; readonly why: string };

export interface StreamAppend {
  /** Of `{shop}:out:<name>`. */
  readonly stream: string;
  /** As `encodeEvent` writes it. */
  readonly event: string;
}

export interface Rule {
  readonly name: string;
  /** As it is shown. */
  readonly pattern: object;
  readonly target: TargetView;
  /** The types that are read at all, such as `order.started` or `order.*`; undefined: all. */
  readonly types: readonly string[] | undefined;
  /** Texts one of which is in the data of each event that matches, as JSON; undefined: none need be. */
  readonly texts?: readonly string[] | undefined;
  /** Whether `data` has to be complete, with what never changes of an order. */
  readonly needsData: boolean;
  /** How long an event is tried, from when it was taken; it is tried once at least. */
  readonly retryForMs: number;
  /** A rule that ended stays so while this is the same. */
  readonly targetKey: string;
  /** Whether all events are in one order, not those of one order alone: of a target that never keeps one waiting. */
  readonly isOneLine?: boolean;
  readonly matches: (event: ShopEvent) => boolean;
  /** Tries once. Rejects for `signal`, and never for a fault of the target. */
  readonly deliver: (event: ShopEvent, signal: AbortSignal) => Promise<DeliveryOutcome>;
}

/** Names of rules stand in keys, labels and paths. */
export const RULE_NAME = "^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$";

/** When an event happened, as it is shown. */
export function timestampOf(id: EventId): string {
  return new Date(msOf(id)).toISOString();
}

/** An event as rules see and deliver it, as JSON. */
export function encodeEvent({ id, type, orderId, data }: ShopEvent): string {
  const order = orderId && `,"order_id":${JSON.stringify(orderId)}`;
  return `{"type":${JSON.stringify(type)},"timestamp":"${timestampOf(id)}","event_id":"${id}"${order},"data":${data}}`;
}
