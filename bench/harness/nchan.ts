/**
 * Owns Nchan under load: nginx with one worker, messages in memory, long-poll subscribers.
 *
 * **Invariants**
 * - Where the module is not installed, that is said, and nothing is started.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child, freePort, makeFolder, removeFolder, residentKib, until } from "./process.ts";

const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules"];
const START_BOUND_SECONDS = 10;

/** The module's file; undefined where it is not installed. */
export function findNchan(): string | undefined {
  if (Bun.which("nginx") === null) return undefined;
  return MODULES.map((folder) => join(folder, "ngx_nchan_module.so")).find((file) => existsSync(file));
}

export class BenchNchan {
  readonly url: string;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(url: string, child: Child, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(module: string): Promise<BenchNchan> {
    const folder = makeFolder();
    const port = freePort();
    const conf = join(folder, "nginx.conf");
    writeFileSync(conf, configuration(module, folder, port));
    const child = Child.spawn(["nginx", "-e", join(folder, "error.log"), "-c", conf], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const url = `http://127.0.0.1:${port}`;
    const isReady = () =>
      fetch(`${url}/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isReady, "nginx answers", START_BOUND_SECONDS);
    return new BenchNchan(url, child, folder);
  }

  get residentKib(): number {
    return residentKib(this.#child.children);
  }

  async close(): Promise<void> {
    await this.#child.end();
    removeFolder(this.#folder);
  }
}

/** A message is kept until its subscriber is back, as the order of a customer is. */
function configuration(module: string, folder: string, port: number): string {
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
    listen 127.0.0.1:${port} backlog=4096;
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
