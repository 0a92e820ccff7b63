/**
 * Owns a port as connections find it: open, paused, or closed for good. Bun can't pause a listening socket, nor give it
 * another certificate: it is closed, and opened again under the same number. Connections between requests are closed
 * with it.
 *
 * **Invariants**
 * - A request that is under way goes on, whatever becomes of the listening socket.
 * - Stopping waits for the requests of every listening socket that there was.
 */
import { listen, stopListening, urlOf, type App, type Endpoint, type PortTls } from "./app.ts";
import type { Server } from "./listening.ts";

export class PortSocket {
  readonly #app: App;
  #endpoint: Endpoint;
  #server: Server;
  /** Closed for newcomers, with requests under way. */
  readonly #former = new Set<Server>();
  #isOpen = true;
  #isStopped = false;

  /** Throws a StartError when the port is taken. */
  constructor(app: App, endpoint: Endpoint) {
    this.#app = app;
    this.#server = listen(app, endpoint);
    this.#endpoint = { ...endpoint, port: this.#server.port ?? endpoint.port };
  }

  get name(): string {
    return this.#endpoint.name;
  }

  get url(): string {
    return urlOf(this.#server);
  }

  /** Its number: the same, however often it is paused. */
  get port(): number {
    return this.#endpoint.port;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  pause(): void {
    const server = this.#server;
    this.#isOpen = false;
    this.#former.add(server);
    void server.stop().then(() => this.#former.delete(server));
  }

  /** Throws when the port can't be had (yet). */
  resume(): void {
    if (this.#isOpen || this.#isStopped) return;
    this.#server = listen(this.#app, this.#endpoint);
    this.#isOpen = true;
  }

  /** Has new connections see these certificates. Throws, and is paused, when the port can't be had again (yet). */
  renew(tls: PortTls): void {
    this.#endpoint = { ...this.#endpoint, tls };
    if (!this.#isOpen) return;
    // In one turn of the event loop: no other program finds the port free for longer.
    this.pause();
    this.resume();
  }

  /** Lets the requests under way end, for `seconds` at most, then closes what is left. */
  async stop(seconds: number, endHeld?: () => void): Promise<void> {
    this.#isOpen = false;
    this.#isStopped = true;
    await Promise.all(this.#servers().map((server) => stopListening(server, seconds, endHeld)));
  }

  /** Closes everything at once. */
  async cut(): Promise<void> {
    this.#isOpen = false;
    this.#isStopped = true;
    await Promise.all(this.#servers().map((server) => server.stop(true)));
  }

  #servers(): Server[] {
    return [...new Set([...this.#former, this.#server])];
  }
}
