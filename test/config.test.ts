/** Owns the tests of config.ts. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isLoopback, readConfig, secretsIn } from "../src/config.ts";
import { HostList } from "../src/host-list.ts";
import { StartError } from "../src/lifecycle.ts";
import { readTraces } from "../src/trace-settings.ts";

/** The faults that are named, one a line. */
function faultsOf(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    expect(error.exitCode).toBe(2);
    const [, only] = /^wrong setting: (.*)$/.exec(error.message) ?? [];
    if (only !== undefined) return [only];
    const [title, ...faults] = error.message.split("\n");
    expect(title).toBe("wrong settings:");
    expect(faults.length).toBeGreaterThan(1);
    return faults.map((fault) => fault.trim());
  }
  return [];
}

const DEFAULTS = {
  shop: "main",
  customerPort: 8000,
  baristaPort: 8001,
  customerHost: "0.0.0.0",
  baristaHost: "127.0.0.1",
  publicUrl: undefined,
  publicStaffUrl: undefined,
  allowedOrigins: [],
  staffToken: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  staffTlsCa: undefined,
  metricsToken: undefined,
  webhookAllow: HostList.of(""),
  callbackAllow: HostList.of(""),
  callbackSecret: undefined,
  callbackSecretFile: undefined,
  rulesFile: undefined,
  webhookSecrets: {},
  queues: [],
  redisUrl: undefined,
  dataDir: ".data",
  machines: undefined,
  payment: undefined,
  stripeSecretKey: undefined,
  stripeWebhookSecret: undefined,
  stripePublishableKey: undefined,
  stripeApi: "https://api.stripe.com",
  acquirer: false,
  stats: "lazy" as const,
  otelExporterOtlpEndpoint: undefined,
  otelExporterOtlpTracesEndpoint: undefined,
  otelExporterOtlpHeaders: undefined,
  otelServiceName: "longpour",
  otelTracesSampler: "parentbased_always_on" as const,
  otelTracesSamplerArg: 1,
  work: false,
  lanes: 64,
  maxHeld: 20_000,
  maxHeldPerAddress: 300,
  requestsPerSecond: 200,
  limitCapacity: 250,
  limitRefillPerSecond: 1,
  trustedProxies: [],
  proxyHeader: "x-forwarded-for" as const,
  leaseSeconds: 900,
  maxAttempts: 3,
  heartbeatSeconds: 25,
  drainSeconds: 75,
  outageSeconds: 30,
  retentionHours: 168,
  logLevel: "info",
};

test("without settings, the defaults hold", () => {
  expect(readConfig({})).toEqual(DEFAULTS);
  expect(readConfig({ LANES: "", STAFF_TOKEN: undefined, HOME: "/nowhere" })).toEqual(DEFAULTS);
  expect(Object.isFrozen(readConfig({}))).toBe(true);
});

test("settings are read in their types", () => {
  const environment = {
    CUSTOMER_PORT: "0",
    LIMIT_REFILL_PER_SECOND: "0.5",
    TRUSTED_PROXIES: "10.0.0.0/8, 192.0.2.7 ,fd00::/8,",
  };
  expect(readConfig(environment)).toMatchObject({
    customerPort: 0,
    limitRefillPerSecond: 0.5,
    trustedProxies: ["10.0.0.0/8", "192.0.2.7", "fd00::/8"],
  });
});

test("every fault is named at once, with what is wanted and what was given", () => {
  expect(
    faultsOf({
      SHOP: "my shop",
      CUSTOMER_PORT: "65536",
      LANES: "none",
      LIMIT_REFILL_PER_SECOND: "0",
      TRUSTED_PROXIES: "10.0.0.0/8,nonsense",
      LOG_LEVEL: "loud",
      WEBHOOK_ALLOW: "http://hooks.internal/",
    }).toSorted(),
  ).toEqual([
    "CUSTOMER_PORT: must be a whole number from 0 to 65535, not 65536",
    'LANES: must be a whole number from 1 to 1024, not "none"',
    "LIMIT_REFILL_PER_SECOND: must be a number from 0.001 to 1000000, not 0",
    'LOG_LEVEL: must be trace, debug, info, warn, error, fatal or silent, not "loud"',
    'SHOP: must be 1 to 64 letters, digits, _ or -, not "my shop"',
    'TRUSTED_PROXIES: must be addresses or CIDRs, separated by commas, not "10.0.0.0/8,nonsense"',
    "WEBHOOK_ALLOW: must be hosts such as hooks.example.org, *.example.org, 10.1.2.3:8080 or 10.0.0.0/8, " +
      'separated by commas, not "http://hooks.internal/"',
  ]);
});

