/**
 * Owns what is known of the shop under test: its orders by their last state seen, and the current code.
 *
 * **Invariants**
 * - It learns from answers only, and keeps a bounded number of ids.
 * - A placeholder always gets an id, if only one of no order.
 */
const MAX_ORDERS_PER_STATE = 200;
const UNKNOWN_ID = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

export class Stock {
  readonly #states = new Map<string, string>();
  code = "NOCODEYET";

  /** Looks for orders in the JSON of an answer. */
  learn(body: unknown): void {
    if (typeof body !== "object" || body === null) return;
    if ("orders" in body && Array.isArray(body.orders)) for (const order of body.orders) this.learn(order);
    if ("retried" in body && Array.isArray(body.retried)) for (const order of body.retried) this.learn(order);
    if ("order_id" in body && "status" in body) this.#note(String(body.order_id), String(body.status));
  }

  /** Puts real ids, times and the code in place of `<order:state:n>`, `<ahead:ms>` and `<code>`. */
  fill(text: string): string {
    return text
      .replaceAll(/<order:(\w+):(\d+)>/g, (_, state: string, index: string) => this.#pick(state, Number(index)))
      .replaceAll(/<ahead:(-?\d+)>/g, (_, ms: string) => new Date(Date.now() + Number(ms)).toISOString())
      .replaceAll("<code>", this.code);
  }

  #note(id: string, state: string): void {
    this.#states.delete(id);
    this.#states.set(id, state);
    const same = [...this.#states].filter(([, other]) => other === state);
    const [oldest] = same;
    if (same.length > MAX_ORDERS_PER_STATE && oldest) this.#states.delete(oldest[0]);
  }

  #pick(state: string, index: number): string {
    const ids = [...this.#states].flatMap(([id, other]) => (state === "any" || other === state ? [id] : []));
    return ids.at(ids.length === 0 ? 0 : index % ids.length) ?? UNKNOWN_ID;
  }
}
