/**
 * Owns Nchan under load: nginx with one worker, messages in memory, long-poll subscribers.
 *
 * **Invariants**
 * - Where the module is not installed, that is said, and nothing is started.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Nginx } from "../../test/support/nginx.ts";
import { freePort } from "../../test/support/redis.ts";

const MODULES = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules"];

/** The module's file; undefined where it is not installed. */
export function findNchan(): string | undefined {
  if (Bun.which("nginx") === null) return undefined;
  return MODULES.map((folder) => join(folder, "ngx_nchan_module.so")).find((file) => existsSync(file));
}

/** Starts it, on an address of its own. */
export async function startNchan(module: string): Promise<{ nginx: Nginx; url: string }> {
  const address = `127.0.0.1:${freePort()}`;
  const url = `http://${address}`;
  return { url, nginx: await Nginx.start(`${url}/ready`, (folder) => configuration(module, folder, address)) };
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
