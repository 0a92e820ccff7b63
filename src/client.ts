/**
 * Owns the customers' side of the protocol: a typed client on `fetch`, for browsers, Node and Bun.
 *
 * An order outlives every connection, so a wait is one or many tries: what another try may mend (a lost connection,
 * half an answer, silence, a busy or stopping server) is tried again; what none can mend rejects with OrderRefused.
 *
 * **Invariants**
 * - All tries of an order carry one Idempotency-Key, so it is one order.
 * - Between two tries is a pause, random, so that a crowd does not come back as one, and never shorter than
 *   Retry-After.
 * - No timer, listener or body outlives the call.
 */
// eslint-disable-next-line no-restricted-imports -- types only: nothing of the server runs here
import type { Draft, Order } from "./orders/order.ts";
import type { FieldFault } from "./problem.ts";

export type { Draft, FieldFault, Order };

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5000;
/** A call that is to come back later than this is refused: so long a wait makes no sense. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;
/** Characters. An order has a few hundred, and its result up to 256 KB. */
const LONGEST_ANSWER = 1_000_000;
/** What a timer can count to. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Statuses that pass: too many, a proxy without its server, a server that is busy or stopping. */
const PASSING = new Set([429, 502, 503, 504]);

/** The part of `fetch` that the client needs. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
  /** Where customers order, such as `http://localhost:8000`; in a browser "" is the page's own server. */
  readonly url: string | URL;
  readonly fetch?: Fetch;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A try on which nothing comes for so long is given up and made again: a half-open connection is silent for ever. Has
   * to be above the server's HEARTBEAT_SECONDS; Node's fetch gives up after 300 anyway. Default 90.
   */
  readonly silenceSeconds?: number;
  /** Called for every try that failed, before the pause. If it throws, that rejects the call: a way to give up. */
  readonly onRetry?: (retry: Retry) => void;
}

/**
 * Why another try is needed. lost: no connection, or it broke. silent: nothing came for `silenceSeconds`. cut: the
 * answer ended before its JSON did. busy: the server said so, with `status`. unfinished: the answer came before the
 * order was final, as from a server that stops in the middle of it.
 */
export interface Retry {
  readonly reason: "lost" | "silent" | "cut" | "busy" | "unfinished";
  readonly status: number | undefined;
  /** Tries so far, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
}

export interface CallOptions {
  /**
   * Aborting rejects at once with the signal's reason. The order goes on: cancel it, or come back with the same key.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface OrderOptions extends CallOptions {
  /**
   * Best a UUID; the same key with the same draft joins the order first placed under it. A new UUID where it is absent.
   */
  readonly idempotencyKey?: string;
}

/** Each resolves to an order as the server spells it, and rejects with OrderRefused or the signal's reason. */
export interface Client {
  /** Orders, and waits until the order is final: `status` says whether it is ready or cancelled. */
  order(draft?: Draft, options?: OrderOptions): Promise<Order>;
  /** The order as it is now. */
  find(orderId: string, options?: CallOptions): Promise<Order>;
  /** Waits until an order placed before is final. */
  wait(orderId: string, options?: CallOptions): Promise<Order>;
  /** Cancels an order that is still queued. */
  cancel(orderId: string, options?: CallOptions): Promise<Order>;
}

/** Problem details (RFC 9457), as far as an answer has them. */
interface Problem {
  readonly status?: number | undefined;
  readonly type?: string | undefined;
  readonly title?: string | undefined;
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldFault[] | undefined;
}

/** The server's no, or an answer that is none of Longpour's. */
export class OrderRefused extends Error {
  override readonly name = "OrderRefused";
  readonly status: number;
  /** A URI; `about:blank` when the answer was no problem+json. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  /** The faulty fields of the input. */
  readonly errors: readonly FieldFault[];

  constructor({
    status,
    type = "about:blank",
    title = `Status ${status}`,
    detail = "",
    errors = [],
  }: Problem & { readonly status: number }) {
    super(detail ? `${title}: ${detail}` : title);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
  }
}

/** One request, to be made as often as needed. */
export interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** One try of it. */
interface Try {
  readonly fetch: Fetch;
  readonly url: string;
  readonly init: RequestInit;
  readonly signal: AbortSignal | undefined;
  readonly silenceMs: number;
}

