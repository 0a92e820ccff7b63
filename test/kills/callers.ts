/**
 * Owns the customers who call while makers and servers are killed: in a closed loop each, by the client's `call()`.
 *
 * **Invariants**
 * - Each input is called for once: its square is its own result.
 * - A call that takes longer than `timeoutMs`, over all tries, is a fault.
 */
import { createClient, type Order } from "../../src/client/index.ts";

export class Callers {
  /** Tries that failed, and were made again. */
  retries = 0;
  readonly orderIds = new Set<string>();
  /** What no customer may meet. */
  readonly faults: string[] = [];
  readonly #loops: readonly Promise<void>[];
  readonly #timeoutMs: number;
  #calls = 0;
  #isOver = false;

  /** `urls`: customers take turns at them. */
  constructor(urls: readonly string[], { callers, timeoutMs }: { callers: number; timeoutMs: number }) {
    this.#timeoutMs = timeoutMs;
    this.#loops = Array.from({ length: callers }, (_, index) => this.#keepCalling(urls[index % urls.length] ?? ""));
  }

  get calls(): number {
    return this.#calls;
  }

  /** Nobody calls any more; resolves once all have their answers, or gave up. */
  async goHome(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #keepCalling(url: string): Promise<void> {
    const client = createClient({ url, onRetry: () => (this.retries += 1) });
    while (!this.#isOver) {
      const n = (this.#calls += 1);
      const idempotencyKey = crypto.randomUUID();
      const ask = (): Promise<Order> =>
        client.call("squares", { n }, { idempotencyKey, signal: AbortSignal.timeout(this.#timeoutMs) });
      try {
        const order = await ask();
        this.#judge(n, order);
        // Who did not look at their answer gets the same one again.
        if (!Bun.deepEquals(await ask(), order, true))
          this.faults.push(`call ${n}: answered differently when asked again`);
      } catch (error) {
        this.faults.push(`call ${n}: ${String(error)}`);
      }
    }
  }

  #judge(n: number, { order_id: orderId, status, reason, input, result }: Order): void {
    if (this.orderIds.has(orderId)) this.faults.push(`${orderId}: answered to two calls`);
    this.orderIds.add(orderId);
    if (status !== "ready") this.faults.push(`${orderId}: ${status} (${reason ?? "no reason"})`);
    else if (!Bun.deepEquals({ input, result }, { input: { n }, result: { n, square: n * n } }, true)) {
      this.faults.push(`${orderId}: call ${n} was answered ${JSON.stringify({ input, result })}`);
    }
  }
}
