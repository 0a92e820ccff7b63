/**
 * Owns the real nginx of the tests and the bench: on loopback, without rights; of the tests, in front of their servers,
 * with the configuration of compose.yaml.
 *
 * **Invariants**
 * - An nginx and its folder are gone when it is disposed of, or the process ends.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installProgram } from "../../src/redis/install.ts";
import { ask, type Ports } from "./http.ts";
import { NGINX } from "./programs.ts";
import { freePort } from "./redis.ts";
import { silent } from "./redis.ts";
import { withoutRights } from "./rights.ts";
import { until } from "./until.ts";

interface NginxOptions {
  /** How long a server may be silent, such as `5s`; as shipped where absent. */
  readonly readTimeout?: string;
  /** Whether it buffers answers: where a server does not forbid it, or whatever a server says. */
  readonly buffers?: "unless forbidden" | "always";
}

/** An nginx without rights, in a folder of its own. */
export class Nginx implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  readonly #folder: string;

  private constructor(child: Bun.Subprocess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    process.once("exit", () => this.#end());
  }

  /** Starts it with that configuration, and resolves once it answers at `url` with a status below 300. */
  static async start(url: string, configurationIn: (folder: string) => string): Promise<Nginx> {
    const program = await installProgram(NGINX, { log: silent });
    const folder = mkdtempSync(join(tmpdir(), "longpour-nginx-"));
    const conf = join(folder, "nginx.conf");
    writeFileSync(conf, configurationIn(folder));
    const errors = join(folder, "error.log");
    const prefix = await withoutRights(folder);
    const child = Bun.spawn([...prefix, program, "-p", folder, "-e", errors, "-c", conf], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const nginx = new Nginx(child, folder);
    try {
      await until(() => nginx.#answers(url), "nginx answers");
    } catch (error) {
      const output = readFileSync(errors, "utf8");
      await nginx[Symbol.asyncDispose]();
      throw new Error(`nginx did not start: ${output}`, { cause: error });
    }
    return nginx;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends all its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#child.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #end(): void {
    this.#child.kill("SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answers(url: string): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`nginx ended with exit code ${this.#child.exitCode}`);
    const { status } = await ask(url).catch(() => ({ status: 500 }));
    return status < 300;
  }
}

/** One before servers, as shipped. */
export class TestNginx implements Ports, AsyncDisposable {
  readonly customers = `http://127.0.0.1:${freePort()}`;
  readonly baristas = `http://127.0.0.1:${freePort()}`;
  #nginx: Nginx | undefined;

  /** Starts it on free ports, before these servers. */
  static async start(servers: readonly Ports[], options: NginxOptions = {}): Promise<TestNginx> {
    const own = new TestNginx();
    const configurationIn = (folder: string): string => configuration({ folder, own, servers, options });
    own.#nginx = await Nginx.start(`${own.customers}/livez`, configurationIn);
    return own;
  }

  get pid(): number {
    return this.#nginx?.pid ?? NaN;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nginx?.[Symbol.asyncDispose]();
  }
}

interface Setting {
  readonly folder: string;
  readonly own: Ports;
  readonly servers: readonly Ports[];
  readonly options: NginxOptions;
}

/** What compose.yaml ships, with this machine's addresses in place of the containers'. */
function configuration({ folder, own, servers, options: { readTimeout, buffers } }: Setting): string {
  const upstream = (port: keyof Ports): string =>
    servers.map((server) => `server ${new URL(server[port]).host} max_fails=0;`).join(" ");
  let text = `daemon off;\n${shipped().replaceAll(" /tmp/", ` ${folder}/`)}`;
  /** A line of it becomes another. */
  const change = (line: RegExp, to: string): void => {
    if (!line.test(text)) throw new Error(`compose.yaml's nginx configuration has no ${String(line)}`);
    text = text.replace(line, () => to);
  };
  change(/^ *resolver .*$/m, "");
  // nginx follows names in an upstream only since 1.27.3.
  change(/server app:8000 .*;/, upstream("customers"));
  change(/server app:8001 .*;/, upstream("baristas"));
  change(/listen 8000 /, `listen ${new URL(own.customers).host} `);
  change(/listen 8001;/, `listen ${new URL(own.baristas).host};`);
  if (readTimeout) change(/proxy_read_timeout .*;/, `proxy_read_timeout ${readTimeout};`);
  if (buffers) change(/proxy_buffering off;/, "proxy_buffering on;");
  // Of an answer in HTTP/1.1 it passes each chunk on, all the same.
  if (buffers === "always")
    change(/proxy_http_version 1.1;/, "proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering;");
  return text;
}

function shipped(): string {
  const compose = Bun.YAML.parse(readFileSync(join(import.meta.dir, "../../compose.yaml"), "utf8")) as {
    configs: { nginx: { content: string } };
  };
  return compose.configs.nginx.content.replaceAll("$$", () => "$");
}
