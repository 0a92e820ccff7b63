/**
 * Owns the HTTP of the test acquirer: its port, its key, its routes.
 *
 * **Invariants**
 * - It listens on this machine only, and each request needs the key.
 * - Bodies are bounded. A lost answer is a closed connection.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { CommandFailed } from "../failure.ts";
import { Acquirer } from "./acquirer.ts";
import { refuse, unread, type Answer } from "./answer.ts";
import type { Faults } from "./faults.ts";
import { newId } from "./intent.ts";
import { Store } from "./store.ts";
import { Webhooks } from "./webhooks.ts";

const HOST = "127.0.0.1";
const MAX_BODY_BYTES = 64 * 1024;

export interface AcquirerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly key: string;
  readonly webhookUrl: string | undefined;
  readonly webhookSecret: string;
  readonly dataPath: string | undefined;
  readonly faults: Faults;
}

/** Serves until the signal. Resolves to its address, once it listens, and to its end. */
export async function startAcquirer(
  options: AcquirerOptions,
  stopped: AbortSignal,
): Promise<{ readonly url: string; readonly ended: Promise<void> }> {
  const webhooks = new Webhooks({ url: options.webhookUrl, secret: options.webhookSecret, stopped });
  const store = new Store(options.dataPath);
  const acquirer = new Acquirer({ store, webhooks, faults: options.faults, stopped });
  const server = createServer((request, response) => void serve({ acquirer, key: options.key, request, response }));
  const port = await listen(server, options.port);
  const ended = new Promise<void>((resolve) => server.once("close", resolve));
  const end = (): void => {
    server.close();
    server.closeAllConnections();
  };
  stopped.addEventListener("abort", end, { once: true });
  if (stopped.aborted) end();
  return { url: `http://${HOST}:${port}`, ended };
}

async function listen(server: Server, port: number): Promise<number> {
  const listening = Promise.withResolvers<void>();
  server.once("error", (cause) => {
    const text = `port ${port} can't be listened on: --port chooses another, and 0 takes a free one`;
    listening.reject(new CommandFailed(text, { cause }));
  });
  server.listen(port, HOST, listening.resolve);
  await listening.promise;
  const address = server.address();
  return typeof address === "object" && address ? address.port : port;
}

interface Exchange {
  readonly acquirer: Acquirer;
  readonly key: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function serve(exchange: Exchange): Promise<void> {
  const { response } = exchange;
  try {
    await route(exchange);
  } catch (error) {
    // As with a full disk: nothing was changed.
    const message = error instanceof Error ? error.message : String(error);
    if (!response.headersSent) send(response, refuse(500, { message }, "api_error"));
  }
}

async function route({ acquirer, key, request, response }: Exchange): Promise<void> {
  const body = await readBody(request);
  // Its client has gone.
  if (body === undefined) return;
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://acquirer");
  const path = pathname.length > 1 ? pathname.replace(/\/$/, "") : pathname;
  if (!isAllowed(request, key)) return send(response, refuse(401, { message: "Invalid API Key provided." }));
  if (body.length > MAX_BODY_BYTES) return send(response, refuse(413, { message: "The body is too long." }));
  if (request.method === "POST" && path.startsWith("/v1/")) {
    const idempotencyKey = request.headers["idempotency-key"];
    const reply = await acquirer.change({ path, body, key: idempotencyKey?.toString() });
    if (reply.kind === "lost") response.destroy();
    else send(response, reply.answer, { isReplay: reply.isReplay });
    return;
  }
  if (request.method === "POST") return send(response, control(acquirer, path, body));
  const [, id] = /^\/v1\/payment_intents\/(\w+)$/.exec(path) ?? [];
  if (id !== undefined) {
    return send(response, await acquirer.look(id, searchParams.getAll("expand[0]").includes("latest_charge")));
  }
  if (path === "/ledger") return send(response, { status: 200, body: acquirer.ledger() });
  send(response, path === "/faults" ? acquirer.faults() : unknownRoute(request, path));

  function unknownRoute({ method = "" }: IncomingMessage, at: string): Answer {
    return refuse(404, { message: `Unrecognized request URL (${method}: ${at.slice(0, 100)}).` });
  }
}

/** What tests and a server say to it while it runs, in JSON. */
function control(acquirer: Acquirer, path: string, body: string): Answer {
  const given = readObject(body);
  if (given === undefined) return unread({ message: "The body must be a JSON object." });
  if (path === "/faults") return acquirer.faults(given);
  if (path === "/webhook-endpoint") return acquirer.sendWebhooksTo(given["url"]);
  return refuse(404, { message: `Unrecognized request URL (POST: ${path.slice(0, 100)}).` });
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function isAllowed({ headers }: IncomingMessage, key: string): boolean {
  return headers.authorization === `Bearer ${key}`;
}

/** At most one character more than is taken; undefined where its client went away. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of request) {
      if (text.length <= MAX_BODY_BYTES) text += decoder.decode(chunk as Uint8Array, { stream: true });
    }
    return text;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, { status, body }: Answer, { isReplay = false } = {}): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "request-id": newId("req"),
    ...(isReplay && { "idempotent-replayed": "true" }),
  });
  response.end(JSON.stringify(body));
}
