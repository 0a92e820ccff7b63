/** Owns connections for requests that overlap: as many as are needed at once, used again. */
import type { Answer } from "./answer.ts";
import { Connection, type Endpoint } from "./connection.ts";

export class Pool {
  readonly #endpoint: Endpoint;
  readonly #free: Connection[] = [];

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Sends on a free connection, or on a new one. `onSend` is called when the request leaves. */
  async send(request: string, onSend: () => void = () => {}): Promise<Answer> {
    const connection = this.#takeFree() ?? (await Connection.open(this.#endpoint));
    onSend();
    const answer = await connection.send(request);
    this.#free.push(connection);
    return answer;
  }

  close(): void {
    for (const connection of this.#free.splice(0)) connection.close();
  }

  /** A server closes connections that idle. */
  #takeFree(): Connection | undefined {
    for (;;) {
      const connection = this.#free.pop();
      if (!connection?.isClosed) return connection;
    }
  }
}
