/** The Kubernetes manifests: no cluster runs here, so they are held against published schemas, types and this tree. */
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { isSettingName, readConfig } from "../../src/config.ts";
import { promtoolOn, prometheusFolder } from "../support/prometheus.ts";
import { readYaml, ROOT } from "./files.ts";
import { manifestFiles, modelOf, readManifest, type Manifest } from "./manifests.ts";
import { metricsIn } from "./queries.ts";
import { typeFaults } from "./type-check.ts";

const FOLDERS = ["deploy/kubernetes", "deploy/kubernetes/workers"];
/** Those who deploy make their own. */
const EXAMPLES = ["secret.example.yaml"];
const KUBECTL = Bun.which("kubectl");
if (!KUBECTL) console.warn("tests with kubectl are skipped: it is not there");

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: object;
}

interface Deployment {
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: object;
        readonly containers: readonly [Container];
      };
    };
  };
}

const server = (readYaml("deploy/kubernetes/deployment.yaml") as Deployment).spec;
const [container] = server.template.spec.containers;
const settings = (readYaml("deploy/kubernetes/settings.yaml") as { data: Record<string, string> }).data;
const secrets = (readYaml("deploy/kubernetes/secret.example.yaml") as { stringData: Record<string, string> })
  .stringData;
const workers = (readYaml("deploy/kubernetes/workers/deployment.yaml") as Deployment).spec;

describe.each(FOLDERS)("%s", (folder) => {
  const files = manifestFiles(folder);

  test("each manifest is what the published schema of its kind says, and has no field that its type lacks", async () => {
    const manifests = files.map((file) => readManifest(`${folder}/${file}`));
    for (const manifest of manifests) modelOf(manifest).check(manifest as never);
    const typed = manifests.map((document) => ({ ...modelOf(document), document }));
    expect(await typeFaults(typed)).toBe("");
  });

  test("the kustomization has each of them", () => {
    const { resources } = readYaml(`${folder}/kustomization.yaml`) as { resources: string[] };
    expect(resources.toSorted()).toEqual(files.filter((file) => !EXAMPLES.includes(file)).toSorted());
  });

  test.skipIf(!KUBECTL)("kubectl builds it, with an image of one version", async () => {
    const child = Bun.spawn([KUBECTL ?? "", "kustomize", join(ROOT, folder)], { stdout: "pipe", stderr: "pipe" });
    const [built, said] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([await child.exited, said]).toEqual([0, ""]);
    expect(built).toMatch(/image: \w+:\d+\.\d+\.\d+\n/);
  });
});

test("a misspelled field and a wrong value are found", async () => {
  const deployment = readYaml("deploy/kubernetes/deployment.yaml") as Manifest & { spec: object };
  const wrong = { ...deployment, spec: { ...deployment.spec, replicas: "two" } };
  expect(() => modelOf(wrong).check(wrong as never)).toThrow("must be integer");
  const misspelled = { ...deployment, spec: { ...deployment.spec, replicsa: 2 } };
  expect(await typeFaults([{ ...modelOf(misspelled), document: misspelled }])).toContain("replicsa");
});

test("the settings can be started with, and a token keeps the baristas' port", () => {
  const environment = { ...settings, ...secrets };
  expect(Object.keys(environment).filter((name) => !isSettingName(name))).toEqual([]);
  expect(readConfig(environment)).toMatchObject({ baristaHost: "0.0.0.0", staffToken: secrets["STAFF_TOKEN"] });
});

