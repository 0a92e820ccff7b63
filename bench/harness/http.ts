/**
 * Owns how the load speaks HTTP/1.1: a keep-alive connection, so lean that the load is never what is measured.
 *
 * **Invariants**
 * - One request at a time, no pipelining, and an answer counts once it is whole.
 * - A lost connection fails the request that was under way.
 * - Bodies are ASCII here, so a character is a byte.
 *
 * It is Bun.connect because fetch bounds how many requests run at once, can't choose the local address, and costs more
 * than the servers that are measured.
 */

export type Answer = { readonly status: number; readonly body: string };

/** Headers are whole lines, each with its end. */
type Content = { readonly headers?: string; readonly json?: string };

interface Exchange extends Pick<PromiseWithResolvers<Answer>, "resolve" | "reject"> {
  /** Takes what came in place of an answer: it is a stream. */
  readonly hear: ((text: string) => void) | undefined;
}

/** Left out of Bun's types, and there: the address of this machine to connect from. */
type ConnectOptions = Bun.TCPSocketConnectOptions<Connection> & { readonly localAddress?: string };

export class Connection {
  isClosed = false;
  readonly #host: string;
  #socket: Bun.Socket<Connection> | undefined;
  #exchange: Exchange | undefined;
  #unsent = "";
  #got = "";

  static readonly #handlers: Bun.SocketHandler<Connection> = {
    data: (socket, bytes) => socket.data.#receive(bytes.toString("latin1")),
    drain: (socket) => socket.data.#flush(),
    close: (socket) => socket.data.#fail("the connection was closed"),
    error: (socket, error) => socket.data.#fail(error.message),
  };

  private constructor(host: string) {
    this.#host = host;
  }

  static async open(url: string, localAddress?: string): Promise<Connection> {
    const { host, hostname, port } = new URL(url);
    const connection = new Connection(host);
    const to = { hostname, port: Number(port), data: connection, socket: Connection.#handlers };
    const options: ConnectOptions = { ...to, ...(localAddress !== undefined && { localAddress }) };
    connection.#socket = await Bun.connect(options);
    return connection;
  }

  /** Asks for a stream, and hands over its parts as they come. Resolves once this side has hung up. */
  async listen(path: string, hear: (text: string) => void): Promise<void> {
    await this.send("GET", path, {}, hear);
  }

  /** Hangs up; a request under way fails. */
  close(): void {
    if (this.#exchange?.hear) this.#take()?.resolve({ status: 0, body: "" });
    this.#fail("hung up");
    this.#socket?.terminate();
  }

  /** Sends a request and waits for the whole answer, without a bound. */
  send(method: string, path: string, { headers = "", json }: Content = {}, hear?: Exchange["hear"]): Promise<Answer> {
    if (this.isClosed || this.#exchange) return Promise.reject(new Error("the connection is closed, or in use"));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#exchange = { resolve, reject, hear };
    this.#got = "";
    const type = json === undefined ? "" : "Content-Type: application/json\r\n";
    const length = method === "GET" ? "" : `Content-Length: ${json?.length ?? 0}\r\n`;
    this.#unsent = `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n${headers}${type}${length}\r\n${json ?? ""}`;
    this.#flush();
    return promise;
  }

  #flush(): void {
    if (this.#unsent === "" || !this.#socket) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = this.#unsent.slice(Math.max(0, written));
  }

  #receive(text: string): void {
    if (this.#exchange?.hear) return this.#exchange.hear(text);
    this.#got += text;
    const answer = readAnswer(this.#got);
    if (answer) this.#take()?.resolve(answer);
  }

  #fail(reason: string): void {
    this.isClosed = true;
    this.#take()?.reject(new Error(reason));
  }

  #take(): Exchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    return exchange;
  }
}

/** The answer at the beginning of `text`, by Content-Length or chunked; undefined while some of it is missing. */
function readAnswer(text: string): Answer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const status = Number(head.slice(9, 12));
  const start = end + 4;
  const isChunked = /\r\ntransfer-encoding: *chunked/i.test(head);
  const stop = start + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (!isChunked) return text.length < stop ? undefined : { status, body: text.slice(start, stop) };
  const body = readChunks(text, start);
  return body === undefined ? undefined : { status, body };
}

/** The chunks from `at` to the last one, joined (RFC 9112, 7.1): a held answer with heartbeats comes so. */
function readChunks(text: string, at: number): string | undefined {
  let body = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return undefined;
    if (size === 0) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
