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
import type { Pair } from "./certificates.ts";
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
  /** Speaks HTTPS, as docs/operations.md says. */
  readonly https?: Pair & { readonly staffCa: string };
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
  readonly customers: string;
  readonly baristas: string;
  #nginx: Nginx | undefined;

  private constructor(protocol: string) {
    this.customers = `${protocol}://127.0.0.1:${freePort()}`;
    this.baristas = `${protocol}://127.0.0.1:${freePort()}`;
  }

  /** Starts it on free ports, before these servers. */
  static async start(servers: readonly Ports[], options: NginxOptions = {}): Promise<TestNginx> {
    const own = new TestNginx(options.https ? "https" : "http");
    const probe = options.https ? `http://127.0.0.1:${freePort()}` : own.customers;
    const configurationIn = (folder: string): string => configuration({ folder, own, servers, options, probe });
    own.#nginx = await Nginx.start(`${probe}/livez`, configurationIn);
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
  /** Where it is asked in plain HTTP whether it runs. */
  readonly probe: string;
}

/** What compose.yaml ships, with this machine's addresses in place of the containers'. */
function configuration({ folder, own, servers, options, probe }: Setting): string {
  const { readTimeout, buffers, https } = options;
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
  if (https) {
    const [all, staff] = documented(folder, https);
    change(/listen 8000 .*;/, all);
    change(/listen 8001;/, `${all.replace("8000", "8001")}\n${staff}`);
    change(/server \{/, `server { listen ${new URL(probe).host}; return 204; }\nserver {`);
    change(/listen 8001 .*;/, `listen ${new URL(own.baristas).host} ssl;`);
  }
  change(/listen 8000 /, `listen ${new URL(own.customers).host} `);
  if (!https) change(/listen 8001;/, `listen ${new URL(own.baristas).host};`);
  if (readTimeout) change(/proxy_read_timeout .*;/, `proxy_read_timeout ${readTimeout};`);
  if (buffers) change(/proxy_buffering off;/, "proxy_buffering on;");
  // Of an answer in HTTP/1.1 it passes each chunk on, all the same.
  if (buffers === "always")
    change(/proxy_http_version 1.1;/, "proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering;");
  return text;
}

/** The lines of docs/operations.md for both ports, and those for the baristas', with these files. */
function documented(folder: string, { cert, key, staffCa }: Pair & { readonly staffCa: string }): [string, string] {
  const files = { "fullchain.pem": cert, "privkey.pem": key, "staff-ca.pem": staffCa };
  // Where it can read them.
  for (const [name, path] of Object.entries(files)) writeFileSync(join(folder, name), readFileSync(path));
  const text = readFileSync(join(import.meta.dir, "../../docs/operations.md"), "utf8");
  const blocks = Array.from(text.matchAll(/^```nginx\n(.*?)^```$/gms), ([, lines = ""]) => lines);
  const [all, staff] = blocks.map((lines) => lines.replaceAll("/etc/nginx/tls", folder));
  if (!all?.startsWith("listen 8000 ssl ") || !staff) throw new Error("docs/operations.md has other lines for nginx");
  return [all, staff];
}

function shipped(): string {
  const compose = Bun.YAML.parse(readFileSync(join(import.meta.dir, "../../compose.yaml"), "utf8")) as {
    configs: { nginx: { content: string } };
  };
  return compose.configs.nginx.content.replaceAll("$$", () => "$");
}
