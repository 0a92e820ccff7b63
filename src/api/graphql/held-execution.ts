/**
 * Owns the answer of an operation under way: with signs of life, where it takes long.
 *
 * **Invariants**
 * - An answer that has begun ends with the whole result: errors stand in it.
 */
import { HeldAnswer, type Heartbeat, type HttpConnection } from "../../http/hold.ts";

export class HeldExecution extends HeldAnswer {
  /** `execution` must not reject. */
  constructor(connection: HttpConnection, heartbeat: Heartbeat, execution: Promise<Response>) {
    super(connection, heartbeat);
    this.keepAlive();
    void execution.then((answer) => this.end(answer));
  }

  protected override endBegun(instead: Response): Promise<string> {
    return instead.text();
  }
}
