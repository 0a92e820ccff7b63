/**
 * Owns the order by which the doctor holds a request: scheduled for another day, so that no barista gets it.
 *
 * **Invariants**
 * - It is cancelled at the end, also when the doctor is interrupted; where that fails, a finding names it.
 */
import { ask, described, member } from "./http.ts";

/** Beyond what any measuring takes; within the 7 days that an order may be scheduled ahead. */
const AHEAD_MS = 6 * 86_400_000;
const NOTE = "longpour doctor measures with this: do not make it";
const MAX_CANCELS = 3;

export type Placed =
  | { readonly kind: "placed"; readonly order: ProbeOrder }
  /** The shop takes none now: closed, full, or it wants a code. */
  | { readonly kind: "refused"; readonly said: string };

export class ProbeOrder {
  readonly id: string;
  readonly #url: string;

  private constructor(url: string, id: string) {
    this.#url = url;
    this.id = id;
  }

  /**
   * Throws where nothing answers. It is not interrupted: an order that was placed has to be known to be cancelled.
   * Asked again under its key, the server answers with the order that it has placed.
   */
  static async place(url: string): Promise<Placed> {
    const notBefore = new Date(Date.now() + AHEAD_MS).toISOString();
    const asking = {
      method: "POST",
      headers: { Prefer: "respond-async", "Idempotency-Key": crypto.randomUUID() },
      json: { note: NOTE, not_before: notBefore },
    };
    const answer = await ask(`${url}/order/`, asking).catch(() => ask(`${url}/order/`, asking));
    const id = member(answer.text, "order_id");
    if (answer.status !== 202 || typeof id !== "string") return { kind: "refused", said: described(answer) };
    return { kind: "placed", order: new ProbeOrder(url, id) };
  }

  get path(): string {
    return `${this.#url}/order/${this.id}`;
  }

  /** Cancels it; resolves to whether that worked. Never rejects. */
  async cancel(): Promise<boolean> {
    for (let attempt = 1; attempt <= MAX_CANCELS; attempt++) {
      const answer = await ask(this.path, { method: "PATCH", json: { status: "cancelled" } }).catch(() => undefined);
      // 404, 409: there is nothing left to cancel.
      if (answer && [200, 404, 409].includes(answer.status)) return true;
    }
    return false;
  }
}