/** A whole answer. One that began with heartbeats has begun with 200 (`ok`), whatever `status` its end shows. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly json: unknown;
}

/** What a try came to, if not to a refusal. */
export type Outcome<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | {
      readonly kind: "again";
      readonly reason: Retry["reason"];
      readonly status?: number;
      readonly retryAfterMs?: number;
      /** The path at which the order is waited for from now on. */
      readonly continueAt?: string | undefined;
    };

/** What an answer that may be the one asked for comes to; undefined when it is not. */
export type Accept<Value> = (answer: Answer) => Outcome<Value> | undefined;

/** Asks until an answer is accepted, or none can be. */
export type Asking = <Value>(ask: Ask, accept: Accept<Value>) => Promise<Value>;

/** Makes what every call is made of: a request that is tried again for as long as that may help. */
export function createAsking({
  url,
  fetch = globalThis.fetch,
  headers,
  silenceSeconds = 90,
  onRetry,
}: ClientOptions): Asking {
  const base = String(url).replace(/\/+$/, "");
  const silenceMs = Math.min(silenceSeconds * 1000, LONGEST_TIMER_MS);

  return async <Value>({ path, method = "GET", json, signal, ...own }: Ask, accept: Accept<Value>): Promise<Value> => {
    const content = json === undefined ? undefined : { "Content-Type": "application/json" };
    const init: RequestInit = { method, headers: { ...headers, ...content, ...own.headers } };
    if (json !== undefined) init.body = JSON.stringify(json);
    // Throws what no try could mend: fetch would tell a wrong URL or header like a lost connection.
    let target = new Request(base + path, init).url;
    let sent = init;

    for (let attempt = 1, failures = 1; ; attempt++, failures++) {
      signal?.throwIfAborted();
      const beganMs = performance.now();
      const outcome = await tryOnce({ fetch, url: target, init: sent, signal, silenceMs }, accept);
      if (outcome.kind === "done") return outcome.value;
      // A connection that held for long says that the server was well.
      if (performance.now() - beganMs > LONGEST_BACK_OFF_MS) failures = 1;
      const { reason, status, retryAfterMs = 0, continueAt } = outcome;
      if (continueAt !== undefined) {
        target = base + continueAt;
        sent = { headers: { ...headers } };
      }
      const delayMs = retryAfterMs + backOffMs(failures);
      onRetry?.({ reason, status, attempt, delayMs });
      await pause(delayMs, signal);
    }
  };
}

/** Makes a client. It holds nothing between calls. A wrong `url` or header rejects with a TypeError. */
export function createClient(options: ClientOptions): Client {
  const ask = createAsking(options);
  return {
    order: (draft = {}, { signal, idempotencyKey = createKey() } = {}) => {
      const headers = { "Idempotency-Key": idempotencyKey };
      return ask({ path: "/order/", method: "POST", headers, json: draft, signal }, acceptFinal);
    },
    find: (orderId, { signal } = {}) => ask({ path: pathOf(orderId), signal }, acceptOrder),
    wait: (orderId, { signal } = {}) => ask({ path: `${pathOf(orderId)}?wait`, signal }, acceptFinal),
    cancel: (orderId, { signal } = {}) =>
      ask({ path: pathOf(orderId), method: "PATCH", json: { status: "cancelled" }, signal }, acceptOrder),
  };
}

function acceptOrder({ ok, json }: Answer): Outcome<Order> | undefined {
  return ok && isOrder(json) ? { kind: "done", value: json } : undefined;
}

/** Only a final order is an answer. */
function acceptFinal(answer: Answer): Outcome<Order> | undefined {
  const continueAt = answer.ok ? readContinuation(answer.json) : undefined;
  if (continueAt !== undefined) return { kind: "again", reason: "unfinished", continueAt };
  const outcome = acceptOrder(answer);
  return outcome?.kind === "done" && !isFinal(outcome.value) ? { kind: "again", reason: "unfinished" } : outcome;
}

/**
 * Bun's fetch ends a connection that is silent for five minutes, unless `timeout` is false; elsewhere `timeout` means nothing.
 */
type PatientInit = RequestInit & { readonly timeout: false };

