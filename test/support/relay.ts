/**
 * Owns a relay to Redis that the tests can slow down and cut: TCP on loopback.
 *
 * **Invariants**
 * - Bytes keep their order, and closing the relay ends both its sides.
 */
import type { Socket, TCPSocketListener } from "bun";

interface Ends {
  readonly redis: Promise<Socket>;
  /** The last bytes on their way: the next ones stand behind them. */
  sent: Promise<unknown>;
}

/** How long bytes of a client take to Redis, ms: asked with the text they hold. */
export type DelayMs = (text: string) => number;

export class RedisRelay implements Disposable {
  readonly #listener: TCPSocketListener<Ends | undefined>;
  readonly #clients = new Set<Socket<Ends | undefined>>();
  #isCut = false;
  /** How many connections were refused while it was cut. */
  refused = 0;
  #port: number;
  /** Changes while the relay stands. */
  delayMs: DelayMs = () => 0;

  constructor(port: number) {
    this.#port = port;
    this.#listener = Bun.listen<Ends | undefined>({
      hostname: "127.0.0.1",
      port: 0,
      data: undefined,
      socket: {
        open: (client) => {
          if (this.#isCut) {
            this.refused += 1;
            client.terminate();
            return;
          }
          this.#clients.add(client);
          const redis = Bun.connect({
            hostname: "127.0.0.1",
            port: this.#port,
            socket: {
              data: (_redis, bytes) => void client.write(bytes),
              close: () => void client.end(),
              error: () => void client.end(),
            },
          });
          client.data = { redis, sent: redis };
        },
        data: (client, bytes) => {
          const ends = client.data;
          if (!ends) return;
          // A copy: the buffer is used again.
          const copy = Buffer.from(bytes);
          const wait = Bun.sleep(this.delayMs(copy.toString()));
          ends.sent = Promise.all([ends.sent, wait]).then(async () => (await ends.redis).write(copy));
        },
        close: (client) => {
          this.#clients.delete(client);
          void client.data?.redis.then((redis) => redis.end());
        },
        error: () => {},
      },
    });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#listener.port}`;
  }

  /** Ends all connections, and lets none through until it is mended. */
  cut(): void {
    this.#isCut = true;
    for (const client of this.#clients) client.terminate();
  }

  /** From now on, connections lead to another Redis; those that stand stay. */
  moveTo(port: number): void {
    this.#port = port;
  }

  mend(): void {
    this.#isCut = false;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}
