/**
 * Owns what traces stand on: OpenTelemetry's SDK. Loaded only by a server that traces.
 *
 * **Invariants**
 * - Nothing global of OpenTelemetry is set: several servers run in one process, and a program has its own.
 */
import { SpanKind } from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from "@opentelemetry/sdk-trace";
import type { Log } from "../log.ts";
import { ProblemError } from "../problem.ts";
import type { TraceSettings } from "../trace-settings.ts";
import { version } from "../version.ts";
import { BoundedProcessor, OtlpExporter } from "./exporter.ts";
import { readFacts } from "./order-facts.ts";
import { endFailed, isRecorded, nameOfError, Spans, toTraceparent } from "./spans.ts";
import { traceOrders } from "./traced-orders.ts";
import type { Asked, MakingSpan, RequestSpan, Tracing, Wait } from "./tracing.ts";

/** A customer who left: their answer is not read. */
const LEFT = 499;

export function createTracing(settings: TraceSettings, replica: string, log: Log): Tracing {
  const { serviceName, url, headers } = settings;
  const exporter = new OtlpExporter({ url, headers, log });
  const processor = new BoundedProcessor(exporter);
  const own = { "service.name": serviceName, "service.version": version, "service.instance.id": replica };
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(own)),
    sampler: whileThereIsRoom(samplerOf(settings), exporter),
    spanProcessors: [processor],
  });
  const spans = new Spans(provider.getTracer("longpour", version));
  return {
    traceOrders: (orders) => traceOrders(orders, spans),
    noteWait: (wait) => noteWait(wait, spans),
    beginRequest: (request, asked) => beginRequest(spans, request, asked),
    beginMaking: (order) => beginMaking(spans, order),
    close: () => processor.shutdown(),
  };
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  const root = rootSamplerOf(sampler.replace("parentbased_", ""), ratio);
  return sampler.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}

function rootSamplerOf(name: string, ratio: number): Sampler {
  if (name === "always_on") return new AlwaysOnSampler();
  return name === "always_off" ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}

/** Where spans would be dropped, none is made: that costs least. */
function whileThereIsRoom(sampler: Sampler, exporter: OtlpExporter): Sampler {
  return {
    shouldSample: (...asked) =>
      exporter.hasRoom() ? sampler.shouldSample(...asked) : { decision: SamplingDecision.NOT_RECORD },
  };
}

/** A customer's wait that ended without their order has a span where their request is known. */
function noteWait({ queue, sinceMs, outcome, order: json, cause }: Wait, spans: Spans): void {
  const attributes = { "longpour.wait.outcome": outcome };
  const about = { verb: "wait", kind: SpanKind.INTERNAL, attributes, sinceMs, cause };
  const order = json === undefined ? undefined : readFacts(json);
  if (order) spans.record({ ...about, order });
  else if (json === undefined && cause !== undefined) spans.recordUnder({ ...about, queue, cause });
}

function beginRequest(spans: Spans, { method, url }: Request, { route, cause }: Asked): RequestSpan | undefined {
  const span = spans.beginRequest(`${method} ${route}`, cause);
  if (!isRecorded(span)) return undefined;
  const { protocol, pathname } = new URL(url);
  span.setAttributes({
    "http.request.method": method,
    "http.route": route,
    "url.path": pathname,
    "url.scheme": protocol.slice(0, -1),
  });
  const end = (answer: Response): Response => {
    const { status } = answer;
    span.setAttribute("http.response.status_code", status);
    if (status >= 500) endFailed(span, String(status));
    // What was refused leaves no span: there is no order.
    else if (status < 400 || status === LEFT) span.end();
    return answer;
  };
  const fail = (error: unknown): never => {
    if (error instanceof ProblemError) end(error.answer());
    else endFailed(span, nameOfError(error));
    throw error;
  };
  return { traceparent: toTraceparent(span), end, fail };
}

function beginMaking(spans: Spans, json: string): MakingSpan | undefined {
  const order = readFacts(json);
  if (!order) return undefined;
  const span = spans.beginOf(order, { verb: "make", type: "process", kind: SpanKind.CONSUMER });
  const end: MakingSpan["end"] = ({ kind, fault }) => {
    span.setAttribute("longpour.making.outcome", kind);
    if (fault === undefined) span.end();
    else endFailed(span, fault);
  };
  return { traceparent: toTraceparent(span), end };
}
