/**
 * Owns a request and its tries, on `fetch`.
 *
 * What another try may mend (a lost connection, half an answer, silence, a busy or stopping server) is tried again.
 * What none can mend rejects with OrderRefused.
 *
 * **Invariants**
 * - A try ends when nothing has come for `silenceSeconds`.
 * - No timer, listener or body outlives the call.
 */
import { OrderRefused, readProblem } from "./problem.ts";
import { readRetryAfterMs } from "../retry-after.ts";
import { isRetryable, Retrier, type Pausing, type Tried } from "./retry.ts";
import { SilenceWatch } from "./silence.ts";

const BACK_OFF = { firstMs: 100, maxMs: 5000 };
/** A call that is to come back later than this is refused: so long a wait makes no sense. */
const MAX_RETRY_AFTER_MS = 86_400_000;
/** Characters. An order has a few hundred, and its result up to 256 KB. */
const MAX_ANSWER_LENGTH = 1_000_000;
/** A timer counts no further. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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
export interface Retry extends Pausing {
  readonly reason: "lost" | "silent" | "cut" | "busy" | "unfinished";
  readonly status: number | undefined;
}

/** One request, to be made as often as needed. */
export interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Becomes the body. */
  readonly json?: unknown;
  /** The body as JSON, where it is that already. */
  readonly body?: string | undefined;
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

interface Failure {
  readonly kind: "again";
  readonly reason: Retry["reason"];
  readonly status?: number;
  readonly retryAfterMs?: number;
  /** The path at which the order is waited for from now on. */
  readonly continueAt?: string | undefined;
}

/** The outcome of a try, if it is no refusal. */
export type Outcome<Value> = Tried<Value, Failure>;

/** Reads an answer that may be the one asked for; undefined when it is not. */
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
  const silenceMs = Math.min(silenceSeconds * 1000, MAX_TIMER_MS);
  const retrier = new Retrier(BACK_OFF);

  return async <Value>({ path, method = "GET", signal, ...own }: Ask, accept: Accept<Value>): Promise<Value> => {
    const body = own.json === undefined ? own.body : JSON.stringify(own.json);
    const content = body === undefined ? undefined : { "Content-Type": "application/json" };
    const init: RequestInit = { method, headers: { ...headers, ...content, ...own.headers } };
    if (body !== undefined) init.body = body;
    // Throws what no try could mend: of a wrong URL or header fetch would say that the connection was lost.
    let sent = { url: new Request(base + path, init).url, init };

    return await retrier.run<Value, Failure>(() => tryOnce({ fetch, ...sent, signal, silenceMs }, accept), {
      signal,
      onRetry: ({ reason, status, continueAt }, pausing) => {
        if (continueAt !== undefined) sent = { url: base + continueAt, init: { headers: { ...headers } } };
        onRetry?.({ reason, status, ...pausing });
      },
    });
  };
}

/**
 * Bun's fetch ends a connection that is silent for five minutes, unless `timeout` is false; elsewhere `timeout` means
 * nothing.
 */
type UntimedInit = RequestInit & { readonly timeout: false };

/** Asks once, under a watch for silence and for the caller's signal. */
async function tryOnce<Value>(
  { fetch, url, init, signal, silenceMs }: Try,
  accept: Accept<Value>,
): Promise<Outcome<Value>> {
  const connection = new AbortController();
  const hangUp = (): void => connection.abort(signal?.reason);
  const silence = new SilenceWatch(silenceMs, () => connection.abort());
  signal?.addEventListener("abort", hangUp);
  try {
    const untimed: UntimedInit = { ...init, signal: connection.signal, timeout: false };
    const response = await fetch(url, untimed);
    silence.heard();
    return judge(response, await readText(response, silence), accept);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof OrderRefused) throw error;
    return { kind: "again", reason: connection.signal.aborted ? "silent" : "lost" };
  } finally {
    silence.stop();
    signal?.removeEventListener("abort", hangUp);
    // A body that was not read to its end would hold the connection.
    connection.abort();
  }
}

/**
 * The body without the spaces before it, which are heartbeats; of one that is too long, a little more than the bound.
 */
async function readText({ body }: Response, silence: SilenceWatch): Promise<string> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (reader && text.length <= MAX_ANSWER_LENGTH) {
    const { done, value } = await reader.read();
    if (done) break;
    silence.heard();
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
  if (isRetryable(status, retryAfterMs, MAX_RETRY_AFTER_MS)) {
    return { kind: "again", reason: "busy", status, retryAfterMs };
  }
  if (status < 200 || status > 299) throw new OrderRefused({ ...problem, status });
  const isJson = /json|^$/i.test(headers.get("Content-Type") ?? "");
  if (isJson && json === undefined && text.length <= MAX_ANSWER_LENGTH) return { kind: "again", reason: "cut" };
  throw new OrderRefused({ status, title: "The answer is no order" });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
