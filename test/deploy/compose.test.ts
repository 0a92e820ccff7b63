/** compose.yaml: no Docker runs here, so it is held against Compose's published schema, and against this tree. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { Ajv } from "ajv";
import { expect, test } from "bun:test";
import { isSettingName } from "../../src/config.ts";
import { readShipped, readYaml, ROOT } from "./files.ts";

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly profiles?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: unknown;
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly environment: string }>>;
}

const compose = readYaml("compose.yaml") as Compose;
const services = Object.entries(compose.services);

/** The Compose Specification's schema, as dclint ships it. */
function createCheck() {
  const folder = dirname(Bun.resolveSync("dclint/package.json", import.meta.dir));
  const { $schema: _draft7, ...schema } = JSON.parse(
    readShipped(join(folder.slice(ROOT.length + 1), "schemas/compose.schema.json")),
  ) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, allErrors: true });
  const check = ajv.compile(schema);
  return (document: unknown): string => (check(document) ? "" : ajv.errorsText(check.errors));
}

test("it is what the Compose Specification says", () => {
  const check = createCheck();
  expect(check(compose)).toBe("");
  const wrong = { ...compose, services: { app: { ...compose.services["app"], stop_grace_perriod: "90s" } } };
  expect(check(wrong)).toContain("additional properties");
  const numbered = { ...compose, services: { app: { ...compose.services["app"], stop_grace_period: 90 } } };
  expect(check(numbered)).toContain("must be string");
});

test("without the profile it runs what it always ran", () => {
  const always = services.filter(([, { profiles = [] }]) => profiles.length === 0).map(([name]) => name);
  expect(always).toEqual(["nginx", "app", "redis"]);
  const withMetrics = services.filter(([, { profiles = [] }]) => profiles.includes("metrics")).map(([name]) => name);
  expect(withMetrics).toEqual(["prometheus", "redis-exporter", "grafana"]);
  // What those need is asked for by them alone.
  for (const name of always) expect(compose.services[name]?.secrets).toBeUndefined();
});

test("all that services name is there", () => {
  for (const [name, { networks = [], volumes = [], secrets = [] }] of services) {
    const named = Array.isArray(networks) ? (networks as string[]) : Object.keys(networks as object);
    expect([name, named.filter((network) => !(network in compose.networks))]).toEqual([name, []]);
    expect([name, secrets.filter((secret) => !(secret in compose.secrets))]).toEqual([name, []]);
    for (const source of volumes.map((volume) => volume.split(":")[0] ?? "")) {
      const isThere = source.startsWith("./") ? existsSync(join(ROOT, source)) : source in compose.volumes;
      expect([name, source, isThere]).toEqual([name, source, true]);
    }
  }
});

test("each image is of one version, none has rights, and only the customers' port is open to others", () => {
  for (const [name, { image, build, cap_drop, security_opt, ports = [] }] of services) {
    expect(`${name}: ${build ?? image}`).toMatch(/^[\w-]+: (?:\.|[\w./]+:v?\d[\w.-]*)$/);
    expect([name, cap_drop, security_opt]).toEqual([name, ["ALL"], ["no-new-privileges:true"]]);
    const open = ports.filter((port) => !port.startsWith("127.0.0.1:"));
    expect([name, open]).toEqual([name, name === "nginx" ? ["8000:8000"] : []]);
  }
});

test("the server's environment has settings that there are", () => {
  const names = Object.keys(compose.services["app"]?.environment ?? {});
  expect(names.filter((name) => !isSettingName(name))).toEqual([]);
});

test("Prometheus shows the token that the server was given, and scrapes the server's own ports", () => {
  const { secrets, services: all } = compose;
  expect(secrets["metrics_token"]?.environment).toBe("METRICS_TOKEN");
  expect(all["app"]?.environment?.["METRICS_TOKEN"]).toBe("${METRICS_TOKEN:-}");
  expect(all["prometheus"]?.secrets).toEqual(["metrics_token"]);
  expect(readYaml("deploy/prometheus/prometheus.yml")).toMatchObject({
    rule_files: ["alerts.yml", "alerts-redis.yml"],
    scrape_configs: [
      {
        job_name: "longpour",
        authorization: { credentials_file: "/run/secrets/metrics_token" },
        dns_sd_configs: [{ names: ["app"], port: 8001 }],
      },
      { static_configs: [{ targets: ["redis-exporter:9121"] }] },
    ],
  });
});
