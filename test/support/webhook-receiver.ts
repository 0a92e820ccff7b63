/**
 * Owns a receiver of webhooks for tests: a real server that keeps what it got, and verifies it by the library.
 *
 * **Invariants**
 * - What can't be verified is kept as unverified, and answered 400.
 */
import { Webhook } from "standardwebhooks";

export interface Received {
  readonly id: string;
  readonly path: string;
  readonly host: string;
  readonly body: unknown;
  readonly isVerified: boolean;
}

type Answering = (got: Received, count: number, request: Request) => Response | Promise<Response>;

interface Options {
  /** What it verifies by. */
  readonly secret: string;
  /** Absent: 204. `count` is of the request, from 1. */
  readonly answer?: Answering;
  readonly hostname?: string;
  readonly port?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A new secret of 32 random bytes. */
export function newSecret(): string {
  return `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
}

export class WebhookReceiver {
  readonly got: Received[] = [];
  /** Peers' ports: connections that it saw. */
  readonly connections = new Set<number>();
  readonly #server;
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
    const { hostname = "127.0.0.1", port = 0, tls } = options;
    this.#server = Bun.serve({
      hostname,
      port,
      idleTimeout: 0,
      ...(tls && { tls: { ...tls } }),
      fetch: async (request, server) => {
        this.connections.add(server.requestIP(request)?.port ?? 0);
        return await this.#receive(request);
      },
    });
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  url(path = "/hook"): string {
    const { hostname = "127.0.0.1", tls } = this.#options;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return `${tls ? "https" : "http"}://${host}:${this.port}${path}`;
  }

  /** The ids of what it got, each once, in the order of their first coming. */
  get ids(): string[] {
    return [...new Set(this.got.map(({ id }) => id))];
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #receive(request: Request): Promise<Response> {
    const text = await request.text();
    const { pathname, search, host } = new URL(request.url);
    const verified = verify(this.#options.secret, text, request.headers);
    const got = { id: request.headers.get("webhook-id") ?? "", path: pathname + search, host, ...verified };
    this.got.push(got);
    if (!got.isVerified) return new Response("not verified", { status: 400 });
    return (await this.#options.answer?.(got, this.got.length, request)) ?? new Response(null, { status: 204 });
  }
}

function verify(secret: string, text: string, headers: Headers): Pick<Received, "body" | "isVerified"> {
  try {
    return { body: new Webhook(secret).verify(text, Object.fromEntries(headers)), isVerified: true };
  } catch {
    return { body: text, isVerified: false };
  }
}
