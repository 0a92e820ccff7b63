/**
 * Owns the settings: the environment, checked as a whole, becomes one frozen Config.
 *
 * **Invariants**
 * - Every value is in range.
 * - All faults are reported at once.
 * - No message repeats a secret.
 */
import { FormatRegistry, Type, type Static, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import ipaddr from "ipaddr.js";
import { HOST_LIST_DESCRIPTION, HostList } from "./host-list.ts";
import { readNumbers, wholeNumber } from "./numeric.ts";
import { readQueues, type NamedQueue } from "./queue-settings.ts";
import { readRedisUrl, secretsOf } from "./redis-url.ts";
import { SettingsError } from "./settings-error.ts";
import { secretsInHeaders, TRACE_SETTINGS } from "./trace-settings.ts";
import { isSecrets, SECRETS_DESCRIPTION } from "./webhook-secrets.ts";

const PROXY_HEADERS = ["x-forwarded-for", "forwarded"] as const;

FormatRegistry.Set("proxy-header", (text) => PROXY_HEADERS.some((header) => header === text.toLowerCase()));
FormatRegistry.Set("origin-list", (text) => splitList(text).every(isOrigin));
FormatRegistry.Set("cidr-list", (text) => splitList(text).every(isNetwork));
FormatRegistry.Set("host-list", (text) => HostList.isList(text));
FormatRegistry.Set("webhook-secrets", isSecrets);

const integer = (minimum: number, maximum: number, fallback: number) =>
  wholeNumber(minimum, maximum, { default: fallback });
const port = (fallback: number) => integer(0, 65_535, fallback);
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(schema);

const secret = () =>
  optional(Type.String({ pattern: "^[\\x21-\\x7e]{1,512}$", description: "1 to 512 visible ASCII characters" }));
const site = (options: { readonly default?: string } = {}) =>
  Type.String({
    pattern: "^https?://[^/?#\\s]+/?$",
    description: "https://… or http://…, without a path",
    ...options,
  });
const file = () => optional(Type.String({ minLength: 1, description: "a file" }));
const hostList = () => Type.String({ format: "host-list", default: "", description: HOST_LIST_DESCRIPTION });
const onOrOff = () =>
  Type.Union([Type.Literal("on"), Type.Literal("off")], { default: "off", description: "on or off" });

/** The settings as the environment spells them; `.env.example` says what each one does. */
const Environment = Type.Object({
  SHOP: Type.String({
    pattern: "^[A-Za-z0-9_-]{1,64}$",
    default: "main",
    description: "1 to 64 letters, digits, _ or -",
  }),
  CUSTOMER_PORT: port(8000),
  BARISTA_PORT: port(8001),
  CUSTOMER_HOST: Type.String({ minLength: 1, default: "0.0.0.0", description: "an address to listen on" }),
  BARISTA_HOST: optional(Type.String({ minLength: 1, description: "an address to listen on" })),
  PUBLIC_URL: optional(site()),
  PUBLIC_STAFF_URL: optional(site()),
  ALLOWED_ORIGINS: Type.String({
    format: "origin-list",
    default: "",
    description: "origins such as https://coffee.example.org, without a path, separated by commas",
  }),
  STAFF_TOKEN: secret(),
  TLS_CERT: file(),
  TLS_KEY: file(),
  STAFF_TLS_CA: file(),
  METRICS_TOKEN: secret(),
  WEBHOOK_ALLOW: hostList(),
  CALLBACK_ALLOW: hostList(),
  CALLBACK_SECRET: optional(Type.String({ format: "webhook-secrets", description: SECRETS_DESCRIPTION })),
  CALLBACK_SECRET_FILE: file(),
  RULES_FILE: file(),
  QUEUES: Type.String({ default: "", description: "queues as docs/operations.md says" }),
  REDIS_URL: optional(Type.String({ minLength: 1, description: "redis://user:password@host:port/database" })),
  DATA_DIR: Type.String({ minLength: 1, default: ".data", description: "a folder" }),
  MACHINES: file(),
  WORK: onOrOff(),
  PAYMENT: optional(
    Type.Union([Type.Literal("off"), Type.Literal("counter"), Type.Literal("card")], {
      description: "off, counter or card",
    }),
  ),
  STRIPE_SECRET_KEY: secret(),
  STRIPE_WEBHOOK_SECRET: secret(),
  STRIPE_PUBLISHABLE_KEY: secret(),
  STRIPE_API: site({ default: "https://api.stripe.com" }),
  ACQUIRER: onOrOff(),
  STATS: Type.Union([Type.Literal("lazy"), Type.Literal("on")], { default: "lazy", description: "lazy or on" }),
  ...TRACE_SETTINGS,
  LANES: integer(1, 1024, 64),
  MAX_HELD: integer(1, 1_000_000, 20_000),
  MAX_HELD_PER_ADDRESS: integer(1, 1_000_000, 300),
  REQUESTS_PER_SECOND: integer(1, 1_000_000, 200),
  LIMIT_CAPACITY: integer(1, 1_000_000, 250),
  LIMIT_REFILL_PER_SECOND: Type.Number({
    minimum: 0.001,
    maximum: 1_000_000,
    default: 1,
    description: "a number from 0.001 to 1000000",
  }),
  TRUSTED_PROXIES: Type.String({
    format: "cidr-list",
    default: "",
    description: "addresses or CIDRs, separated by commas",
  }),
  PROXY_HEADER: Type.String({
    format: "proxy-header",
    default: "X-Forwarded-For",
    description: "X-Forwarded-For or Forwarded",
  }),
  LEASE_SECONDS: integer(1, 86_400, 900),
  MAX_ATTEMPTS: integer(1, 1000, 3),
  HEARTBEAT_SECONDS: integer(1, 3600, 25),
  DRAIN_SECONDS: integer(0, 3600, 75),
  OUTAGE_SECONDS: integer(1, 3600, 30),
  RETENTION_HOURS: integer(1, 8760, 168),
  LOG_LEVEL: Type.Union(
    ["trace", "debug", "info", "warn", "error", "fatal", "silent"].map((level) => Type.Literal(level)),
    { default: "info", description: "trace, debug, info, warn, error, fatal or silent" },
  ),
});

type Environment = Static<typeof Environment>;

/** The name of a setting, such as `CUSTOMER_PORT`. */
export type SettingName = keyof Environment;

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(Environment.properties, name);
}

