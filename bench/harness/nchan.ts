/**
 * Owns Nchan under load: nginx with one worker, messages in memory, long-poll subscribers.
 *
 * **Invariants**
 * - Where the module is not installed, that is said, and nothing is started.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endChild, watchChild } from "./children.ts";
import { makeFolder, removeFolder } from "./folder.ts";
import { childrenOf, processorSeconds, residentKib } from "./process.ts";
import { freePort } from "./redis.ts";

const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules"];
const START_BOUND_MS = 10_000;

/** The module's file; undefined where it is not installed. */
export function findNchan(): string | undefined {
  if (Bun.which("nginx") === null) return undefined;
  return MODULES.map((folder) => join(folder, "ngx_nchan_module.so")).find((file) => existsSync(file));
}

export class BenchNchan {
  readonly url: string;
  readonly #child: Bun.Subprocess;
  readonly #folder: string;

  private constructor(port: number, child: Bun.Subprocess, folder: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(module: string): Promise<BenchNchan> {
    const folder = makeFolder();
    const port = freePort();
    const conf = join(folder, "nginx.conf");
    writeFileSync(conf, configuration(module, folder, port));
    const child = watchChild(
      Bun.spawn(["nginx", "-e", join(folder, "error.log"), "-c", conf], { stdio: ["ignore", "inherit", "inherit"] }),
    );
    const nchan = new BenchNchan(port, child, folder);
    await nchan.#untilReady();
    return nchan;
  }

  get residentKib(): number {
    return residentKib(childrenOf(this.#child.pid));
  }

  get processorSeconds(): number {
    return processorSeconds(childrenOf(this.#child.pid));
  }

  async close(): Promise<void> {
    await endChild(this.#child);
    removeFolder(this.#folder);
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_BOUND_MS;
    while (
      !(await fetch(`${this.url}/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
    ) {
      if (performance.now() > deadline || this.#child.exitCode !== null) throw new Error("nginx did not start");
      await Bun.sleep(20);
    }
  }
}

/** A message is kept until its subscriber is back, as the order of a customer is. */
function configuration(module: string, folder: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`)
    .join("\n");
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
${temporary}
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
