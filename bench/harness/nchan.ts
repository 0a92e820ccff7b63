/**
 * Owns Nchan under load: nginx with one worker, messages in memory, long-poll subscribers.
 *
 * **Invariants**
 * - Where the module is not installed, that is said, and nothing is started.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../test/support/redis.ts";
import { until } from "../../test/support/until.ts";
import { Child, childrenOf, residentKib } from "./process.ts";

const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules"];

/** The module's file; undefined where it is not installed. */
export function findNchan(): string | undefined {
  if (Bun.which("nginx") === null) return undefined;
  return MODULES.map((folder) => join(folder, "ngx_nchan_module.so")).find((file) => existsSync(file));
}

export class BenchNchan implements AsyncDisposable {
  readonly url = `http://127.0.0.1:${freePort()}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "longpour-nchan-"));
  readonly #child: Child;

  private constructor(module: string) {
    const conf = join(this.#folder, "nginx.conf");
    writeFileSync(conf, configuration(module, this.#folder, new URL(this.url).host));
    const command = ["nginx", "-e", join(this.#folder, "error.log"), "-c", conf];
    this.#child = new Child(command, { stdio: ["ignore", "inherit", "inherit"] });
    process.once("exit", () => this.#removeFolder());
  }

  static async start(module: string): Promise<BenchNchan> {
    const nchan = new BenchNchan(module);
    const answers = (): Promise<boolean> => fetch(`${nchan.url}/ready`).then(Boolean, () => false);
    await until(answers, "nginx answers");
    return nchan;
  }

  get residentKib(): number {
    return residentKib(childrenOf(this.#child.pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.end();
    this.#removeFolder();
  }

  #removeFolder(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A message is kept until its subscriber is back, as the order of a customer is. */
function configuration(module: string, folder: string, address: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
events { worker_connections 19000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
  nchan_shared_memory_size 256M;
  server {
    listen ${address} backlog=4096;
    location = /ready { return 204; }
    location ~ ^/sub/(.+)$ {
      nchan_subscriber longpoll;
      nchan_channel_id $1;
      nchan_subscriber_first_message oldest;
    }
    location ~ ^/pub/(.+)$ {
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 1;
      nchan_message_timeout 60s;
    }
  }
}
`;
}