test("a missing token is named together with the other faults", () => {
  const faults = faultsOf({ BARISTA_HOST: "0.0.0.0", LANES: "none" });
  const names = faults.map((fault) => fault.replace(/:.*/, ""));
  expect(names.toSorted()).toEqual(["BARISTA_HOST", "LANES"]);
});

test.each(["2.5", "1e2", "true", "0x10", "12 lanes"])("a whole number is not read from %p", (value) => {
  expect(faultsOf({ LANES: value })).toHaveLength(1);
});

test("secrets are not repeated", () => {
  const faults = faultsOf({ STAFF_TOKEN: "secret with spaces", REDIS_URL: "http://user:secret@host" });
  expect(faults.toSorted()).toEqual([
    "REDIS_URL: must begin with redis:// or rediss://, as in redis://user:password@host:port/database",
    "STAFF_TOKEN: must be 1 to 512 visible ASCII characters",
  ]);
});

test("faults of the settings of traces are listed as all others, and nothing of what may be a secret", () => {
  const faults = faultsOf({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:secret@localhost:4318",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "localhost:4317?secret",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization: secret",
    OTEL_TRACES_SAMPLER: "jaeger_remote",
    OTEL_TRACES_SAMPLER_ARG: "2",
  });
  const url = "must be https://… or http://…, without user, password and query";
  const shortened = faults.map((fault) => fault.replace(/must be one of always_on, .*,/, "must be always_on, …,"));
  expect(shortened.toSorted()).toEqual([
    `OTEL_EXPORTER_OTLP_ENDPOINT: ${url}`,
    "OTEL_EXPORTER_OTLP_HEADERS: must be name=value,name=value, with percent-encoded values",
    `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ${url}`,
    'OTEL_TRACES_SAMPLER: must be always_on, …, not "jaeger_remote"',
    "OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, not 2",
  ]);
  for (const headers of ["a=%zz", "=b", "a b=c", "a=%0d%0ab"]) {
    expect(faultsOf({ OTEL_EXPORTER_OTLP_HEADERS: headers })).toHaveLength(1);
  }
});

test("spans go to the endpoint with a path, or to that of traces as it is", () => {
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/otlp/" };
  const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://[::1]:4318/here" };
  const urlOf = (environment: Record<string, string>) => readTraces(readConfig(environment))?.url;
  expect(urlOf({})).toBeUndefined();
  expect(urlOf(base)).toBe("https://collector.example/otlp/v1/traces");
  expect(urlOf({ ...base, ...own })).toBe("http://[::1]:4318/here");
  const headers = "Authorization=Bearer%20a%3Db, x-tenant = coffee ,";
  const { headers: read } = readTraces(readConfig({ ...own, OTEL_EXPORTER_OTLP_HEADERS: headers })) ?? {};
  expect(read).toEqual({ authorization: "Bearer a=b", "x-tenant": "coffee" });
  const hidden = secretsIn({ OTEL_EXPORTER_OTLP_HEADERS: headers });
  for (const secret of [headers, "Bearer a=b"]) expect(hidden).toContain(secret);
});

test("the baristas' port is reached from elsewhere only with a token", () => {
  expect(faultsOf({ BARISTA_HOST: "0.0.0.0" })).toEqual([
    "BARISTA_HOST: set STAFF_TOKEN or STAFF_TLS_CA too, or leave it out to listen on this machine only",
  ]);
  expect(faultsOf({ BARISTA_HOST: "coffee.example" })).toHaveLength(1);
  for (const host of ["127.0.0.1", "::1", "localhost"])
    expect(readConfig({ BARISTA_HOST: host }).baristaHost).toBe(host);
  expect(readConfig({ STAFF_TOKEN: "t" }).baristaHost).toBe("0.0.0.0");
  expect(readConfig({ STAFF_TOKEN: "t", BARISTA_HOST: "10.0.0.1" })).toMatchObject({
    baristaHost: "10.0.0.1",
    staffToken: "t",
  });
});

