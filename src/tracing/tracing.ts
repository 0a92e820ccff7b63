/**
 * Owns what a server can trace, and whether it does.
 *
 * **Invariants**
 * - Without an endpoint there is no tracing: nothing of OpenTelemetry is loaded, and nothing is asked a request.
 * - What the others know of it is here: no other file knows a span.
 */
import type { Log } from "../log.ts";
import type { Orders } from "../orders/orders.ts";
import type { OrderJson } from "../orders/order.ts";
import type { TraceSettings } from "../trace-settings.ts";

/** In place of a `traceparent`: it was decided that what is done for this request is not traced. */
export const UNTRACED = "";

/** The wait of a customer who was held, now that it is over. */
export interface Wait {
  readonly queue: string;
  /** Since when they were held, by `performance.now()`. */
  readonly sinceMs: number;
  readonly outcome: string;
  /** Their order, where they were answered with it. */
  readonly order?: OrderJson | undefined;
  /** The `traceparent` of their request. */
  readonly cause?: string | undefined;
}

/** The request that orders something. */
export interface Asked {
  /** Its path, as the routes name it. */
  readonly route: string;
  /** Its `traceparent`, as it was sent. */
  readonly cause: string | undefined;
}

export interface RequestSpan {
  /** What is done for the request names it so. */
  readonly traceparent: string;
  /** Returns the answer as it is. */
  readonly end: (answer: Response) => Response;
  /** For a request that came to no answer of its own. Throws the error as it is. */
  readonly fail: (error: unknown) => never;
}

/** What came of a machine's making. `fault`: why it failed. */
interface Made {
  readonly kind: string;
  readonly fault?: string | undefined;
}

export interface MakingSpan {
  /** What the machine asks of others names it so. */
  readonly traceparent: string;
  readonly end: (made: Made) => void;
}

export interface Tracing {
  /** The same orders, each verb with its span, and with one for each order whose time was over. */
  readonly traceOrders: (orders: Orders) => Orders;
  readonly noteWait: (wait: Wait) => void;
  /** Undefined: it is not recorded, nor is what is done for it. */
  readonly beginRequest: (request: Request, asked: Asked) => RequestSpan | undefined;
  /** Undefined: the order is not traced. */
  readonly beginMaking: (order: OrderJson) => MakingSpan | undefined;
  /** Sends what is left, for at most 2 s. */
  readonly close: () => Promise<void>;
}

interface Opening {
  readonly traces: TraceSettings | undefined;
  /** Names this server in what it sends. */
  readonly replica: string;
  readonly log: Log;
}

/** Undefined: nothing is traced. */
export async function openTracing({ traces, replica, log }: Opening): Promise<Tracing | undefined> {
  if (!traces) return undefined;
  const { createTracing } = await import("./sdk.ts");
  return createTracing(traces, replica, log);
}
