/**
 * Owns the certificates that both ports show, and the authority of those that baristas show: read from files, and
 * judged.
 *
 * **Invariants**
 * - What is ready can be served: key and certificate belong together, and are valid now.
 * - All faults are named at once, each with its setting and its file; never with what the file holds.
 */
import { createHash, createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";

/** Browsers and TLS libraries refuse a certificate whose RSA key is shorter. */
const MIN_RSA_BITS = 2048;
/** Far more than any chain or bundle has. */
const MAX_BYTES = 1024 * 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The paths of TLS_CERT, TLS_KEY and STAFF_TLS_CA. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly staffCa: string | undefined;
}

/** In PEM. */
export interface Certificates {
  readonly cert: string;
  readonly key: string;
  /** Who signs the certificates of baristas; absent: they are asked for none. */
  readonly staffCa: string | undefined;
  readonly notAfterMs: number;
}

/** Certificates that can be served, and where they came from. */
export interface Https {
  readonly files: CertificateFiles;
  readonly certificates: Certificates;
  /** Of the reading that they are from. */
  readonly digest: string;
}

/** What one file held. */
type FileRead = { readonly path: string; readonly text: string } | { readonly fault: string };

/** What the files held at one time. */
export interface Reading {
  readonly cert: FileRead;
  readonly key: FileRead;
  readonly staffCa: FileRead | undefined;
  /** Equal for equal files. */
  readonly digest: string;
}

export type Judgement =
  | { readonly kind: "ready"; readonly certificates: Certificates }
  | { readonly kind: "faults"; readonly faults: readonly string[] };

export async function readFiles(files: CertificateFiles): Promise<Reading> {
  const [cert, key, staffCa] = await Promise.all([
    readOne("TLS_CERT", files.cert),
    readOne("TLS_KEY", files.key),
    files.staffCa === undefined ? undefined : readOne("STAFF_TLS_CA", files.staffCa),
  ]);
  const digest = createHash("sha256")
    .update(JSON.stringify([cert, key, staffCa]))
    .digest("hex");
  return { cert, key, staffCa, digest };
}

async function readOne(setting: string, path: string): Promise<FileRead> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return { fault: `${setting}: ${path} is no file` };
    if (found.size > MAX_BYTES) return { fault: `${setting}: ${path} is longer than ${MAX_BYTES} bytes` };
    return { path, text: await readFile(path, "utf8") };
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "is missing" : `can't be read (${code})`;
    return { fault: `${setting}: ${path} ${why}` };
  }
}

/** Whether what was read can be served at this time. */
export function judge({ cert, key, staffCa }: Reading, nowMs = Date.now()): Judgement {
  const faults = [cert, key, staffCa].flatMap((read) => (read && "fault" in read ? [read.fault] : []));
  const shown = "fault" in cert ? undefined : firstOf(readCertificates("TLS_CERT", cert), faults);
  if (shown && !("fault" in cert)) faults.push(...faultsOfTime(cert.path, shown, nowMs));
  const secret = "fault" in key ? undefined : readKey(key.path, key.text);
  if (typeof secret === "string") faults.push(secret);
  if (staffCa && !("fault" in staffCa)) faults.push(...faultsOfAuthority(staffCa, nowMs));
  if (!shown || !secret || typeof secret === "string" || "fault" in cert || "fault" in key) return refused(faults);
  if (!shown.checkPrivateKey(secret)) faults.push(`TLS_KEY: ${key.path} is not the key of TLS_CERT, ${cert.path}`);
  const certificates = {
    cert: cert.text,
    key: key.text,
    staffCa: staffCa && "text" in staffCa ? staffCa.text : undefined,
    notAfterMs: Date.parse(shown.validTo),
  };
  if (faults.length === 0) faults.push(...faultsOfUse(cert.path, certificates));
  return faults.length === 0 ? { kind: "ready", certificates } : refused(faults);
}

function refused(faults: readonly string[]): Judgement {
  return { kind: "faults", faults };
}

/** All certificates of a file, or what is wrong with it. */
function readCertificates(setting: string, { path, text }: { path: string; text: string }): X509Certificate[] | string {
  const found = text.match(PEM_CERTIFICATE) ?? [];
  if (found.length === 0) return `${setting}: ${path} holds no certificate in PEM`;
  try {
    return found.map((pem) => new X509Certificate(pem));
  } catch {
    return `${setting}: ${path} holds a certificate that can't be read`;
  }
}

/** The certificate of a chain that is the server's own; what is wrong goes to the faults. */
function firstOf(read: readonly X509Certificate[] | string, faults: string[]): X509Certificate | undefined {
  if (typeof read !== "string") return read[0];
  faults.push(read);
  return undefined;
}

function faultsOfTime(path: string, { validFrom, validTo }: X509Certificate, nowMs: number): string[] {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (to <= nowMs) return [`TLS_CERT: ${path} expired on ${new Date(to).toISOString()}`];
  if (from > nowMs) return [`TLS_CERT: ${path} is not valid before ${new Date(from).toISOString()}`];
  return [];
}

function readKey(path: string, text: string): KeyObject | string {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    return `TLS_KEY: ${path} holds no private key that can be read (PEM, without a passphrase)`;
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS;
  if (key.asymmetricKeyType !== "rsa" || bits >= MIN_RSA_BITS) return key;
  return `TLS_KEY: ${path} is an RSA key of ${bits} bits: customers' programs refuse less than ${MIN_RSA_BITS}`;
}

/** One that is valid is enough: an old one may stand beside its successor. */
function faultsOfAuthority(read: { path: string; text: string }, nowMs: number): string[] {
  const found = readCertificates("STAFF_TLS_CA", read);
  if (typeof found === "string") return [found];
  const isUsable = ({ ca, validFrom, validTo }: X509Certificate): boolean =>
    ca && Date.parse(validFrom) <= nowMs && Date.parse(validTo) > nowMs;
  return found.some(isUsable) ? [] : [`STAFF_TLS_CA: ${read.path} holds no authority's certificate that is valid now`];
}

/** What only the TLS library knows, such as a kind of key that it does not take. */
function faultsOfUse(path: string, { cert, key, staffCa }: Certificates): string[] {
  try {
    createSecureContext({ cert, key, ...(staffCa === undefined ? undefined : { ca: staffCa }) });
    return [];
  } catch (error) {
    return [`TLS_CERT: ${path} can't be used with TLS_KEY (${(error as NodeJS.ErrnoException).code ?? "refused"})`];
  }
}