/** One setting, for who shows it: `wanted` says which values it may have. */
export interface Setting {
  readonly name: string;
  readonly wanted: string;
  readonly fallback?: string;
}

/** All settings, as the environment spells them. */
export const SETTINGS: readonly Setting[] = Object.entries<TSchema>(Environment.properties).map(([name, schema]) => {
  const fallback = schema.default as string | number | undefined;
  return {
    name,
    wanted: schema.description ?? "",
    ...(fallback === undefined ? undefined : { fallback: `${fallback}` }),
  };
});

/** The settings that the server runs by. Times carry their unit in their name; absent means switched off. */
export type Config = Readonly<
  ReturnType<typeof configFrom> & {
    queues: readonly NamedQueue[];
    /** The variables that rules may name for their secrets, by name. */
    webhookSecrets: Readonly<Record<string, string>>;
  }
>;

/** Reads the environment. Throws one SettingsError that lists every fault. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.keys(Environment.properties).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  );
  const values = readNumbers(Environment, { ...Value.Create(Environment), ...given });
  const faults = Value.Check(Environment, values) ? [] : faultsIn(values);
  if (!given.STAFF_TOKEN && !given.STAFF_TLS_CA && given.BARISTA_HOST && !isLoopback(given.BARISTA_HOST)) {
    faults.push("BARISTA_HOST: set STAFF_TOKEN or STAFF_TLS_CA too, or leave it out to listen on this machine only");
  }
  if (Boolean(given.TLS_CERT) !== Boolean(given.TLS_KEY)) {
    faults.push(`${given.TLS_CERT ? "TLS_KEY" : "TLS_CERT"}: is missing: HTTPS needs TLS_CERT and TLS_KEY`);
  }
  if (given.STAFF_TLS_CA && !given.TLS_CERT && !given.TLS_KEY) {
    faults.push("STAFF_TLS_CA: needs HTTPS: set TLS_CERT and TLS_KEY too");
  }
  if (Boolean(given.STRIPE_SECRET_KEY) !== Boolean(given.STRIPE_WEBHOOK_SECRET)) {
    const missing = given.STRIPE_SECRET_KEY ? "STRIPE_WEBHOOK_SECRET" : "STRIPE_SECRET_KEY";
    faults.push(`${missing}: is missing: cards need STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET`);
  }
  if (given.PAYMENT === "card" && !given.STRIPE_SECRET_KEY && given.ACQUIRER !== "on") {
    faults.push(
      "PAYMENT: card needs STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET; or ACQUIRER=on, to try it without money",
    );
  }
  if (given.CALLBACK_ALLOW && !given.CALLBACK_SECRET && !given.CALLBACK_SECRET_FILE) {
    faults.push("CALLBACK_SECRET: is missing: callbacks are signed by it, or by what CALLBACK_SECRET_FILE holds");
  }
  if (given.CALLBACK_SECRET && given.CALLBACK_SECRET_FILE) {
    faults.push("CALLBACK_SECRET_FILE: leave it out, or CALLBACK_SECRET");
  }
  const redis = given.REDIS_URL ? readRedisUrl(given.REDIS_URL) : undefined;
  if (redis?.kind === "fault") faults.push(`REDIS_URL: ${redis.fault}`);
  const queues = readQueues(given.QUEUES ?? "");
  if (queues.kind === "faults") faults.push(...queues.faults.map((fault) => `QUEUES: ${fault}`));
  if (faults.length > 0 || queues.kind === "faults") throw new SettingsError(faults);
  const webhookSecrets = Object.freeze(webhookSecretsIn(environment));
  return Object.freeze({ ...configFrom(values as Environment), queues: queues.declared, webhookSecrets });
}

const SECRET_NAMES = [
  "STAFF_TOKEN",
  "METRICS_TOKEN",
  "STRIPE_SECRET_KEY",
  "STRIPE_WEBHOOK_SECRET",
  "CALLBACK_SECRET",
  "OTEL_EXPORTER_OTLP_HEADERS",
];

/** Values that no message shows: secrets, and addresses that one may have been written into. */
const UNSHOWN: readonly string[] = [
  ...SECRET_NAMES,
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/** The texts of the environment that may stand in no output. */
export function secretsIn(environment: Readonly<Record<string, string | undefined>>): string[] {
  const named = SECRET_NAMES.map((name) => environment[name] ?? "");
  const headers = secretsInHeaders(environment["OTEL_EXPORTER_OTLP_HEADERS"] ?? "");
  const lists = [...Object.values(webhookSecretsIn(environment)), environment["CALLBACK_SECRET"] ?? ""];
  const ofWebhooks = lists.flatMap((text) => text.split(/[\s,]+/));
  return [...named, ...headers, ...ofWebhooks, ...secretsOf(environment["REDIS_URL"] ?? "")];
}

/** WEBHOOK_SECRET, and all that begin with WEBHOOK_SECRET_. */
function webhookSecretsIn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const isNamed = (name: string): boolean => /^WEBHOOK_SECRET(_|$)/.test(name);
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, text]) => (text && isNamed(name) ? [[name, text]] : [])),
  );
}

