/**
 * Owns clients of the event streams, over HTTP: each on a socket of its own, and each remembers the last event that it
 * got.
 *
 * **Invariants**
 * - Nothing is tried again behind a test's back.
 * - A frame that breaks the wire format fails the test that got it.
 */
import { Agent, request, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { until } from "../support/until.ts";
import { createReader, type WireEvent } from "./feeds.ts";

const agent = new Agent({ maxSockets: Infinity, keepAlive: false });

export class EventClient {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: WireEvent[] = [];
  comments = 0;
  /** How it ended: by the server's word, or by the loss of the connection. */
  end: "ended" | "lost" | undefined;
  #failure: unknown;
  readonly #sent: ClientRequest;
  readonly #response: IncomingMessage;

  private constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#sent = sent;
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    const read = createReader(
      (event) => this.events.push(event),
      () => (this.comments += 1),
    );
    response.on("data", (bytes: Buffer) => {
      try {
        if (this.status === 200) read(bytes);
      } catch (error) {
        this.#failure ??= error;
      }
    });
    response.on("end", () => (this.end ??= "ended"));
    response.on("close", () => (this.end ??= "lost"));
    response.on("error", () => (this.end ??= "lost"));
  }

  /** Asks, after the event of that id where there is one, and resolves once the answer begins. */
  static open(url: string, after?: string, headers: Record<string, string> = {}): Promise<EventClient> {
    const own = after === undefined ? headers : { ...headers, "Last-Event-ID": after };
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent, headers: own }, (response) => resolve(new EventClient(sent, response)));
      sent.on("error", reject);
      sent.end();
    });
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  async untilHeard(count: number, ms?: number): Promise<void> {
    await until(
      () => {
        if (this.#failure !== undefined) throw this.#failure;
        return this.events.length >= count;
      },
      `${count} events are heard`,
      ms,
    );
  }

  async untilOver(ms?: number): Promise<"ended" | "lost"> {
    await until(() => this.end !== undefined, "the stream is over", ms);
    return this.end ?? "lost";
  }

  /** Reads nothing from now on: what comes waits in the kernel, then in the server. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  hangUp(): void {
    this.#sent.destroy();
  }
}

/** A listener who stays: comes back after each loss, with the last event that they got, to the next server. */
export class ReturningClient {
  readonly ids: string[] = [];
  readonly types: string[] = [];
  comebacks = -1;
  readonly #urls: readonly string[];
  #isGone = false;
  #client: EventClient | undefined;
  readonly done: Promise<void>;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    this.done = this.#stay();
  }

  /** Resolves once it listens. */
  async untilHere(): Promise<void> {
    await until(() => this.#client?.end === undefined && this.#client?.status === 200, "the regular listens");
  }

  /** Resolves once it has heard that event. */
  async untilHeard(id: string | undefined): Promise<void> {
    const last = () => this.#client?.events.at(-1)?.id ?? this.ids.at(-1);
    await until(() => last() === id, "the regular has heard it", 30_000);
  }

  /** Hangs up, and comes back. */
  drop(): void {
    this.#client?.hangUp();
  }

  async leave(): Promise<void> {
    this.#isGone = true;
    this.#client?.hangUp();
    await this.done;
  }

  async #stay(): Promise<void> {
    let after: string | undefined;
    for (let visit = 0; !this.#isGone; visit += 1) {
      const url = this.#urls[visit % this.#urls.length] ?? "";
      const client = await EventClient.open(url, after).catch(() => undefined);
      if (client?.status !== 200) {
        await Bun.sleep(10);
        continue;
      }
      this.#client = client;
      this.comebacks += 1;
      await until(() => client.end !== undefined || this.#isGone, "this visit is over", 60_000);
      this.ids.push(...client.ids);
      this.types.push(...client.types);
      after = this.ids.at(-1) ?? after;
    }
  }
}
