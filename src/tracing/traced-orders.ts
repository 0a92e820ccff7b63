/**
 * Owns orders whose changes are traced: the same orders, with a span for each verb.
 *
 * **Invariants**
 * - What an order is asked for and what it answers is the same as without.
 * - Its `traceparent` is kept with an order if its span is recorded, and else nothing is: what a caller sent never is.
 * - A verb that was refused leaves no span.
 */
import { SpanKind, type Span } from "@opentelemetry/api";
import type { FindOutcome } from "../orders/queries.ts";
import type { PlaceOutcome } from "../orders/operations/place.ts";
import type { Retry, RetryOutcome } from "../orders/operations/retry.ts";
import { DEFAULT_QUEUE, type Orders } from "../orders/orders.ts";
import type { AnsweredRun } from "../redis/group-commit.ts";
import { createAsk, type Ask } from "../redis/operation.ts";
import { readFacts } from "./order-facts.ts";
import { UNTRACED } from "./tracing.ts";
import { endFailed, isRecorded, nameOfError, toTraceparent, type Happened, type Spans } from "./spans.ts";

/** The `traceparent` of the request that asks. */
interface Asked {
  readonly traceparent?: string | undefined;
}

/** What the answers of verbs have in common: those that did something show the order. */
interface Answered {
  readonly kind: string;
  readonly order?: string;
}

type Verb = Omit<Happened, "order" | "sinceMs" | "cause">;

const START: Verb = { verb: "start", type: "receive", kind: SpanKind.CLIENT };
const COMPLETE: Verb = { verb: "complete", type: "send", kind: SpanKind.CLIENT };
/** A barista says what became of their order. */
const settling = (verb: string): Verb => ({ verb, type: "settle", kind: SpanKind.CLIENT });
/** Neither a message's sender nor its receiver does it. */
const ending = (verb: string): Verb => ({ verb, kind: SpanKind.INTERNAL });

export function traceOrders(orders: Orders, spans: Spans): Orders {
  orders.onRun((run) => noteExpired(run, spans));
  const verb = <Item extends Asked, Outcome extends Answered>(ask: (item: Item) => Promise<Outcome>, about: Verb) =>
    traceVerb(ask, about, spans);
  return {
    ...orders,
    place: tracePlacing(orders.place, "place", spans),
    call: tracePlacing(orders.call, "call", spans),
    reserve: (item) => {
      const span = beginPlacing(spans, "reserve", DEFAULT_QUEUE, item.traceparent);
      return endWith(span, "reserved", orders.reserve({ ...item, traceparent: keptOf(span) }));
    },
    retry: (item) => retry(orders, item, spans),
    start: traceAsk(orders.start, START, spans),
    finish: traceAsk(orders.finish, settling("finish"), spans),
    fail: verb(orders.fail, settling("fail")),
    release: verb(orders.release, settling("release")),
    cancel: verb(orders.cancel, ending("cancel")),
    complete: verb(orders.complete, COMPLETE),
  };
}

/** Records that a run ended orders whose time was over: by itself, or on the way to something else. */
function noteExpired({ lines, operations, sentAtMs }: AnsweredRun, spans: Spans): void {
  for (const [index, line] of lines.entries()) {
    // (Final orders that no operation shows stand behind the lines of all operations.)
    if (!line.startsWith("expired\t") && (index < operations || !line.startsWith("final\t"))) continue;
    const order = readFacts(line.slice(line.lastIndexOf("\t") + 1));
    if (order) spans.record({ ...ending("expire"), order, sinceMs: sentAtMs });
  }
}

function beginPlacing(spans: Spans, verb: string, queue: string, cause: string | undefined, old?: string): Span {
  const type = verb === "reserve" ? "create" : "send";
  return spans.begin({ verb, queue, type, kind: SpanKind.PRODUCER }, { cause, linked: old });
}

/** What the order keeps of the span that places it. */
function keptOf(span: Span): string | undefined {
  return isRecorded(span) ? toTraceparent(span) : undefined;
}

function tracePlacing<Item extends Asked & { readonly queue: string }>(
  ask: Ask<Item, PlaceOutcome>,
  verb: string,
  spans: Spans,
): Ask<Item, PlaceOutcome> {
  return createAsk((item, settle, reject) => {
    if (item.traceparent === UNTRACED) return ask.callBack({ ...item, traceparent: undefined }, settle, reject);
    const span = beginPlacing(spans, verb, item.queue, item.traceparent);
    ask.callBack(
      { ...item, traceparent: keptOf(span) },
      (outcome) => {
        // A span that is not ended is dropped.
        if (outcome.kind === "placed") span.end();
        settle(outcome);
      },
      (error) => {
        endFailed(span, nameOfError(error));
        reject(error);
      },
    );
  });
}

/** Asked again, a verb answers the order that it made first: that is of another span. */
async function endWith<Outcome extends Answered>(span: Span, done: string, asking: Promise<Outcome>): Promise<Outcome> {
  try {
    const outcome = await asking;
    const { kind, order = "" } = outcome;
    if (kind === done && readFacts(order)?.traceparent === keptOf(span)) span.end();
    return outcome;
  } catch (error) {
    endFailed(span, nameOfError(error));
    throw error;
  }
}

/** The new order is of a trace of its own, which names that of the dead one. */
async function retry(orders: Orders, item: Retry, spans: Spans): Promise<RetryOutcome> {
  const dead = factsIn(await orders.find(item.orderId));
  const span = beginPlacing(spans, "retry", dead?.queue ?? DEFAULT_QUEUE, item.traceparent, dead?.traceparent);
  return await endWith(span, "retried", orders.retry({ ...item, traceparent: keptOf(span) }));
}

function factsIn(found: FindOutcome) {
  return found.kind === "found" ? readFacts(found.order) : undefined;
}

function traceAsk<Item extends Asked, Outcome extends Answered>(
  ask: Ask<Item, Outcome>,
  about: Verb,
  spans: Spans,
): Ask<Item, Outcome> {
  return createAsk((item, settle, reject) => {
    const sinceMs = performance.now();
    const settleTraced = (outcome: Outcome): void => {
      note(outcome, { ...about, sinceMs, cause: item.traceparent }, spans);
      settle(outcome);
    };
    ask.callBack(item, settleTraced, reject);
  });
}

function traceVerb<Item extends Asked, Outcome extends Answered>(
  ask: (item: Item) => Promise<Outcome>,
  about: Verb,
  spans: Spans,
) {
  return async (item: Item): Promise<Outcome> => {
    const sinceMs = performance.now();
    const outcome = await ask(item);
    note(outcome, { ...about, sinceMs, cause: item.traceparent }, spans);
    return outcome;
  };
}

function note({ order: json }: Answered, happened: Omit<Happened, "order">, spans: Spans): void {
  const order = json === undefined ? undefined : readFacts(json);
  if (order) spans.record({ ...happened, order });
}
