/**
 * Owns the certificates of the tests: made by openssl, by authorities that only the tests trust.
 *
 * **Invariants**
 * - All files are in one folder, which is gone when the process ends.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DAY_MS = 24 * 3_600_000;

export interface Pair {
  /** Paths, of PEM. */
  readonly cert: string;
  readonly key: string;
}

interface Issuing {
  /** From when to when, in days from now. */
  readonly fromDays?: number;
  readonly toDays?: number;
  /** What an extension file of openssl holds. */
  readonly extensions?: string;
}

const SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1";

const CONFIG = `[ca]
default_ca=authority
[authority]
database=index.txt
serial=serial
new_certs_dir=.
default_md=sha256
unique_subject=no
policy=any
[any]
commonName=supplied
[req]
distinguished_name=name
[name]
`;

export class Authority {
  readonly #folder: string;

  constructor(name: string, { toDays = 30 }: Pick<Issuing, "toDays"> = {}) {
    const folder = mkdtempSync(join(tmpdir(), "longpour-certificates-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    this.#folder = folder;
    writeFileSync(join(folder, "openssl.cnf"), CONFIG);
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "serial"), "01");
    const extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
    this.#request(name);
    this.#sign(name, ["-selfsign", "-keyfile", `${name}.key`], { fromDays: -60, toDays, extensions });
    for (const kind of ["key", "pem"]) copyFileSync(join(folder, `${name}.${kind}`), join(folder, `authority.${kind}`));
  }

  /** Its certificate's path. */
  get path(): string {
    return join(this.#folder, "authority.pem");
  }

  get pem(): string {
    return readFileSync(this.path, "utf8");
  }

  /** Of this machine, unless `extensions` says otherwise. */
  issue(name: string, issuing: Issuing = {}): Pair {
    this.#request(name);
    const signed = { extensions: SERVER, ...issuing };
    this.#sign(name, ["-cert", "authority.pem", "-keyfile", "authority.key"], signed);
    return { cert: join(this.#folder, `${name}.pem`), key: join(this.#folder, `${name}.key`) };
  }

  #request(name: string): void {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    this.#openssl("req", ...curve, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
  }

  #sign(name: string, by: readonly string[], { fromDays = -1, toDays = 30, extensions = "" }: Issuing): void {
    writeFileSync(join(this.#folder, "extensions"), extensions);
    const dates = ["-startdate", opensslTime(fromDays), "-enddate", opensslTime(toDays)];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", "extensions"];
    this.#openssl("ca", "-batch", "-notext", ...by, ...dates, ...files);
  }

  #openssl(command: string, ...options: readonly string[]): void {
    const ended = Bun.spawnSync(["openssl", command, "-config", "openssl.cnf", ...options], { cwd: this.#folder });
    if (ended.exitCode !== 0) throw new Error(`openssl ${command} failed: ${ended.stderr.toString()}`);
  }
}

function opensslTime(days: number): string {
  return `${new Date(Date.now() + days * DAY_MS).toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`;
}

/** A pair under names of its own, which may be replaced as a renewal does it. */
export class InstalledPair implements Pair {
  readonly cert: string;
  readonly key: string;

  constructor(pair: Pair) {
    const folder = mkdtempSync(join(tmpdir(), "longpour-pair-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    this.cert = join(folder, "cert.pem");
    this.key = join(folder, "key.pem");
    this.replace(pair);
  }

  /** Either file may be left as it is. */
  replace({ cert, key }: Partial<Pair>): void {
    if (cert) copyFileSync(cert, this.cert);
    if (key) copyFileSync(key, this.key);
  }

  get settings() {
    return { TLS_CERT: this.cert, TLS_KEY: this.key };
  }
}

/** The common name of the certificate that a new connection to a port sees. */
export async function shownBy(url: string): Promise<string> {
  const { host } = new URL(url);
  const connection = Bun.spawn(["openssl", "s_client", "-connect", host], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: 10_000,
  });
  const text = await new Response(connection.stdout).text();
  return /subject=.*?CN\s*=\s*([^\n,/]+)/.exec(text)?.[1]?.trim() ?? "none";
}

export interface Fetched {
  readonly exitCode: number;
  readonly status: number;
  readonly body: string;
}

interface CurlOptions {
  readonly cacert: string;
  readonly client?: Pair;
  readonly more?: readonly string[];
}

/** One request of curl's; its end can be waited for while other things happen. */
export async function curl(url: string, { cacert, client, more = [] }: CurlOptions): Promise<Fetched> {
  const shown = client ? ["--cert", client.cert, "--key", client.key] : [];
  const options = ["--silent", "--max-time", "60", "--write-out", "\n%{http_code}", "--cacert", cacert];
  const child = Bun.spawn(["curl", ...options, ...shown, ...more, url], { stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  const end = text.lastIndexOf("\n");
  return { exitCode: await child.exited, status: Number(text.slice(end + 1)), body: text.slice(0, end) };
}
