/**
 * Owns the signs of life of a held request. (That its connection stays open is idle.ts' part.)
 *
 * Proxies cut connections that are silent (nginx and ALB after 60 s). So after `heartbeatSeconds` the answer begins:
 * 200, and a space every such interval, which JSON ignores; the body comes at its end. Before that, the answer is
 * plain.
 *
 * **Invariants**
 * - All heartbeats share one timer, which runs only while a request is held.
 * - An answer that has begun as 200 never ends with the body of another status.
 */
import type { Server } from "./listening.ts";
import { beginGoingOn, endGoingOn } from "./idle.ts";

export interface HttpConnection {
  readonly server: Server | null;
  readonly request: Request;
}

const ENCODER = new TextEncoder();
const SPACE = ENCODER.encode(" ");

const notYet = (): void => {};

/**
 * An answer that is awaited, with signs of life from `keepAlive` on: plain when it comes soon enough, else begun, and
 * ended later.
 */
export abstract class HeldAnswer {
  readonly #heartbeat: Heartbeat;
  readonly #server: Server | null;
  readonly request: Request;
  readonly answer: Promise<Response>;
  #resolve: (answer: Response) => void = notYet;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether its status and first bytes are sent: then it can't become another status. */
  hasBegun = false;
  isCut = false;
  #isOver = false;
  /** When its next sign of life is due, by `performance.now()`. */
  dueAtMs = 0;

  constructor({ server, request }: HttpConnection, heartbeat: Heartbeat) {
    this.#server = server;
    this.request = request;
    this.#heartbeat = heartbeat;
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** JSON that ends the body in place of an answer that is no success, where 200 is sent already. Never rejects. */
  protected abstract endBegun(instead: Response): Promise<string>;

  protected keepAlive(): void {
    if (!this.#isOver) this.#heartbeat.add(this);
  }

  /** Answers, once. */
  protected end(response: Response): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#heartbeat.delete(this);
    if (!this.hasBegun) return this.#resolve(response);
    endGoingOn(this.request, this.#server);
    void this.#endBody(response);
  }

  /** The first time the answer begins. */
  beat(): void {
    if (!this.hasBegun) this.#begin();
    else if (!this.isCut) this.#body?.enqueue(SPACE);
  }

  async #endBody(response: Response): Promise<void> {
    const text = response.ok ? await response.text() : await this.endBegun(response);
    if (this.isCut) return;
    this.#body?.enqueue(ENCODER.encode(text));
    this.#body?.close();
  }

  #begin(): void {
    this.hasBegun = true;
    beginGoingOn(this.request, this.#server);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
        controller.enqueue(SPACE);
      },
      cancel: () => {
        this.isCut = true;
      },
    });
    // Nginx would keep the spaces to itself.
    const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
    this.#resolve(new Response(body, { headers }));
  }
}

/**
 * Beats each answer every `everyMs` from when it was added. They wait in the order in which they are due: one timer is
 * enough.
 */
export class Heartbeat {
  readonly #everyMs: number;
  readonly #answers = new Set<HeldAnswer>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(heartbeatSeconds: number) {
    this.#everyMs = heartbeatSeconds * 1000;
  }

  add(held: HeldAnswer): void {
    held.dueAtMs = performance.now() + this.#everyMs;
    this.#answers.add(held);
    this.#timer ??= setTimeout(() => this.#beat(), this.#everyMs);
  }

  delete(held: HeldAnswer): void {
    if (!this.#answers.delete(held) || this.#answers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const held of this.#answers) {
      if (held.dueAtMs > now) {
        this.#timer = setTimeout(() => this.#beat(), held.dueAtMs - now);
        return;
      }
      this.#answers.delete(held);
      held.beat();
      // To the end of the line, where this loop comes to it and stops.
      if (held.isCut) continue;
      held.dueAtMs = now + this.#everyMs;
      this.#answers.add(held);
    }
  }
}
