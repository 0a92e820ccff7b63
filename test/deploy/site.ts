/**
 * Owns the real nginx with deploy/nginx/longpour.conf, in front of the tests' servers.
 *
 * **Invariants**
 * - Ports, addresses and paths stand in place of those that the file ships; nothing else is changed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, curl, type Fetched, type Pair } from "../support/certificates.ts";
import type { Ports } from "../support/http.ts";
import { Nginx } from "../support/nginx.ts";
import { freePort } from "../support/redis.ts";
import { readShipped } from "./files.ts";

const SITE = "deploy/nginx/longpour.conf";
const CUSTOMERS = "coffee.example.org";
const STAFF = "staff.example.org";

const authority = new Authority("site-authority");
export const staffAuthority = new Authority("staff-authority");

interface SiteOptions {
  /** Asks staff for certificates: its lines are no comment then. */
  readonly asksCertificates?: boolean;
}

export class Site implements AsyncDisposable {
  readonly #port = freePort();
  readonly #plainPort = freePort();
  readonly #pair: Pair;
  #nginx: Nginx | undefined;
  #log = "";

  private constructor() {
    this.#pair = authority.issue("site", { extensions: `subjectAltName=DNS:${CUSTOMERS},DNS:${STAFF}` });
  }

  static async start(servers: readonly [Ports, Ports], options: SiteOptions = {}): Promise<Site> {
    const site = new Site();
    const probe = `127.0.0.1:${freePort()}`;
    site.#nginx = await Nginx.start(`http://${probe}/`, (folder) => {
      site.#log = join(folder, "access.log");
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
      const paths = temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
      const ready = `server { listen ${probe}; access_log off; location / { return 204; } }`;
      const shipped = site.#configure(folder, servers, options);
      return `daemon off; pid ${folder}/nginx.pid; events {} http { ${paths} access_log ${folder}/access.log; ${ready}\n${shipped}\n}`;
    });
    return site;
  }

  /** Asks for a path of the customers' site, with HTTPS. */
  ask(path: string, more: readonly string[] = []): Promise<Fetched> {
    return this.#curl(`https://${CUSTOMERS}:${this.#port}${path}`, more);
  }

  /** The same without TLS. */
  askPlainly(path: string, more: readonly string[] = []): Promise<Fetched> {
    return this.#curl(`http://${CUSTOMERS}:${this.#plainPort}${path}`, more);
  }

  /** Asks the staff's site. */
  askStaff(path: string, more: readonly string[] = [], client?: Pair): Promise<Fetched> {
    return this.#curl(`https://${STAFF}:${this.#port}${path}`, more, client);
  }

  /** What it logged of requests. */
  logged(): string {
    return readFileSync(this.#log, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nginx?.[Symbol.asyncDispose]();
  }

  #curl(url: string, more: readonly string[], client?: Pair): Promise<Fetched> {
    const here = [CUSTOMERS, STAFF].flatMap((name) => ["--connect-to", `${name}::127.0.0.1:`]);
    return curl(url, { cacert: authority.path, more: [...here, ...more], ...(client ? { client } : undefined) });
  }

  #configure(folder: string, servers: readonly [Ports, Ports], { asksCertificates }: SiteOptions): string {
    // Where it can read them.
    const { cert, key } = this.#pair;
    const files = { "fullchain.pem": cert, "privkey.pem": key, "staff-ca.pem": staffAuthority.path };
    for (const [name, path] of Object.entries(files)) writeFileSync(join(folder, name), readFileSync(path));
    const ports: Readonly<Record<string, number>> = { 443: this.#port, 80: this.#plainPort };
    // Not every machine has IPv6.
    const others: Readonly<Record<string, number>> = { 443: freePort(), 80: freePort() };
    let text = readShipped(SITE)
      .replaceAll(/listen (\d+)/g, (_, port: string) => `listen 127.0.0.1:${ports[port]}`)
      .replaceAll(/listen \[::\]:(\d+)/g, (_, port: string) => `listen 127.0.0.1:${others[port]}`)
      .replaceAll("/etc/nginx/tls", () => folder);
    servers.forEach(({ customers, baristas }, index) => {
      text = text
        .replace(`replica-${index + 1}:8000`, () => new URL(customers).host)
        .replace(`replica-${index + 1}:8001`, () => new URL(baristas).host);
    });
    return asksCertificates ? text.replaceAll(/^ *#(ssl_\w+ .*;)$/gm, "  $1") : text;
  }
}
