/**
 * Owns how renewed certificates come into force while the server runs, and the warnings before they expire.
 *
 * **Invariants**
 * - Files that are still being written change nothing: what counts is found the same by two looks in a row.
 * - What can't be served leaves the certificates in force alone, and is one line in the log.
 * - A port that could not be opened again is tried at each look.
 */
import type { Log } from "../log.ts";
import { judge, readFiles, type CertificateFiles, type Certificates, type Https } from "./certificates.ts";

const LOOK_EVERY_MS = 2000;
const DAY_MS = 24 * 3_600_000;
const SOON_DAYS = 14;

type InForce = Pick<Https, "certificates" | "digest">;

/** A port that shows certificates. */
export interface CertifiedPort {
  /** Has new connections see them. Throws where the port could not be opened again. */
  readonly renew: (certificates: Certificates) => void;
  /** Tries to open it again. */
  readonly resume: () => void;
}

interface RenewalOptions {
  readonly files: CertificateFiles;
  readonly inForce: InForce;
  readonly ports: readonly CertifiedPort[];
  readonly log: Log;
  readonly lookEveryMs?: number;
}

export class Renewal {
  readonly #files: CertificateFiles;
  readonly #ports: readonly CertifiedPort[];
  readonly #log: Log;
  readonly #lookEveryMs: number;
  readonly #lost = new Set<CertifiedPort>();
  #inForce: InForce;
  #lastDigest: string;
  /** The faults that were logged, until the files are right again. */
  #told = "";
  #warnAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ files, inForce, ports, log, lookEveryMs = LOOK_EVERY_MS }: RenewalOptions) {
    this.#files = files;
    this.#ports = ports;
    this.#log = log;
    this.#lookEveryMs = lookEveryMs;
    this.#inForce = inForce;
    this.#lastDigest = inForce.digest;
    this.#warnOfExpiry();
    this.#lookLater();
  }

  /** When the certificate in force expires, in ms since 1970. */
  get notAfterMs(): number {
    return this.#inForce.certificates.notAfterMs;
  }

  /** The ports stay as they are from now on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look();
    }, this.#lookEveryMs);
  }

  async #look(): Promise<void> {
    const reading = await readFiles(this.#files);
    if (this.#isClosed) return;
    for (const port of this.#lost) this.#open(port, () => port.resume());
    const isSettled = reading.digest === this.#lastDigest;
    this.#lastDigest = reading.digest;
    if (reading.digest === this.#inForce.digest) this.#told = "";
    else if (isSettled) {
      const judged = judge(reading);
      if (judged.kind === "faults") this.#tell(judged.faults);
      else this.#renew({ certificates: judged.certificates, digest: reading.digest });
    }
    this.#warnOfExpiry();
    this.#lookLater();
  }

  #renew(renewed: InForce): void {
    this.#inForce = renewed;
    this.#told = "";
    this.#warnAt = 0;
    for (const port of this.#ports) this.#open(port, () => port.renew(renewed.certificates));
    this.#log.info(
      { not_after: new Date(renewed.certificates.notAfterMs).toISOString() },
      "certificates were renewed: new connections see them",
    );
  }

  #open(port: CertifiedPort, act: () => void): void {
    try {
      act();
      this.#lost.delete(port);
    } catch (error) {
      if (!this.#lost.has(port)) this.#log.error({ err: error }, "a port can't be opened again: it is tried on");
      this.#lost.add(port);
    }
  }

  #tell(faults: readonly string[]): void {
    const told = faults.join("; ");
    if (told === this.#told) return;
    this.#told = told;
    this.#log.error({ faults }, "renewed certificates can't be used: those before stay in force");
  }

  /** Once a day, and at once for a certificate that is new. */
  #warnOfExpiry(): void {
    const now = Date.now();
    if (now < this.#warnAt) return;
    const leftMs = this.#inForce.certificates.notAfterMs - now;
    if (leftMs > SOON_DAYS * DAY_MS) return;
    this.#warnAt = leftMs > 0 ? now + Math.min(DAY_MS, leftMs) : now + DAY_MS;
    const about = { not_after: new Date(this.#inForce.certificates.notAfterMs).toISOString() };
    if (leftMs <= 0) return this.#log.error(about, "the certificate of TLS_CERT has expired: clients refuse it");
    this.#log.warn(
      { days: Math.floor(leftMs / DAY_MS), ...about },
      "the certificate of TLS_CERT expires soon: renew it",
    );
  }
}
