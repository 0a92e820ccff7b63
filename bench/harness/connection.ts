/**
 * Owns one keep-alive connection of the load: lean, so that the load is never what is measured.
 *
 * **Invariants**
 * - One request at a time, no pipelining.
 * - A lost connection fails the request that was under way.
 *
 * It is Bun.connect because fetch bounds how many requests run at once, can't choose the local address, and costs more
 * than the servers that are measured.
 */
import { readAnswer, type Answer } from "./answer.ts";

/** Where a server listens. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

export function endpointOf(url: string): Endpoint {
  const { hostname, port } = new URL(url);
  return { hostname, port: Number(port) };
}

/** Left out of Bun's types, and there: the address of this machine to connect from. */
type ConnectOptions = Bun.TCPSocketConnectOptions<Connection> & { readonly localAddress?: string };

interface Exchange {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  #socket: Bun.Socket<Connection> | undefined;
  #exchange: Exchange | undefined;
  #unsent = "";
  #got = "";
  #isClosed = false;

  static readonly #handlers: Bun.SocketHandler<Connection> = {
    data: (socket, bytes) => socket.data.#receive(bytes),
    drain: (socket) => socket.data.#flush(),
    close: (socket) => socket.data.#fail("the connection was closed"),
    error: (socket, error) => socket.data.#fail(error.message),
  };

  static async open({ hostname, port }: Endpoint, localAddress?: string): Promise<Connection> {
    const connection = new Connection();
    const from = localAddress === undefined ? {} : { localAddress };
    const options: ConnectOptions = { hostname, port, ...from, data: connection, socket: Connection.#handlers };
    connection.#socket = await Bun.connect(options);
    return connection;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a whole request, head and body in ASCII, and waits for the whole answer, without a bound. */
  send(request: string): Promise<Answer> {
    if (this.#isClosed || this.#exchange) return Promise.reject(new Error("the connection is closed, or in use"));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#exchange = { resolve, reject };
    this.#got = "";
    this.#unsent = request;
    this.#flush();
    return promise;
  }

  /** Hangs up; a request under way fails. */
  close(): void {
    this.#fail("hung up");
    this.#socket?.terminate();
  }

  #flush(): void {
    if (this.#unsent === "" || !this.#socket) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = this.#unsent.slice(Math.max(0, written));
  }

  #receive(bytes: Buffer): void {
    this.#got += bytes.toString("latin1");
    const answer = readAnswer(this.#got);
    if (!answer) return;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.resolve(answer);
  }

  #fail(reason: string): void {
    this.#isClosed = true;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(new Error(reason));
  }
}
