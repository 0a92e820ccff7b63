/**
 * Owns how tests read metrics: their values, and a real Prometheus with its promtool.
 *
 * **Invariants**
 * - Where Prometheus can't be installed, what needs it is skipped, and said so; nothing else is.
 * - A Prometheus and its folder are gone when it is disposed of, or the process ends.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StartError } from "../../src/lifecycle.ts";
import { installProgram } from "../../src/redis/install.ts";
import { ask, expectStatus, type Asking, type Ports } from "./http.ts";
import { PROMETHEUS } from "./programs.ts";
import { freePort, silent } from "./redis.ts";
import { until } from "./until.ts";

/** Values by name and labels, as they are written: `longpour_orders_total{event="placed",reason=""}`. */
export type Metrics = ReadonlyMap<string, number>;

/** Every line must be a comment or a value, and no value may come twice. */
export function readMetrics(text: string): Metrics {
  const metrics = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || /^# (?:HELP|TYPE) \w+ .|^# EOF$/.test(line)) continue;
    const [, name = "", value] = /^(\w+(?:\{(?:\w+="[^"\\\n]*",?)*\})?) (\S+)$/.exec(line) ?? [];
    if (value === undefined || Number.isNaN(Number(value))) throw new Error(`no metric: ${line}`);
    if (metrics.has(name)) throw new Error(`twice: ${name}`);
    metrics.set(name, Number(value));
  }
  return metrics;
}

/** Scrapes a server. */
export async function scrape({ baristas }: Pick<Ports, "baristas">, asking?: Asking): Promise<Metrics> {
  const answer = await ask(`${baristas}/metrics`, asking);
  expectStatus(answer, 200);
  return readMetrics(answer.text);
}

/** The folder of prometheus and promtool; undefined where they can't be had. */
export const prometheusFolder: string | undefined = await findPrometheus();

async function findPrometheus(): Promise<string | undefined> {
  try {
    return dirname(await installProgram(PROMETHEUS, { log: silent }));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.warn(`tests with Prometheus are skipped: ${error.message}`);
    return undefined;
  }
}

/** What promtool says of metrics: nothing where they are as they should be. */
export async function lint(text: string): Promise<string> {
  const { exitCode, output } = await promtool(["check", "metrics"], text);
  return output + (exitCode === 0 ? "" : `exit code ${exitCode}`);
}

/** Runs promtool, and reads what it says. */
export async function promtool(options: readonly string[], input = ""): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn([join(prometheusFolder ?? "", "promtool"), ...options], {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, output: said.join("") };
}

/** Runs promtool on a document, which it reads as YAML. */
export async function promtoolOn(options: readonly string[], document: object): ReturnType<typeof promtool> {
  const folder = mkdtempSync(join(tmpdir(), "longpour-promtool-"));
  try {
    const file = join(folder, "document.yml");
    // (JSON is YAML.)
    writeFileSync(file, JSON.stringify(document));
    return await promtool([...options, file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A Prometheus that scrapes these servers every second. */
export class TestPrometheus implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "longpour-prometheus-"));
  readonly #url = `http://127.0.0.1:${freePort()}`;
  readonly #child: Bun.Subprocess;

  private constructor(servers: readonly Ports[], token: string) {
    const config = {
      global: { scrape_interval: "1s" },
      scrape_configs: [
        {
          job_name: "longpour",
          authorization: { credentials: token },
          static_configs: [{ targets: servers.map(({ baristas }) => new URL(baristas).host) }],
        },
      ],
    };
    // (JSON is YAML.)
    writeFileSync(join(this.#folder, "prometheus.yml"), JSON.stringify(config));
    this.#child = Bun.spawn(
      [
        join(prometheusFolder ?? "", "prometheus"),
        `--config.file=${this.#folder}/prometheus.yml`,
        `--storage.tsdb.path=${this.#folder}/data`,
        `--web.listen-address=${new URL(this.#url).host}`,
      ],
      { stdio: ["ignore", "ignore", "ignore"] },
    );
    process.once("exit", () => this.#end());
  }

  static async start(servers: readonly Ports[], token: string): Promise<TestPrometheus> {
    const own = new TestPrometheus(servers, token);
    const isReady = () =>
      ask(`${own.#url}/-/ready`).then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(isReady, "Prometheus is ready", 30_000);
    return own;
  }

  /** The value of a query's first result; undefined where it has none. */
  async query(query: string): Promise<number | undefined> {
    const answer = await ask(`${this.#url}/api/v1/query?query=${encodeURIComponent(query)}`);
    expectStatus(answer, 200);
    const { data } = answer.body as { data: { result: { value: [number, string] }[] } };
    const value = data.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.exited;
    this.#end();
  }

  #end(): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
