/**
 * Owns those who listen to events, each on a connection of their own.
 *
 * **Invariants**
 * - Each looks whether it heard every event that was numbered for it, once and in order.
 *
 * What is told carries, as an order's note, its number (from 0) and when it was sent (`clock`): see `noteOf`.
 */
import { clock } from "../clock.ts";
import { endpointOf } from "../connection.ts";
import { emptyReport, noteFault } from "../report.ts";
import { beginEach, messageOf, type Role } from "./role.ts";

export interface ListenersSpec {
  readonly role: "listeners";
  readonly url: string;
  /** What each asks for. */
  readonly paths: readonly string[];
  /** Local address that they call from. */
  readonly from: string;
}

const NOTE = /"note":"(\d+) ([\d.]+)"/g;

/** What an order has to say for its listeners to know which it is, and when it was sent. */
export function noteOf(number: number): string {
  return `${number} ${clock()}`;
}

/** Left out of Bun's types, and there: the address of this machine to connect from. */
type ConnectOptions = Bun.TCPSocketConnectOptions<Listener> & { readonly localAddress?: string };

interface Listener {
  text: string;
  /** The number of the event that comes next. */
  next: number;
  readonly begun: () => void;
}

export class Listeners implements Role {
  /** `answered`: an entry for each event that each heard, under its number. */
  readonly report = emptyReport();
  readonly #spec: ListenersSpec;
  readonly #sockets = new Set<Bun.Socket<Listener>>();

  constructor(spec: ListenersSpec) {
    this.#spec = spec;
  }

  /** Resolves once each has the beginning of its answer. */
  async begin(): Promise<void> {
    const { paths, url } = this.#spec;
    const { hostname, port } = endpointOf(url);
    await beginEach(paths.length, async (index) => {
      const begun = Promise.withResolvers<void>();
      const data: Listener = { text: "", next: 0, begun: begun.resolve };
      const options: ConnectOptions = { hostname, port, data, socket: this.#handlers, localAddress: this.#spec.from };
      const socket = await Bun.connect(options);
      this.#sockets.add(socket);
      socket.write(`GET ${paths[index]} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
      await begun.promise;
    });
  }

  async end(): Promise<void> {
    const sockets = [...this.#sockets];
    this.#sockets.clear();
    for (const socket of sockets) socket.terminate();
  }

  readonly #handlers: Bun.SocketHandler<Listener> = {
    data: ({ data: listener }, bytes) => this.#hear(listener, listener.text + bytes.toString("latin1")),
    close: (socket) => {
      if (this.#sockets.delete(socket)) noteFault(this.report, "a listener's connection was closed");
    },
    error: (_socket, error) => noteFault(this.report, messageOf(error)),
  };

  /** Each write of the server holds whole frames, so no note has a chunk's head in it. */
  #hear(listener: Listener, text: string): void {
    const now = clock();
    if (listener.next === 0) listener.begun();
    if (text.startsWith("HTTP/") && !text.startsWith("HTTP/1.1 200")) {
      noteFault(this.report, `a listener was answered ${text.slice(9, 12)}`);
    }
    let end = 0;
    for (const { 0: match, 1: number, 2: sentAt, index } of text.matchAll(NOTE)) {
      end = index + match.length;
      if (Number(number) !== listener.next) noteFault(this.report, "an event was missed, or came twice");
      listener.next = Number(number) + 1;
      const { ids, sentAt: sent, tookMs } = this.report.answered;
      ids.push(number ?? "");
      sent.push(Number(sentAt));
      tookMs.push(now - Number(sentAt));
    }
    listener.text = text.slice(end);
  }
}
