/**
 * Owns the receiver of spans for tests: an OTLP endpoint over HTTP, and the spans that it was sent.
 *
 * **Invariants**
 * - A span that it takes is spelled as OTLP says; anything else fails the request, and stands in `faults`.
 * - After `stop` its port refuses connections, until it is opened there again.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { until } from "./until.ts";

const Attributes = Type.Array(
  Type.Object({
    key: Type.String({ minLength: 1 }),
    value: Type.Union([
      Type.Object({ stringValue: Type.String() }, { additionalProperties: false }),
      Type.Object({ intValue: Type.Integer() }, { additionalProperties: false }),
    ]),
  }),
);
const TraceId = Type.String({ pattern: "^(?!0{32})[0-9a-f]{32}$" });
const SpanId = Type.String({ pattern: "^(?!0{16})[0-9a-f]{16}$" });
const Nanoseconds = Type.String({ pattern: "^[0-9]{19}$" });

const WireSpan = Type.Object({
  traceId: TraceId,
  spanId: SpanId,
  parentSpanId: Type.Optional(SpanId),
  name: Type.String({ minLength: 1 }),
  kind: Type.Integer({ minimum: 1, maximum: 5 }),
  startTimeUnixNano: Nanoseconds,
  endTimeUnixNano: Nanoseconds,
  attributes: Attributes,
  status: Type.Object({ code: Type.Integer({ minimum: 0, maximum: 2 }) }),
  links: Type.Array(Type.Object({ traceId: TraceId, spanId: SpanId })),
});

const Request = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({
      resource: Type.Object({ attributes: Attributes }),
      scopeSpans: Type.Array(Type.Object({ scope: Type.Object({ name: Type.String() }), spans: Type.Array(WireSpan) })),
    }),
    { minItems: 1 },
  ),
});

/** After a failure the server may pause for 15 s. */
const WAIT_MS = 30_000;

const KINDS = ["", "internal", "server", "client", "producer", "consumer"];

/** A span as it came. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly isError: boolean;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** What the server that sent it says of itself. */
  readonly resource: Readonly<Record<string, string | number>>;
}

export class OtlpReceiver implements AsyncDisposable {
  readonly spans: Span[] = [];
  readonly faults: string[] = [];
  /** The headers of the last request. */
  headers: Headers | undefined;
  requests = 0;
  /** What it answers; 200 takes the spans. */
  status = 200;
  /** Where it sends those on who send spans. */
  redirectTo: string | undefined;
  /** Whether it leaves requests without an answer. */
  isSilent = false;
  #server: Bun.Server<undefined> | undefined;
  readonly #port: number;

  /** Opens it, on a port of its own. */
  constructor() {
    this.#server = this.#serve(0);
    this.#port = this.#server.port ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends it, whatever is under way. */
  async stop(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = undefined;
  }

  /** Opens it again, on the same port. */
  open(): void {
    this.#server = this.#serve(this.#port);
  }

  /** The spans of a trace, once there are those of all these names. */
  async trace(traceId: string, names: readonly string[]): Promise<readonly Span[]> {
    const found = () => this.spans.filter((span) => span.traceId === traceId);
    const sorted = () =>
      found()
        .map(({ name }) => name)
        .toSorted();
    const wanted = names.toSorted();
    try {
      await until(() => Bun.deepEquals(sorted(), wanted), "the spans of the trace have come", WAIT_MS);
    } catch {
      throw new Error(`of the trace there are ${sorted().join(", ")}, not ${wanted.join(", ")}`);
    }
    return found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.faults.length > 0) throw new Error(`what was sent is no OTLP: ${this.faults.join("; ")}`);
  }

  #serve(port: number): Bun.Server<undefined> {
    return Bun.serve({ hostname: "127.0.0.1", port, fetch: (request) => this.#take(request) });
  }

  async #take(request: globalThis.Request): Promise<Response> {
    this.requests += 1;
    this.headers = request.headers;
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== "/v1/traces") this.faults.push(`${request.method} ${pathname}`);
    if (this.isSilent) return await new Promise(() => {});
    if (this.redirectTo !== undefined) return Response.redirect(this.redirectTo, 307);
    if (this.status !== 200) return new Response("no", { status: this.status });
    const body: unknown = await request.json();
    const [fault] = Value.Errors(Request, body);
    if (fault) this.faults.push(`${fault.path}: ${fault.message}`);
    else this.spans.push(...spansIn(body as Static<typeof Request>));
    return Response.json({});
  }
}

function* spansIn({ resourceSpans }: Static<typeof Request>): Generator<Span> {
  for (const { resource, scopeSpans } of resourceSpans) {
    for (const { spans } of scopeSpans)
      for (const span of spans) yield toSpan(span, readAttributes(resource.attributes));
  }
}

function toSpan(span: Static<typeof WireSpan>, resource: Span["resource"]): Span {
  const { traceId, spanId, parentSpanId, name, kind, attributes, status, links } = span;
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: KINDS[kind] ?? "",
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    attributes: readAttributes(attributes),
    isError: status.code === 2,
    links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    resource,
  };
}

function readAttributes(attributes: Static<typeof Attributes>): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, "stringValue" in value ? value.stringValue : value.intValue]),
  );
}