test("HTTPS needs a certificate and its key, and client certificates need HTTPS", () => {
  const pair = { TLS_CERT: "cert.pem", TLS_KEY: "key.pem" };
  const config = readConfig({ ...pair, STAFF_TLS_CA: "staff.pem" });
  expect(config).toMatchObject({ tlsCert: "cert.pem", tlsKey: "key.pem", staffTlsCa: "staff.pem" });
  expect(config.baristaHost).toBe("0.0.0.0");
  expect(readConfig({ ...pair, STAFF_TLS_CA: "staff.pem", BARISTA_HOST: "10.0.0.1" }).baristaHost).toBe("10.0.0.1");
  expect(readConfig(pair).baristaHost).toBe("127.0.0.1");
  expect(faultsOf({ TLS_CERT: "cert.pem" })).toEqual(["TLS_KEY: is missing: HTTPS needs TLS_CERT and TLS_KEY"]);
  expect(faultsOf({ TLS_KEY: "key.pem" })).toEqual(["TLS_CERT: is missing: HTTPS needs TLS_CERT and TLS_KEY"]);
  expect(faultsOf({ STAFF_TLS_CA: "ca.pem" })).toEqual(["STAFF_TLS_CA: needs HTTPS: set TLS_CERT and TLS_KEY too"]);
});

test("the shop's address is a site's, without a path", () => {
  for (const url of ["https://coffee.test", "http://192.0.2.7:8000/"])
    expect(readConfig({ PUBLIC_URL: url }).publicUrl).toBe(url);
  for (const url of [
    "coffee.test",
    "ftp://coffee.test",
    "https://",
    "https://coffee.test/shop",
    "https://coffee.test?x",
  ])
    expect(faultsOf({ PUBLIC_URL: url })).toEqual([
      `PUBLIC_URL: must be https://… or http://…, without a path, not ${JSON.stringify(url)}`,
    ]);
});

test("the proxy's header is one of two, in any case", () => {
  for (const name of ["Forwarded", "forwarded", "FORWARDED"]) {
    expect(readConfig({ PROXY_HEADER: name }).proxyHeader).toBe("forwarded");
  }
  expect(readConfig({ PROXY_HEADER: "x-forwarded-for" }).proxyHeader).toBe("x-forwarded-for");
  for (const name of ["X-Real-IP", "X-Forwarded-For,Forwarded", "Host"]) {
    expect(faultsOf({ PROXY_HEADER: name })).toEqual([
      `PROXY_HEADER: must be X-Forwarded-For or Forwarded, not ${JSON.stringify(name)}`,
    ]);
  }
});

test("allowed origins are spelled as browsers send them", () => {
  const origins = ["https://coffee.test", "http://localhost:5173", "http://[::1]:3000"];
  expect(readConfig({ ALLOWED_ORIGINS: origins.join(", ") }).allowedOrigins).toEqual(origins);
  for (const wrong of [
    "*",
    "null",
    "coffee.test",
    "https://coffee.test/",
    "https://coffee.test/shop",
    "https://Coffee.test",
    "https://coffee.test:443",
    "https://u@coffee.test",
    "ftp://coffee.test",
    "https://*.coffee.test",
    "https://coffee.test https://tea.test",
  ]) {
    expect(faultsOf({ ALLOWED_ORIGINS: `http://localhost:5173,${wrong}` })).toEqual([
      `ALLOWED_ORIGINS: must be origins such as https://coffee.example.org, without a path, separated by commas, not "http://localhost:5173,${wrong}"`,
    ]);
  }
});

test("queues of machines are named, each with its options", () => {
  const text = " thumbs  capacity=100 lease_seconds=60 limit_refill_per_second=0.5 ,mail,, a-B_9 retention_seconds=1,";
  expect(readConfig({ QUEUES: text }).queues).toEqual([
    { name: "thumbs", capacity: 100, lease_seconds: 60, limit_refill_per_second: 0.5 },
    { name: "mail" },
    { name: "a-B_9", retention_seconds: 1 },
  ]);
});

