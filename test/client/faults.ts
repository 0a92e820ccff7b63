/**
 * Owns the bad network of the client's tests: a real TCP relay before real servers, which does as the test says to the
 * first requests, one act each, and relays the others.
 *
 * **Invariants**
 * - `await using` ends every connection.
 * - Each request is noted when it comes.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { until } from "../support/until.ts";

/** What becomes of a request. `relay` sends it on, and hands over what the server answers. */
export type Act = (customer: Socket, relay: (hear: (chunk: Buffer) => void) => void) => void;

export interface SeenRequest {
  readonly head: string;
  /** By `performance.now()`. */
  readonly atMs: number;
}

interface Relayed {
  readonly customer: Socket;
  readonly bytes: Buffer;
  readonly hear: (chunk: Buffer) => void;
}

export class BadNetwork implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  /** All that the servers answered through the relay. */
  answered = "";
  readonly #acts: Act[];
  readonly #servers: readonly string[];
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(servers: readonly string[], acts: readonly Act[]) {
    this.#servers = servers;
    this.#acts = [...acts];
    this.#listener = createServer((customer) => this.#welcome(customer));
  }

  /** Relays to the first of `servers` (base URLs) that can be reached. */
  static async open(servers: readonly string[], ...acts: readonly Act[]): Promise<BadNetwork> {
    const network = new BadNetwork(servers, acts);
    await new Promise<void>((resolve) => network.#listener.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  get keys(): Set<string | undefined> {
    return new Set(
      this.seen
        .filter(({ head }) => head.startsWith("POST"))
        .map(({ head }) => /^idempotency-key: (.*)$/im.exec(head)?.[1]),
    );
  }

  untilSeen(count: number): Promise<void> {
    return until(() => this.seen.length >= count, `${count} requests have come`, 20_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #welcome(customer: Socket): void {
    this.#watch(customer);
    customer.on("data", (bytes: Buffer) => this.#note(bytes));
    customer.once("data", (bytes: Buffer) => {
      const act = this.#acts.shift() ?? pass;
      act(customer, (hear) => this.#relay({ customer, bytes, hear }, this.#servers));
    });
  }

  #note(bytes: Buffer): void {
    const text = bytes.toString();
    if (/^(GET|POST|PATCH) /.test(text))
      this.seen.push({ head: text.split("\r\n\r\n", 1)[0] ?? "", atMs: performance.now() });
  }

  /**
   * To the first server that can be reached; the customer's connection breaks when none can, and when the server's
   * does.
   */
  #relay(request: Relayed, [server = "", ...others]: readonly string[]): void {
    const { customer, bytes, hear } = request;
    const { hostname, port } = new URL(server);
    const upstream = connect(Number(port), hostname);
    this.#watch(upstream);
    const tryAnother = (): void => {
      if (others.length > 0) this.#relay(request, others);
      else customer.destroy();
    };
    upstream.once("error", tryAnother);
    upstream.once("connect", () => {
      upstream.off("error", tryAnother).once("close", () => customer.destroy());
      customer.once("close", () => upstream.destroy());
      customer.on("data", (chunk: Buffer) => upstream.write(chunk));
      upstream.on("data", (chunk: Buffer) => {
        this.answered += chunk.toString();
        hear(chunk);
      });
      upstream.write(bytes);
    });
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

export const pass: Act = (customer, relay) => relay((chunk) => customer.write(chunk));

/** Nothing ever comes. */
export const silence: Act = () => {};

/** The connection breaks. */
export const reset: Act = (customer) => void customer.resetAndDestroy();

/** The server gets the request, and the connection breaks before its answer. */
export const loseAnswer: Act = (customer, relay) => relay(() => void customer.resetAndDestroy());

/** These bytes, and then silence. */
export function begin(bytes: string): Act {
  return (customer) => void customer.write(bytes);
}

/** These bytes, and the end of the connection. */
export function say(bytes: string): Act {
  return (customer) => void customer.end(bytes);
}

/** A whole answer. */
export function answer(status: number, headers: Readonly<Record<string, string>> = {}, body = ""): Act {
  const lines = Object.entries({ ...headers, "Content-Length": String(Buffer.byteLength(body)), Connection: "close" });
  return say(
    [`HTTP/1.1 ${status} Status`, ...lines.map(([name, value]) => `${name}: ${value}`), "", body].join("\r\n"),
  );
}

/** An answer that was held: its head and a heartbeat have come. */
export const HELD_SO_FAR =
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n";

/** A held answer's last bytes, well formed whatever the text. */
export function lastChunk(text: string): string {
  return `${text && `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`}0\r\n\r\n`;
}

/** The server's own answer, but only so many bytes of its body, and then the end. */
export function halfAnAnswer(bytes: number): Act {
  return (customer, relay) => {
    let got = "";
    relay((chunk) => {
      got += chunk.toString();
      const bodyAt = got.indexOf("\r\n\r\n") + 4;
      if (bodyAt >= 4 && got.length >= bodyAt + bytes) customer.end(got.slice(0, bodyAt + bytes));
    });
  };
}
