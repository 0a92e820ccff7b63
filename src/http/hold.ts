/**
 * Owns what a held request needs of its connection: no idle timeout, and signs of life.
 *
 * Proxies cut connections that are silent (nginx and ALB after 60 s). So after `heartbeatSeconds` the answer begins: 200, and a
 * space every such interval, which JSON ignores; the body comes at its end. Before that, the answer is plain.
 *
 * Always holds: only a request being held is exempt from the idle timeout, and only once its body was read; no timer outlives it.
 */
import type { Log } from "../log.ts";
import { createErrorAnswer, IDLE_SECONDS, type Server } from "./app.ts";

export interface HeldRequest {
  readonly server: Server | null;
  readonly request: Request;
}

/** How far a held answer is. */
interface Held {
  /** Whether its status and first bytes are sent: then it can't become another status. */
  hasBegun: boolean;
}

const SPACE = new TextEncoder().encode(" ");

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

export type HoldAlive = (held: HeldRequest, answer: (progress: Held) => Promise<Response>) => Promise<Response>;

/** Makes a holdOpen with heartbeats. */
export function createHoldAlive({ heartbeatSeconds, log }: { heartbeatSeconds: number; log: Log }): HoldAlive {
  const answerError = createErrorAnswer(log);
  return async (held, answer) => {
    const progress: Held = { hasBegun: false };
    const answered = holdOpen(held, () => answer(progress));
    const silent = Promise.withResolvers<undefined>();
    const timer = setTimeout(silent.resolve, heartbeatSeconds * 1000);
    const plain = await Promise.race([answered, silent.promise]).finally(() => clearTimeout(timer));
    if (plain) return plain;
    progress.hasBegun = true;
    return answerAlive(
      answered.catch((error: unknown) => answerError(error, held.request)),
      heartbeatSeconds,
    );
  };
}

/** An answer that has begun: spaces until `answered` is there, then its body. */
function answerAlive(answered: Promise<Response>, heartbeatSeconds: number): Response {
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  let isCut = false;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      heartbeat = setInterval(() => controller.enqueue(SPACE), heartbeatSeconds * 1000);
      controller.enqueue(SPACE);
    },
    async pull(controller) {
      const answer = await answered;
      clearInterval(heartbeat);
      if (isCut) return;
      controller.enqueue(await answer.bytes());
      controller.close();
    },
    cancel() {
      isCut = true;
      clearInterval(heartbeat);
    },
  });
  // Nginx would keep the spaces to itself.
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
  return new Response(body, { headers });
}