/** Asks once, under a watch for silence and for the caller's signal. */
async function tryOnce<Value>(
  { fetch, url, init, signal, silenceMs }: Try,
  accept: Accept<Value>,
): Promise<Outcome<Value>> {
  const connection = new AbortController();
  const hangUp = (): void => connection.abort(signal?.reason);
  const giveUp = (): void => connection.abort();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(giveUp, silenceMs);
  };
  heard();
  signal?.addEventListener("abort", hangUp);
  try {
    const patient: PatientInit = { ...init, signal: connection.signal, timeout: false };
    const response = await fetch(url, patient);
    heard();
    return judge(response, await readText(response, heard), accept);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof OrderRefused) throw error;
    return { kind: "again", reason: connection.signal.aborted ? "silent" : "lost" };
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener("abort", hangUp);
    // A body that was not read to its end would hold the connection.
    connection.abort();
  }
}

/**
 * The body without the spaces before it, which are heartbeats; of one that is too long, a little more than the bound.
 */
async function readText({ body }: Response, heard: () => void): Promise<string> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (reader && text.length <= LONGEST_ANSWER) {
    const { done, value } = await reader.read();
    if (done) break;
    heard();
    text = (text + decoder.decode(value, { stream: true })).trimStart();
  }
  return text;
}

/** What an answer means. Throws OrderRefused when another try would bring no other. */
function judge<Value>(
  { ok, status: sentStatus, headers }: Response,
  text: string,
  accept: Accept<Value>,
): Outcome<Value> {
  const json = parseJson(text);
  const problem = readProblem(json);
  const status = ok ? (problem.status ?? sentStatus) : sentStatus;
  const outcome = accept({ ok, status, json });
  if (outcome) return outcome;
  const retryAfterMs = readRetryAfterMs(headers);
  if (PASSING.has(status) && retryAfterMs <= LONGEST_RETRY_AFTER_MS) {
    return { kind: "again", reason: "busy", status, retryAfterMs };
  }
  if (status < 200 || status > 299) throw new OrderRefused({ ...problem, status });
  const isJson = /json|^$/i.test(headers.get("Content-Type") ?? "");
  if (isJson && json === undefined && text.length <= LONGEST_ANSWER) return { kind: "again", reason: "cut" };
  throw new OrderRefused({ status, title: "The answer is no order" });
}

/**
 * Retry-After (RFC 9110, 10.2.3) in milliseconds; 0 when there is none. A date counts from the server's own, where
 * the answer has one.
 */
function readRetryAfterMs(headers: Headers): number {
  const text = headers.get("Retry-After") ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const nowMs = Date.parse(headers.get("Date") ?? "") || Date.now();
  return Math.max(0, Date.parse(text) - nowMs || 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isOrder(value: unknown): value is Order {
  return isRecord(value) && typeof value["order_id"] === "string" && typeof value["status"] === "string";
}

/** Where the server says that the order goes on: a path of its own, never another server's. */
function readContinuation(value: unknown): string | undefined {
  const path = isRecord(value) ? value["continue_at"] : undefined;
  return typeof path === "string" && /^\/[^/\\\s]/.test(path) ? path : undefined;
}

function readProblem(value: unknown): Problem {
  const { status, type, title, detail, errors } = isRecord(value) ? value : {};
  const textOf = (field: unknown): string | undefined => (typeof field === "string" ? field : undefined);
  return {
    status: typeof status === "number" ? status : undefined,
    type: textOf(type),
    title: textOf(title),
    detail: textOf(detail),
    errors: Array.isArray(errors) ? (errors as FieldFault[]) : undefined,
  };
}

function isFinal({ status }: Order): boolean {
  return status === "ready" || status === "cancelled";
}

function pathOf(orderId: string): string {
  return `/order/${encodeURIComponent(orderId)}`;
}

/** A random UUID, which counts alone. Not randomUUID: a browser has that only for pages over https. */
function createKey(): string {
  const digits = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  return digits.join("").replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}

/** Full jitter: evenly spread from 0 to a bound that doubles with each failure in a row, counted from 1. */
function backOffMs(failures: number): number {
  return Math.random() * Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (failures - 1));
}

/** Resolves after `ms`; rejects at once with the signal's reason. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    };
    // Timers may be early by a part of a millisecond.
    const timer = setTimeout(end, ms + 1);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
