/**
 * Owns how spans leave the server: in batches, as OTLP over HTTP in JSON.
 *
 * **Invariants**
 * - At most MAX_WAITING spans wait, and each batch is tried for a bounded time: what is more is dropped, and counted.
 * - While the receiver fails, pauses grow; the log has a line as that begins, and one as it ends.
 * - No header is logged, and no redirect followed: headers may hold a secret.
 * - Once closed nothing is under way.
 */
import { ExportResultCode, type ExportResult } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace";
import { maxPauseMs, type BackOff } from "../back-off.ts";
import type { Log } from "../log.ts";
import { between, pause } from "../pause.ts";
import { within } from "../within.ts";
import type { TraceSettings } from "../trace-settings.ts";

/** About 4 MB: a second or two of a busy server's. */
const MAX_WAITING = 4096;
/** A few milliseconds of work, and a few hundred KB on the wire. */
const BATCH = 512;
const DELAY_MS = 1000;
const SEND_TIMEOUT_MS = 5000;
/** How long one batch is tried, but for the last try. */
const TRY_MS = 20_000;
const BACK_OFF: BackOff = { firstMs: 500, maxMs: 15_000 };
/** Once the server stops, all that is left is sent in this time, or dropped. */
const LAST_FLUSH_MS = 2000;
const DROPPED_NEWS_MS = 60_000;
/** Answers that another try may change. */
const RETRYABLE = new Set([408, 429, 502, 503, 504]);

/** `waitMs`: how long the receiver wants to be left alone. */
interface Failed {
  readonly kind: "failed";
  readonly why: string;
  readonly isRetryable: boolean;
  readonly waitMs: number;
}
type Sent = { readonly kind: "delivered" } | Failed;

interface ExporterParts extends Pick<TraceSettings, "url" | "headers"> {
  readonly log: Log;
}

export class OtlpExporter implements SpanExporter {
  readonly #parts: ExporterParts;
  /** Aborted when the server stops: what waits is tried once more, at once. */
  readonly #closing = new AbortController();
  /** Aborted when nothing more is sent. */
  readonly #over = new AbortController();
  #waiting = 0;
  #failures = 0;
  #nextTryMs = 0;
  /** Since the last line that named them. */
  #lost = 0;
  #droppedNewsMs = -Infinity;

  constructor(parts: ExporterParts) {
    this.#parts = parts;
  }

  /** Whether one more span may wait. One that may not is counted as lost. */
  hasRoom(): boolean {
    if (this.#waiting < MAX_WAITING) return true;
    this.#lost += 1;
    if (this.#failures === 0) this.#warnOfDropped();
    return false;
  }

  /** Has a span wait for its batch. False: too many do. */
  admit(): boolean {
    if (!this.hasRoom()) return false;
    this.#waiting += 1;
    return true;
  }

  export(spans: readonly ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#waiting -= spans.length;
    // What is lost is logged here: the processor would say it to no one.
    void this.#deliver(spans).finally(() => done({ code: ExportResultCode.SUCCESS }));
  }

  /** Called as the server stops, before what waits is handed over. */
  beginClosing(): void {
    this.#closing.abort();
  }

  async shutdown(): Promise<void> {
    this.#over.abort();
  }

  /** Tries a batch until it is delivered or lost. It never rejects. */
  async #deliver(spans: readonly ReadableSpan[]): Promise<void> {
    const deadlineMs = performance.now() + TRY_MS;
    const { signal } = this.#closing;
    try {
      const body = JsonTraceSerializer.serializeRequest([...spans]);
      let isOver = body === undefined;
      while (!isOver) {
        await pause(Math.max(0, this.#nextTryMs - performance.now()), signal);
        const sent = await this.#send(body);
        if (sent.kind === "delivered") return this.#noteDelivered();
        isOver = !sent.isRetryable || signal.aborted || performance.now() > deadlineMs;
        this.#noteFailure(sent, isOver ? spans.length : 0);
      }
    } catch (error) {
      this.#noteFailure(toFailed(error), spans.length);
    }
  }

  async #send(body: Uint8Array | undefined): Promise<Sent> {
    const { url, headers } = this.#parts;
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]);
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        redirect: "manual",
        signal,
      });
      await answer.body?.cancel();
      if (answer.ok) return { kind: "delivered" };
      const { status } = answer;
      const waitMs = 1000 * Number(answer.headers.get("retry-after") ?? 0);
      return { kind: "failed", why: `status ${status}`, isRetryable: RETRYABLE.has(status), waitMs };
    } catch (error) {
      return toFailed(error);
    }
  }

  #noteFailure({ why, waitMs }: Failed, lost: number): void {
    this.#lost += lost;
    this.#failures += 1;
    const longestMs = maxPauseMs(this.#failures, BACK_OFF);
    // (A date, or anything else that is no number of seconds, is left to the back-off.)
    const pauseMs = waitMs > longestMs ? Math.min(waitMs, BACK_OFF.maxMs) : between(longestMs / 2, longestMs);
    this.#nextTryMs = performance.now() + pauseMs;
    if (this.#failures > 1) return;
    this.#parts.log.warn({ why }, "spans can't be sent: trying again, and dropping those that are too many");
  }

  #noteDelivered(): void {
    if (this.#failures > 0) this.#parts.log.info({ lost: this.#lost }, "spans are sent again");
    if (this.#failures > 0) this.#lost = 0;
    this.#failures = 0;
  }

  /** The receiver answers, and not fast enough. */
  #warnOfDropped(): void {
    if (performance.now() - this.#droppedNewsMs < DROPPED_NEWS_MS) return;
    this.#droppedNewsMs = performance.now();
    this.#parts.log.warn({ lost: this.#lost }, "more spans than can be sent: trace a part of the orders only");
    this.#lost = 0;
  }
}

/** Batches spans for an exporter that says how many may wait. */
export class BoundedProcessor extends BatchSpanProcessor {
  readonly #exporter: OtlpExporter;

  constructor(exporter: OtlpExporter) {
    super({
      exporter,
      maxQueueSize: MAX_WAITING,
      maxExportBatchSize: BATCH,
      scheduledDelayMillis: DELAY_MS,
      // The exporter's own bounds come first.
      exportTimeoutMillis: 2 * (TRY_MS + BACK_OFF.maxMs + SEND_TIMEOUT_MS),
    });
    this.#exporter = exporter;
  }

  override onEnd(span: ReadableSpan): void {
    if (this.#exporter.admit()) super.onEnd(span);
  }

  /** Sends what waits, for a bounded time. */
  override async shutdown(): Promise<void> {
    this.#exporter.beginClosing();
    await within(LAST_FLUSH_MS, super.shutdown());
    await this.#exporter.shutdown();
  }
}

function toFailed(error: unknown): Failed {
  return { kind: "failed", why: readWhy(error), isRetryable: true, waitMs: 0 };
}

/** The kind of a failure: its message may hold more than may stand in a log. */
function readWhy(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.name === "TimeoutError") return `no answer within ${SEND_TIMEOUT_MS / 1000} s`;
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
