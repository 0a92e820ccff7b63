/**
 * Owns the reading of the settings of traces, by the names that OpenTelemetry gives them.
 *
 * **Invariants**
 * - Without an endpoint there are no settings: nothing is traced.
 * - A fault repeats nothing of a header: it may hold a secret.
 */

import { FormatRegistry, Type } from "@sinclair/typebox";

const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
/** Which new traces are recorded, and whether the caller's decision comes first. */
type SamplerName = (typeof SAMPLERS)[number];

FormatRegistry.Set("header-list", (text) => readHeaders(text) !== undefined);

/** A user and a password would stand in messages. */
const endpoint = () =>
  Type.Optional(
    Type.String({
      pattern: "^https?://[^/?#\\s@]+(/[^?#\\s]*)?$",
      description: "https://… or http://…, without user, password and query",
    }),
  );

export const TRACE_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint(),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    Type.String({ format: "header-list", description: "name=value,name=value, with percent-encoded values" }),
  ),
  OTEL_SERVICE_NAME: Type.String({
    pattern: "^[^\\x00-\\x1f]{1,255}$",
    default: "longpour",
    description: "a name of 1 to 255 characters",
  }),
  OTEL_TRACES_SAMPLER: Type.Union(
    SAMPLERS.map((sampler) => Type.Literal(sampler)),
    { default: "parentbased_always_on", description: `one of ${SAMPLERS.join(", ")}` },
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description: "a number from 0 to 1",
  }),
};

export interface TraceSettings {
  /** Where spans are sent. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly sampler: SamplerName;
  /** Of the samplers that have one: the part of traces that is recorded. */
  readonly ratio: number;
}

/** The settings, as a Config has them. */
interface Given {
  readonly otelExporterOtlpEndpoint: string | undefined;
  readonly otelExporterOtlpTracesEndpoint: string | undefined;
  readonly otelExporterOtlpHeaders: string | undefined;
  readonly otelServiceName: string;
  readonly otelTracesSampler: SamplerName;
  readonly otelTracesSamplerArg: number;
}

/** Undefined: nothing is traced. */
export function readTraces(given: Given): TraceSettings | undefined {
  const base = given.otelExporterOtlpEndpoint;
  const url = given.otelExporterOtlpTracesEndpoint ?? (base && `${base.replace(/\/$/, "")}/v1/traces`);
  if (url === undefined) return undefined;
  return {
    url,
    headers: readHeaders(given.otelExporterOtlpHeaders ?? "") ?? {},
    serviceName: given.otelServiceName,
    sampler: given.otelTracesSampler,
    ratio: given.otelTracesSamplerArg,
  };
}

/** The texts in it that may stand in no output: the values, as they are written and as they are sent. */
export function secretsInHeaders(text: string): string[] {
  const values = Object.values(readHeaders(text) ?? {});
  return [text, ...values.filter(({ length }) => length >= MIN_SECRET_CHARACTERS)];
}

/** Shorter ones are a tenant's name and the like, which may stand anywhere. */
const MIN_SECRET_CHARACTERS = 8;

const HEADER_NAME = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;

/** Reads `name=value,name=value`, each value with its percent signs decoded; undefined where it is something else. */
function readHeaders(text: string): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const pair of text.split(",").filter((part) => part.trim() !== "")) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, at)).trim();
    const value = decode(pair.slice(at + 1).trim());
    if (!HEADER_NAME.test(name) || value === undefined || !HEADER_VALUE.test(value)) return undefined;
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
