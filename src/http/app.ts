/**
 * Owns what both ports have in common: how they listen, which requests pass, and the answer when no route has one.
 *
 * **Invariants**
 * - Every error answered here is problem+json, and nothing internal stands in it.
 * - Nothing unexpected goes unlogged.
 * - A port's gate comes before everything that a route, or the lack of one, would say.
 */
import { constants } from "node:crypto";
import { Elysia } from "elysia";
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import { problem, ProblemError, type Fault } from "../problem.ts";
import { ShopDamagedError } from "../redis/damaged.ts";
import { SupersededError } from "../redis/superseded.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { Tally } from "../tally.ts";
import { within } from "../within.ts";
import { createTargetCheck, type Check } from "./edge.ts";
import { createGate, Refusal, Unrouted, type Guard } from "./gate.ts";
import { beginAnswering, endAnswering, IDLE_SECONDS } from "./idle.ts";
import { ClientGone } from "./input.ts";
import { leaveProcess } from "./leave-process.ts";
import type { Server } from "./listening.ts";
import type { Sharing } from "./sites.ts";
import { anonymousPath, hashedPath } from "./logged.ts";

/** A year: browsers that came by HTTPS once come back by nothing else. Other names of the domain are not bound. */
const STRICT_TRANSPORT = "max-age=31536000";

/** The same damage is logged once in this time. */
const NEWS_MS = 60_000;

interface AppOptions {
  /** Counts the requests that met a fault. */
  readonly faults?: Tally;
  /** Asked before everything else, for each request: resolves to its refusal; undefined lets it go on. */
  readonly slowDown?: (request: Request) => Promise<Response> | undefined;
  /** Absent: all routes are open. */
  readonly guard?: Guard;
  /** Asked of every request, before a route is looked for. */
  readonly admit?: Check;
  /** Absent: no other origin's page may read what is answered here. */
  readonly sharing?: Sharing | undefined;
  /** Whether the port speaks HTTPS. */
  readonly isSecure?: boolean;
}

/** The bare app of a port: error answers, and with LOG_LEVEL=debug a line a request. Add routes behind it. */
export function createApp(log: Log, options: AppOptions = {}) {
  const { faults = new Tally(), slowDown, guard, admit, sharing, isSecure = false } = options;
  const checkTarget = createTargetCheck(isSecure ? "https" : "http");
  const answerError = createErrorAnswer(log, faults);
  const isDebug = log.isLevelEnabled("debug");
  const logAnswer = (request: Request, { status }: Response): void => {
    if (isDebug) log.debug({ method: request.method, path: hashedPath(request), status }, "request");
  };
  /** For what no handler answered. */
  const finish = (request: Request, answer: Response): Response => {
    endAnswering(request);
    sharing?.share(request, answer);
    if (isSecure) bindToHttps(answer);
    logAnswer(request, answer);
    return answer;
  };
  /** The answer to a request before a route is looked for; undefined lets the request go on. */
  const answerEarly = (request: Request): Response | Promise<Response> | undefined => {
    const slowed = slowDown?.(request);
    if (slowed) return slowed.then((answer) => finish(request, answer));
    const answer = checkTarget(request) ?? sharing?.answerPreflight(request) ?? admit?.(request);
    if (answer) return finish(request, answer);
    beginAnswering(request, app.server);
    return undefined;
  };

  // Where a path is looked for: behind `http://` and any host; behind `https://` and a host of three characters.
  const app = new Elysia({ normalize: false, handler: { standardHostname: isSecure } })
    // Elysia waits for a hook whose text has a call behind its return, or its arrow. So would it for `const x = …;
    // return x`, of which Bun makes one statement.
    .onRequest(({ request }) => {
      const answer = answerEarly(request);
      if (answer) return answer;
    })
    .onError(({ error, code, request, path }) => {
      const isUnrouted = code === "NOT_FOUND" || error instanceof Unrouted;
      const refusal = isUnrouted ? guard?.check(request) : undefined;
      const unknown = (): Response => answerUnrouted(app.routes, request.method, path);
      const answer = refusal ?? (code === "NOT_FOUND" ? unknown() : answerFault(error, request, answerError));
      return finish(request, answer);
    });
  if (guard) {
    const pass = createGate(guard, () => app.routes);
    // The first hook that knows the route that was matched, before its handler reads anything.
    app.onTransform({ as: "global" }, ({ request, route }) => {
      pass(request, route);
    });
  }
  app.onAfterHandle({ as: "global" }, ({ request }) => {
    endAnswering(request);
  });
  if (sharing) {
    app.onAfterHandle({ as: "global" }, ({ request, responseValue }) => {
      if (responseValue instanceof Response) sharing.share(request, responseValue);
    });
  }
  if (isSecure) {
    app.onAfterHandle({ as: "global" }, ({ responseValue }) => {
      if (responseValue instanceof Response) bindToHttps(responseValue);
    });
  }
  if (isDebug) {
    app.onAfterResponse({ as: "global" }, ({ request, responseValue }) => {
      // The answers of onError are not here.
      if (responseValue instanceof Response) logAnswer(request, responseValue);
    });
  }
  return app;
}

/** HSTS: RFC 6797. */
function bindToHttps({ headers }: Response): void {
  headers.set("Strict-Transport-Security", STRICT_TRANSPORT);
}