/** Whether `host` reaches this machine only. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback";
}

function configFrom(env: Environment) {
  return {
    shop: env.SHOP,
    customerPort: env.CUSTOMER_PORT,
    baristaPort: env.BARISTA_PORT,
    customerHost: env.CUSTOMER_HOST,
    baristaHost: env.BARISTA_HOST ?? (env.STAFF_TOKEN || env.STAFF_TLS_CA ? "0.0.0.0" : "127.0.0.1"),
    publicUrl: env.PUBLIC_URL,
    publicStaffUrl: env.PUBLIC_STAFF_URL,
    allowedOrigins: splitList(env.ALLOWED_ORIGINS),
    staffToken: env.STAFF_TOKEN,
    tlsCert: env.TLS_CERT,
    tlsKey: env.TLS_KEY,
    staffTlsCa: env.STAFF_TLS_CA,
    metricsToken: env.METRICS_TOKEN,
    webhookAllow: HostList.of(env.WEBHOOK_ALLOW),
    callbackAllow: HostList.of(env.CALLBACK_ALLOW),
    callbackSecret: env.CALLBACK_SECRET,
    callbackSecretFile: env.CALLBACK_SECRET_FILE,
    rulesFile: env.RULES_FILE,
    redisUrl: env.REDIS_URL,
    dataDir: env.DATA_DIR,
    machines: env.MACHINES,
    work: env.WORK === "on",
    payment: env.PAYMENT,
    stripeSecretKey: env.STRIPE_SECRET_KEY,
    stripeWebhookSecret: env.STRIPE_WEBHOOK_SECRET,
    stripePublishableKey: env.STRIPE_PUBLISHABLE_KEY,
    stripeApi: env.STRIPE_API,
    acquirer: env.ACQUIRER === "on",
    stats: env.STATS,
    otelExporterOtlpEndpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    otelExporterOtlpTracesEndpoint: env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    otelExporterOtlpHeaders: env.OTEL_EXPORTER_OTLP_HEADERS,
    otelServiceName: env.OTEL_SERVICE_NAME,
    otelTracesSampler: env.OTEL_TRACES_SAMPLER,
    otelTracesSamplerArg: env.OTEL_TRACES_SAMPLER_ARG,
    lanes: env.LANES,
    maxHeld: env.MAX_HELD,
    maxHeldPerAddress: env.MAX_HELD_PER_ADDRESS,
    requestsPerSecond: env.REQUESTS_PER_SECOND,
    limitCapacity: env.LIMIT_CAPACITY,
    limitRefillPerSecond: env.LIMIT_REFILL_PER_SECOND,
    trustedProxies: splitList(env.TRUSTED_PROXIES),
    proxyHeader: env.PROXY_HEADER.toLowerCase() as (typeof PROXY_HEADERS)[number],
    leaseSeconds: env.LEASE_SECONDS,
    maxAttempts: env.MAX_ATTEMPTS,
    heartbeatSeconds: env.HEARTBEAT_SECONDS,
    drainSeconds: env.DRAIN_SECONDS,
    outageSeconds: env.OUTAGE_SECONDS,
    retentionHours: env.RETENTION_HOURS,
    logLevel: env.LOG_LEVEL,
  };
}

/** One line a faulty setting. Values are shown unless the setting may hold a secret. */
function faultsIn(values: unknown): string[] {
  const faults = new Map<string, string>();
  for (const { path, schema, value } of Value.Errors(Environment, values)) {
    const name = path.slice(1);
    const shown = UNSHOWN.includes(name) ? "" : `, not ${JSON.stringify(value)}`;
    faults.set(name, faults.get(name) ?? `${name}: must be ${schema.description}${shown}`);
  }
  return [...faults.values()];
}

function splitList(text: string): string[] {
  return text.split(",").flatMap((part) => part.trim() || []);
}

/** Whether it is an origin as browsers spell it: they send it so, and it is compared as text. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]*$/.test(text) && URL.parse(text)?.origin === text;
}

function isNetwork(text: string): boolean {
  return text.includes("/") ? ipaddr.isValidCIDR(text) : ipaddr.isValid(text);
}
