/**
 * Owns the sending of webhooks: one signed request, and what became of it.
 *
 * **Invariants**
 * - It knows no order and no rule: a target, a message, an outcome.
 * - A try ends within its time, whatever the target does.
 */

/** Where a webhook goes. */
export interface WebhookTarget {
  readonly url: string;
  /** One or two, `whsec_…`: each signs, so that a receiver can change from one to the other. */
  readonly secrets: readonly string[];
  /** Bounds one try: connecting, headers and body together. */
  readonly timeoutMs: number;
}

export interface WebhookMessage {
  /** Stable over tries and replicas: the receiver drops repeats by it. */
  readonly id: string;
  /** JSON text. */
  readonly body: string;
  /** Such as `traceparent`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What became of one try. No `why` holds a body, a secret, or the query of an address. */
export type SendOutcome =
  | { readonly kind: "delivered"; readonly status: number }
  /** 410: its target wants no more. */
  | { readonly kind: "gone" }
  /** To be tried again, after `retryAfterMs` if the target said so. */
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs?: number }
  /** The circuit of its host is open: nothing was sent, and no try counts. */
  | { readonly kind: "held"; readonly why: string; readonly retryAfterMs: number }
  /** An address that must not be reached: not to be tried again. */
  | { readonly kind: "forbidden"; readonly why: string };

export class WebhookSender {
  /** Sends it once. Throws only when `signal` is aborted. */
  send(_target: WebhookTarget, _message: WebhookMessage, _signal: AbortSignal): Promise<SendOutcome> {
    throw new Error("to be written");
  }

  /** Ends what is under way, and the connections that are kept. */
  close(): void {}
}
