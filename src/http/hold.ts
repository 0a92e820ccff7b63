/**
 * Owns what a held request needs of its connection: no idle timeout, and signs of life.
 *
 * Proxies cut connections that are silent (nginx and ALB after 60 s). So after `heartbeatSeconds` the answer begins: 200, and a
 * space every such interval, which JSON ignores; the body comes at its end. Before that, the answer is plain.
 *
 * **Invariants**
 * - Only a request being held is exempt from the idle timeout, and only once its body was read.
 * - All heartbeats share one timer, which runs only while a request is held.
 * - An answer that has begun as 200 never ends with the body of another status.
 */
import type { Log } from "../log.ts";
import { createErrorAnswer, IDLE_SECONDS, type Server } from "./app.ts";

export interface HeldRequest {
  readonly server: Server | null;
  readonly request: Request;
}

/** How far a held answer is. */
interface Progress {
  /** Whether its status and first bytes are sent: then it can't become another status. */
  readonly hasBegun: boolean;
}

const ENCODER = new TextEncoder();
const SPACE = ENCODER.encode(" ");

/** Runs `answer` with the idle timeout of the request's connection switched off, and on again when it is done. */
export async function holdOpen<Result>(
  { server, request }: HeldRequest,
  answer: () => Promise<Result>,
): Promise<Result> {
  server?.timeout(request, 0);
  try {
    return await answer();
  } finally {
    // The timeout belongs to the connection: it would stay off for all that comes after.
    server?.timeout(request, IDLE_SECONDS);
  }
}

interface HeldAnswering {
  readonly answer: (progress: Progress) => Promise<Response>;
  /** JSON that ends the body in place of an answer that is no success, where 200 is sent already. Never rejects. */
  readonly endBegun: (instead: Response) => Promise<string>;
}

export type HoldAlive = (held: HeldRequest, answering: HeldAnswering) => Promise<Response>;

/** Makes a holdOpen with heartbeats. */
export function createHoldAlive({ heartbeatSeconds, log }: { heartbeatSeconds: number; log: Log }): HoldAlive {
  const heartbeat = new Heartbeat(heartbeatSeconds * 1000);
  const answerError = createErrorAnswer(log);

  return ({ server, request }, { answer, endBegun }) => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const held = new HeldAnswer(resolve, endBegun);
    server?.timeout(request, 0);
    heartbeat.add(held);
    void answer(held)
      .catch((error: unknown) => answerError(error, request))
      .then((response) => {
        heartbeat.delete(held);
        server?.timeout(request, IDLE_SECONDS);
        return held.end(response);
      });
    return promise;
  };
}

/** An answer that is awaited: plain when it comes soon enough, else begun, and kept alive until it comes. */
class HeldAnswer implements Progress {
  readonly #resolve: (response: Response) => void;
  readonly #endBegun: HeldAnswering["endBegun"];
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  hasBegun = false;
  isCut = false;

  constructor(resolve: (response: Response) => void, endBegun: HeldAnswering["endBegun"]) {
    this.#resolve = resolve;
    this.#endBegun = endBegun;
  }

  /** The first time the answer begins. */
  beat(): void {
    if (!this.hasBegun) this.#begin();
    else if (!this.isCut) this.#body?.enqueue(SPACE);
  }

  async end(response: Response): Promise<void> {
    if (!this.hasBegun) return this.#resolve(response);
    if (this.isCut) return;
    const text = response.ok ? await response.text() : await this.#endBegun(response);
    if (this.isCut) return;
    this.#body?.enqueue(ENCODER.encode(text));
    this.#body?.close();
  }

  #begin(): void {
    this.hasBegun = true;
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

/** Beats each answer every `everyMs` from when it was added. They wait in the order in which they are due: one timer is enough. */
class Heartbeat {
  readonly #everyMs: number;
  readonly #dueAt = new Map<HeldAnswer, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  add(held: HeldAnswer): void {
    this.#dueAt.set(held, performance.now() + this.#everyMs);
    this.#timer ??= setTimeout(() => this.#beat(), this.#everyMs);
  }

  delete(held: HeldAnswer): void {
    this.#dueAt.delete(held);
    if (this.#dueAt.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [held, dueAt] of this.#dueAt) {
      if (dueAt > now) {
        this.#timer = setTimeout(() => this.#beat(), dueAt - now);
        return;
      }
      this.#dueAt.delete(held);
      held.beat();
      // To the end of the line, where this loop comes to it and stops.
      if (!held.isCut) this.#dueAt.set(held, now + this.#everyMs);
    }
  }
}
