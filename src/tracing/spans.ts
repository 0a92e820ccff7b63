/**
 * Owns the spans of orders: their names, their attributes, and which span they stand under.
 *
 * **Invariants**
 * - All spans of an order are of one trace: that of the span that placed it, which the order keeps.
 * - No attribute holds a customer's words, a barista's name or a secret. An order's id is one: the right to see it.
 * - A `traceparent` that is none is as if there were none.
 */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import type { OrderFacts } from "./order-facts.ts";

/** What a span is of: a verb of orders, and where. */
interface Subject {
  readonly verb: string;
  readonly queue: string;
  readonly kind: SpanKind;
  /** Its type, by which OpenTelemetry sorts operations on messages; undefined: none of those. */
  readonly type?: "create" | "send" | "receive" | "process" | "settle" | undefined;
  readonly attributes?: Attributes | undefined;
}

/** What is known of a span once it is over. */
export interface Happened extends Omit<Subject, "queue"> {
  readonly order: OrderFacts;
  /** When it began, by `performance.now()`. */
  readonly sinceMs: number;
  /** The caller's `traceparent`, as it was sent. */
  readonly cause?: string | undefined;
}

interface Beginning {
  readonly cause?: string | undefined;
  /** The `traceparent` of what led to it. */
  readonly linked?: string | undefined;
  /** In ms since 1970; undefined: now. */
  readonly startTime?: number;
}

export class Spans {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** Begins a span under the caller's, or one of a new trace. */
  begin(subject: Subject, { cause, linked, startTime }: Beginning): Span {
    const options = { kind: subject.kind, attributes: attributesOf(subject), links: linksTo(read(linked)), startTime };
    return this.#tracer.startSpan(nameOf(subject), options, under(read(cause)));
  }

  /** Begins a span of an order. */
  beginOf(
    order: OrderFacts,
    subject: Omit<Subject, "queue">,
    { cause, startTime }: Omit<Beginning, "linked"> = {},
  ): Span {
    const { context, links } = parentsOf(order, cause);
    const attributes = { ...subject.attributes, ...attributesOfOrder(order) };
    const whole = { ...subject, queue: order.queue, attributes };
    const options = { kind: subject.kind, attributes: attributesOf(whole), links, startTime };
    return this.#tracer.startSpan(nameOf(whole), options, context);
  }

  /** Records what has happened to an order until now. */
  record({ order, sinceMs, cause, ...subject }: Happened): void {
    const { startTime, endTime } = untilNow(sinceMs);
    this.beginOf(order, subject, { cause, startTime }).end(endTime);
  }

  /** Records what has happened under the caller's span alone: of an order that is not known. */
  recordUnder({ sinceMs, cause, ...subject }: Subject & Pick<Happened, "sinceMs" | "cause">): void {
    const { startTime, endTime } = untilNow(sinceMs);
    this.begin(subject, { cause, startTime }).end(endTime);
  }

  /** Begins the span of a request. */
  beginRequest(name: string, cause: string | undefined): Span {
    return this.#tracer.startSpan(name, { kind: SpanKind.SERVER }, under(read(cause)));
  }
}

/** Both ends, in ms since 1970. (A clock of its own for each would have spans that end before they begin.) */
function untilNow(sinceMs: number): { readonly startTime: number; readonly endTime: number } {
  const endTime = Date.now();
  return { startTime: endTime - (performance.now() - sinceMs), endTime };
}

/** A span as `traceparent` spells it. */
export function toTraceparent(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${isSampled(traceFlags) ? "01" : "00"}`;
}

export function isRecorded(span: Span): boolean {
  return isSampled(span.spanContext().traceFlags);
}

/** Ends a span that came to nothing. `type` is of a list that the code knows, or an error's class. */
export function endFailed(span: Span, type: string): void {
  span.setAttribute("error.type", type).setStatus({ code: SpanStatusCode.ERROR }).end();
}

/** An error's class: its message may hold more than may stand in a span. */
export function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}

function isSampled(flags: number): boolean {
  return (flags & TraceFlags.SAMPLED) !== 0;
}

function nameOf({ verb, queue }: Subject): string {
  return `${verb} ${queue}`;
}

function attributesOf({ verb, queue, type, attributes }: Subject): Attributes {
  return {
    "messaging.system": "longpour",
    "messaging.operation.name": verb,
    ...(type && { "messaging.operation.type": type }),
    "messaging.destination.name": queue,
    ...attributes,
  };
}

function attributesOfOrder({ number, status, reason, attempts }: OrderFacts): Attributes {
  return {
    ...(number !== undefined && { "longpour.order.number": number }),
    "longpour.order.status": status,
    ...(reason && { "longpour.order.reason": reason }),
    "longpour.order.attempts": attempts,
  };
}

/** A caller that is in the order's trace is the parent; one of another trace is linked, and the order's span is. */
function parentsOf({ traceparent }: OrderFacts, cause: string | undefined): { context: Context; links: Link[] } {
  const placed = read(traceparent);
  const caller = read(cause);
  if (placed && caller?.traceId === placed.traceId) return { context: under(caller), links: [] };
  return { context: under(placed), links: linksTo(caller) };
}

function linksTo(context: SpanContext | undefined): Link[] {
  return context ? [{ context }] : [];
}

function under(context: SpanContext | undefined): Context {
  return context ? trace.setSpanContext(ROOT_CONTEXT, context) : ROOT_CONTEXT;
}

function read(traceparent: string | undefined): SpanContext | undefined {
  const context = traceparent === undefined ? undefined : parseTraceParent(traceparent);
  return context ? { ...context, isRemote: true } : undefined;
}
