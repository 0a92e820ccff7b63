/**
 * Owns the answers of webhooks' targets: what a status means, and how much of a body is read.
 *
 * **Invariants**
 * - The status alone says what became of a message.
 * - No target can put a message off for ever.
 * - A body costs a bounded time and a bounded size.
 */
import { readRetryAfterMs } from "../retry-after.ts";
import { within } from "../within.ts";

/** So much is read: its connection can serve the next message then. */
const MAX_BYTES = 16_384;
const MAX_MS = 1000;
/** However long a target asks to be left alone. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export type Judged =
  | { readonly kind: "delivered"; readonly status: number }
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfterMs?: number };

export function judge({ status, headers, ok }: Response): Judged {
  if (ok) return { kind: "delivered", status };
  if (status === 410) return { kind: "gone" };
  const isRedirect = status >= 300 && status < 400;
  const why = isRedirect ? `it answered ${status}, and no redirect is followed` : `it answered ${status}`;
  const retryAfterMs = Math.min(MAX_RETRY_AFTER_MS, readRetryAfterMs(headers));
  return { kind: "failed", why, ...(retryAfterMs > 0 && { retryAfterMs }) };
}

/** Reads a short body to its end. What is longer, or later, is left unread. Never rejects. */
export async function drain({ body }: Response): Promise<void> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  if (!reader) return;
  const readAll = async (): Promise<void> => {
    for (let size = 0; size < MAX_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
    }
  };
  // What was delivered stays so, whatever becomes of the rest.
  await within(MAX_MS, readAll()).catch(() => {});
  reader.cancel().catch(() => {});
}
