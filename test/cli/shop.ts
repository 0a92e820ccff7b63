/**
 * Owns the server that a file's tests of commands share, and how they run commands against it.
 *
 * **Invariants**
 * - Its baristas' port asks for a token, which the commands know.
 * - Tests take orders by id: each has its own.
 */
import { place, readWireOrder, type WireOrder } from "../support/http.ts";
import { startServer, type Server } from "../support/server.ts";
import { begin, type Ran, type Running } from "./program.ts";

export const TOKEN = "hush-hush-42";

export class CommandShop {
  readonly name = `test-${crypto.randomUUID()}`;
  #server: Server | undefined;

  /** Opens it, for a file's `beforeAll`. */
  async open(): Promise<void> {
    const environment = { SHOP: this.name, STAFF_TOKEN: TOKEN, BARISTA_HOST: "127.0.0.1", QUEUES: "thumbs, mail" };
    this.#server = await startServer(environment);
  }

  get server(): Server {
    if (!this.#server) throw new Error("the shop is not open yet");
    return this.#server;
  }

  /** Begins a command that knows the server. */
  begin(...argv: readonly string[]): Running {
    return begin(argv, {
      LONGPOUR_URL: this.server.customers,
      LONGPOUR_STAFF_URL: this.server.baristas,
      STAFF_TOKEN: TOKEN,
      LONGPOUR_BARISTA: "Grace",
    });
  }

  run(...argv: readonly string[]): Promise<Ran> {
    return this.begin(...argv).ended;
  }

  /** Runs a command that has to be done, with --json; resolves to what it printed. */
  async json(...argv: readonly string[]): Promise<unknown> {
    const { exitCode, stdout, stderr } = await this.run(...argv, "--json");
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** The same, for a command that prints a drink's order. */
  async order(...argv: readonly string[]): Promise<WireOrder> {
    return readWireOrder(await this.json(...argv));
  }

  /** Takes an order under the name that finishes it. */
  async take(id: string): Promise<void> {
    await this.json("start", "--id", id);
  }

  /** An order that waits in the queue. */
  async placed(): Promise<string> {
    return (await place(this.server, { item: "latte" })).order_id;
  }
}