test.each([
  ["wörk", '"wörk" must be 1 to 64 letters, digits, _ or -'],
  ["x".repeat(65), `"${"x".repeat(65)}" must be 1 to 64 letters, digits, _ or -`],
  ["default", "default is the counter's queue: choose another name"],
  ["mail, mail capacity=1", "mail is named twice"],
  ["mail capacity=0", "mail: capacity must be a whole number from 1 to 1000000"],
  ["mail capacity", "mail: capacity must be a whole number from 1 to 1000000"],
  ["mail capacity=", "mail: capacity must be a whole number from 1 to 1000000"],
  ["mail capacity=1e3", "mail: capacity must be a whole number from 1 to 1000000"],
  ["mail lease_seconds=0.5", "mail: lease_seconds must be a whole number from 1 to 86400"],
  ["mail max_attempts=1001", "mail: max_attempts must be a whole number from 1 to 1000"],
  ["mail retention_seconds=-1", "mail: retention_seconds must be a whole number from 1 to 31536000"],
  ["mail limit_refill_per_second=0", "mail: limit_refill_per_second must be a number from 0.001 to 1000000"],
  ["mail capacity=1 capacity=2", "mail: an option is given twice"],
])("QUEUES=%s is refused, and it is said why", (text, fault) => {
  expect(faultsOf({ QUEUES: `first, ${text}` })).toEqual([`QUEUES: ${fault}`]);
});

test.each(["size=1", "toString=1", "__proto__=1", "constructor"])("a queue has no option %s", (option) => {
  const [fault, ...others] = faultsOf({ QUEUES: `mail ${option}` });
  expect(fault).toStartWith(`QUEUES: mail: there is no option ${option.replace("=1", "")}: there are capacity, `);
  expect(others).toEqual([]);
});

test("loopback is this machine only, in every spelling", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
    expect(isLoopback(host)).toBe(true);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost.example", ""])
    expect(isLoopback(host)).toBe(false);
});

test(".env.example lists exactly the settings there are, with their defaults", () => {
  const example = readFileSync(join(import.meta.dir, "../.env.example"), "utf8");
  const lines = [...example.matchAll(/^(#?)([A-Z_]+)=(.*)$/gm)].map(([, off, name = "", value = ""]) => ({
    off,
    name,
    value,
  }));
  const names = lines.map(({ name }) => name);
  // Secrets of webhooks have names of their own.
  const known = Object.keys(DEFAULTS).filter((name) => name !== "webhookSecrets");
  const properties = known.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  expect(names.toSorted()).toEqual(properties.toSorted());
  // What is not commented out is the default.
  expect(readConfig(Object.fromEntries(lines.flatMap(({ off, name, value }) => (off ? [] : [[name, value]]))))).toEqual(
    DEFAULTS,
  );
  // All that have an example can be set together, but for the secret that stands in a file instead.
  const given = lines.filter(({ name }) => name !== "CALLBACK_SECRET");
  const settings = Object.fromEntries(given.map(({ name, value }) => [name, value || "something"]));
  expect(() => readConfig(settings)).not.toThrow();
});

test("compose.yaml's containers that hold customers let go of those whose network vanished", () => {
  const text = readFileSync(join(import.meta.dir, "../compose.yaml"), "utf8");
  const { services } = Bun.YAML.parse(text) as {
    services: Record<"nginx" | "app", { sysctls?: Record<string, number> }>;
  };
  for (const { sysctls } of [services.nginx, services.app]) expect(sysctls?.["net.ipv4.tcp_retries2"]).toBe(8);
});

test("compose.yaml drains for as long as a brewing takes, and kills no replica before it has drained", () => {
  const text = readFileSync(join(import.meta.dir, "../compose.yaml"), "utf8");
  const { services } = Bun.YAML.parse(text) as {
    services: { app: { environment: { DRAIN_SECONDS: number }; stop_grace_period: string } };
  };
  const { environment, stop_grace_period } = services.app;
  expect(environment.DRAIN_SECONDS).toBe(DEFAULTS.drainSeconds);
  // The simulated baristas take 60 s at most.
  expect(DEFAULTS.drainSeconds).toBeGreaterThan(60);
  expect(Number(/^(\d+)s$/.exec(stop_grace_period)?.[1])).toBeGreaterThanOrEqual(DEFAULTS.drainSeconds + 10);
});
