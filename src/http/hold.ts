/**
 * Owns what a held request needs of its connection.
 * Always holds: only a request being held is exempt from the idle timeout, and only once its body was read.
 */
import { IDLE_SECONDS, type Server } from "./app.ts";

/** Runs `answer` with the idle timeout of the request's connection switched off, and on again when it is done. */
export async function holdOpen(server: Server | null, request: Request, answer: () => Promise<Response>): Promise<Response> {
  server?.timeout(request, 0);
  try {
    return await answer();
  } finally {
    // The timeout belongs to the connection: it would stay off for all that comes after.
    server?.timeout(request, IDLE_SECONDS);
  }
}
