/**
 * Owns the certificate that commands show to a server that asks for one (STAFF_TLS_CA): LONGPOUR_CERT and LONGPOUR_KEY
 * name its files.
 *
 * **Invariants**
 * - Without both there is none; what can't be read is wrong usage, and nothing of it is shown.
 */
import { readFileSync } from "node:fs";
import { WrongUsage } from "./failure.ts";

/** In PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

export function readClientCertificate(
  environment: Readonly<Record<string, string | undefined>>,
): ClientCertificate | undefined {
  const { LONGPOUR_CERT: cert, LONGPOUR_KEY: key } = environment;
  if (!cert && !key) return undefined;
  if (!cert || !key) throw new WrongUsage("LONGPOUR_CERT and LONGPOUR_KEY belong together: set both, or none");
  return { cert: readPem("LONGPOUR_CERT", cert), key: readPem("LONGPOUR_KEY", key) };
}

function readPem(variable: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new WrongUsage(`${variable}: ${path} can't be read (${code})`);
  }
}
