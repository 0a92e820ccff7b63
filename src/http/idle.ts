/**
 * Owns the exemption from the idle timeout: of requests that are being answered, however long that takes.
 *
 * Bun closes a connection on which nothing moves, also while its request is worked on. Most requests are answered long
 * before, so the timeout is switched off for those alone that last, and on again with their answer: it belongs to the
 * connection.
 *
 * **Invariants**
 * - Exempt is a request whose body was read, until its handler has answered.
 * - An answer that goes on after its handler has its own exemption, and ends it.
 * - All share one timer, which runs only while requests are being answered.
 */
import type { Server } from "./listening.ts";

/** A connection on which nothing moves is closed after this. */
export const IDLE_SECONDS = 10;
/** A request is exempt after one to two of these. */
const LOOK_EVERY_MS = 3000;

type Requests = Map<Request, Server>;

/** The requests that came since the last look, and before it; and those that are exempt. */
let young: Requests = new Map();
let old: Requests = new Map();
const exempt: Requests = new Map();
/** Requests whose body is being read: they are not exempt as long as that takes. */
const reading = new Set<Request>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Notes that a request is being answered. */
export function beginAnswering(request: Request, server: Server | null): void {
  if (!server) return;
  young.set(request, server);
  timer ??= setTimeout(look, LOOK_EVERY_MS);
}

/** Notes that its handler has answered it. */
export function endAnswering(request: Request): void {
  if (young.delete(request) || old.delete(request)) return;
  const server = exempt.get(request);
  if (!server) return;
  exempt.delete(request);
  server.timeout(request, IDLE_SECONDS);
}

/** Exempts a request whose answer goes on after its handler, until `endGoingOn`. */
export function beginGoingOn(request: Request, server: Server | null): void {
  young.delete(request);
  old.delete(request);
  exempt.delete(request);
  server?.timeout(request, 0);
}

/** The connection may be used again, and is idle until then. */
export function endGoingOn(request: Request, server: Server | null): void {
  server?.timeout(request, IDLE_SECONDS);
}

/** Notes that a request's body is being read, until `endReading`. */
export function beginReading(request: Request): void {
  reading.add(request);
}

export function endReading(request: Request): void {
  reading.delete(request);
}

function look(): void {
  const next: Requests = young;
  for (const [request, server] of old) {
    if (request.signal.aborted) continue;
    if (reading.has(request)) next.set(request, server);
    else {
      exempt.set(request, server);
      server.timeout(request, 0);
    }
  }
  old = next;
  young = new Map();
  timer = old.size > 0 ? setTimeout(look, LOOK_EVERY_MS) : undefined;
}