test("a pod has time to drain before it is killed", () => {
  const [, beforeStop] = container.lifecycle?.preStop.exec.command ?? [];
  const { drainSeconds } = readConfig(settings);
  expect(Number(beforeStop)).toBeGreaterThan(0);
  expect(server.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
    Number(beforeStop) + drainSeconds + 10,
  );
  const drain = workers.template.spec.containers[0].command?.find((_, at, all) => all[at - 1] === "--drain") ?? "";
  expect(workers.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(Number(drain.replace(/s$/, "")) + 5);
});

test("it is restarted by what the process says of itself alone, and gets requests while it is ready", () => {
  const probe = (path: string) => ({ httpGet: { path, port: "customers" } });
  expect(container.startupProbe).toMatchObject(probe("/livez"));
  expect(container.livenessProbe).toMatchObject(probe("/livez"));
  expect(container.readinessProbe).toMatchObject(probe("/readyz"));
  const { customerPort, baristaPort } = readConfig({});
  expect(container.ports).toEqual([
    { name: "customers", containerPort: customerPort },
    { name: "baristas", containerPort: baristaPort },
  ]);
});

test.each([["server", server] as const, ["workers", workers] as const])("pods of the %s have no rights", (_, spec) => {
  expect(spec.template.spec).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  });
  expect(spec.template.spec.containers[0].securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("selectors find the pods that they are for", () => {
  const { labels } = server.template.metadata;
  expect(server.selector.matchLabels).toEqual(labels);
  for (const name of ["service-customers", "service-baristas"]) {
    const { spec } = readYaml(`deploy/kubernetes/${name}.yaml`) as {
      spec: { selector: object; ports: [{ targetPort: string }] };
    };
    expect(spec.selector).toEqual(labels);
    expect([name, `service-${spec.ports[0].targetPort}`]).toEqual([name, name]);
  }
  expect(readManifest("deploy/kubernetes/disruption-budget.yaml")).toMatchObject({
    spec: { selector: { matchLabels: labels } },
  });
  expect(readManifest("deploy/kubernetes/network-policy.yaml")).toMatchObject({
    spec: { podSelector: { matchLabels: labels } },
  });
  const { matchLabels } = workers.selector;
  expect(workers.template.metadata.labels).toMatchObject(matchLabels);
});

test("the customers' port alone is led to from outside", () => {
  const ingress = readYaml("deploy/kubernetes/ingress.yaml") as { spec: object };
  expect(JSON.stringify(ingress.spec)).not.toContain("baristas");
  expect(ingress).toMatchObject({
    spec: { rules: [{ http: { paths: [{ backend: { service: { name: "longpour-customers" } } }] } }] },
  });
});

test("workers are scaled by a metric of their own queue, which the server declares", async () => {
  const { spec } = readYaml("deploy/kubernetes/workers/scaled-object.yaml") as {
    spec: { scaleTargetRef: { name: string }; triggers: [{ metadata: { query: string } }] };
  };
  const { query } = spec.triggers[0].metadata;
  expect(metricsIn(query)).toEqual(["longpour_queue_oldest_waiting_seconds"]);
  const [, queue = ""] = /queue="(\w+)"/.exec(query) ?? [];
  expect(readConfig(settings).queues.map(({ name }) => name)).toContain(queue);
  expect(workers.template.spec.containers[0].command).toContain(queue);
  expect(spec.scaleTargetRef.name).toBe(readManifest("deploy/kubernetes/workers/deployment.yaml").metadata.name);
});

test.skipIf(prometheusFolder === undefined)(
  "promtool reads the scrape of a cluster, but for how it finds pods",
  async () => {
    const path = "deploy/prometheus/kubernetes.yml";
    const config = readYaml(path) as { scrape_configs: [{ job_name: string; kubernetes_sd_configs: object[] }] };
    const [{ kubernetes_sd_configs, ...scraping }] = config.scrape_configs;
    expect(kubernetes_sd_configs).toEqual([
      { role: "pod", selectors: [{ role: "pod", label: "app.kubernetes.io/name=longpour" }] },
    ]);
    // Debian's Prometheus is built without Kubernetes.
    const without = { scrape_configs: [scraping] };
    expect(await promtoolOn(["check", "config", "--syntax-only"], without)).toMatchObject({ exitCode: 0 });
    expect(scraping.job_name).toBe("longpour");
  },
);