/** Makes the answer to an unexpected error: 503 while Redis is unavailable, else 500, and a line in the log. */
export function createErrorAnswer(log: Log, faults: Tally): (error: unknown, request: Request) => Response {
  const isNews = createNews();
  const answerWith = (fault: Fault): Response => {
    faults.add(fault);
    return problem(fault);
  };
  return (error, request) => {
    if (error instanceof ShopDamagedError) {
      if (isNews(error.message)) log.error({ err: error }, "a record of the shop is damaged");
      return answerWith("shop_damaged");
    }
    // This server is about to stop: another one serves the shop.
    if (error instanceof SupersededError) return problem("closing", { headers: { "Retry-After": "1" } });
    if (isRedisUnavailable(error)) return problem("redis_away", { headers: { "Retry-After": "5" } });
    log.error({ err: error, method: request.method, path: anonymousPath(request) }, "request failed");
    return answerWith("internal");
  };
}

/** Says whether a message was not seen for a minute: what stays wrong fails every request that needs it. */
function createNews(): (message: string) => boolean {
  const seenAt = new Map<string, number>();
  return (message) => {
    const now = performance.now();
    const before = seenAt.get(message);
    if (before !== undefined && now - before < NEWS_MS) return false;
    seenAt.set(message, now);
    return true;
  };
}

/** An app that can listen, whatever its routes. */
export interface App {
  listen(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    reusePort: boolean;
    development: boolean;
    tls?: BunTls;
  }): unknown;
  readonly server: Server | null;
}

interface BunTls {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly requestCert?: boolean;
  readonly secureOptions?: number;
  readonly rejectUnauthorized?: boolean;
}

/** What a port that speaks HTTPS is opened with, in PEM. */
export interface PortTls {
  readonly cert: string;
  readonly key: string;
  /** The authority of clients' certificates: with it a connection without one of these is refused in its handshake. */
  readonly clientCa?: string | undefined;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The users of the port, in messages. */
  readonly name: string;
  /** The setting that chooses it. */
  readonly setting: string;
  /** Absent: it speaks plain HTTP. */
  readonly tls?: PortTls | undefined;
}

/** Starts to listen, alone on its port. Throws a StartError when that is taken. */
export function listen(app: App, { host, port, name, setting, tls }: Endpoint): Server {
  try {
    leaveProcess(() => {
      app.listen({
        hostname: host,
        port,
        idleTimeout: IDLE_SECONDS,
        reusePort: false,
        development: false,
        ...(tls ? { tls: bunTls(tls) } : undefined),
      });
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `the ${name}' port can't be opened on ${host}:${port} (${why}): choose another with ${setting}, or stop what uses it`,
    );
  }
  if (!app.server) throw new StartError(`the ${name}' port did not open on ${host}:${port}`);
  return app.server;
}

function bunTls({ cert, key, clientCa }: PortTls): BunTls {
  if (!clientCa) return { cert, key };
  // Without tickets no connection resumes another's session: each shows a certificate that is valid then.
  const secureOptions = constants.SSL_OP_NO_TICKET;
  return { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: true, secureOptions };
}

function answerFault(
  error: unknown,
  request: Request,
  answerError: (error: unknown, request: Request) => Response,
): Response {
  if (error instanceof ProblemError) return error.answer();
  if (error instanceof Refusal || error instanceof Unrouted) return error.answer;
  if (error instanceof ClientGone) return new Response(null, { status: 499 });
  return answerError(error, request);
}

/** 405 with Allow where the path is known with other methods, else 404. */
function answerUnrouted(routes: readonly { method: string; path: string }[], method: string, path: string): Response {
  const allowed = new Set(routes.filter((route) => matches(route.path, path)).map((route) => route.method));
  if (allowed.size === 0)
    return problem("route_unknown", { detail: `${path} is not known here; /swagger lists the routes.` });
  if (allowed.has("GET")) allowed.add("HEAD");
  const allow = [...allowed].toSorted().join(", ");
  return problem("method_not_allowed", { detail: `${path} takes ${allow}, not ${method}.`, headers: { Allow: allow } });
}

/** Whether a path fits a route such as `/order/:id`, with or without the last slash. */
function matches(route: string, path: string): boolean {
  const parts = (text: string): string[] => text.replace(/\/$/, "").split("/");
  const wanted = parts(route);
  const given = parts(path);
  const isFit = (part: string, index: number): boolean =>
    part.startsWith(":") ? given[index] !== "" : part === given[index];
  return wanted.length === given.length && wanted.every(isFit);
}

/** How long the last words of held answers may take to be sent. */
const LAST_WORDS_MS = 2000;

/**
 * Lets the requests under way end, for `seconds` at most; then `endHeld` ends what is held, with 2 s for its last
 * words; what is left then is cut off.
 */
export async function stopListening(server: Server, seconds: number, endHeld = (): void => {}): Promise<void> {
  const stopped = server.stop().then(() => true);
  if (!(await within(seconds * 1000, stopped))) {
    endHeld();
    await within(LAST_WORDS_MS, stopped);
  }
  await server.stop(true);
}

/** Where a person finds the server, from this machine. */
export function urlOf({ protocol, hostname, port }: Server): string {
  const host = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : hostname;
  return `${protocol ?? "http"}://${host?.includes(":") ? `[${host}]` : host}:${port}`;
}
