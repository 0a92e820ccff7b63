/**
 * Owns the texts of errors of Redis and of ioredis: the only file that reads them.
 *
 * **Invariants**
 * - Each text that decides something stands here, and has a test with the real server or library that says it.
 * - A text that is not known is `other`: the call failed, and is not sent again.
 */

/**
 * The meaning of an error to the call that got it.
 * - `lost`: the connection ended first; the call may have run.
 * - `timed_out`: no answer within the bound; the call may still run.
 * - `unavailable`: the server can't serve now, and has not run it.
 * - `denied`: the server's user may not do it, or may not log in.
 * - `unknown_script`: the script has to be sent in full.
 * - `known_library`: the library is there already.
 */
export type Fault =
  | { readonly kind: "lost" | "timed_out" | "unknown_script" | "known_library" | "other" }
  | { readonly kind: "unavailable"; readonly code: UnavailableCode; readonly said: string }
  | { readonly kind: "denied"; readonly said: string };

export type UnavailableCode = keyof typeof UNAVAILABLE;

/** The meaning of each code for the server, in an operator's words. */
export const UNAVAILABLE = {
  READONLY: "it is a read-only replica",
  MISCONF: "it can't write to its disk",
  BUSY: "a script keeps it busy",
  NOREPLICAS: "it has too few replicas",
  OOM: "its memory is full",
  LOADING: "it loads its data",
  MASTERDOWN: "it is a replica without its master",
  CLUSTERDOWN: "its cluster is down",
  TRYAGAIN: "its cluster moves keys",
} as const;

const CODE = /^([A-Z]+)\b/;

/**
 * ioredis: a command under way or not sent yet when its connection was lost, and one on a connection that was closed
 * for good.
 */
const LOST = /^(Reached the max retries per request|Connection is closed)/;
/** ioredis: `commandTimeout`. */
const TIMED_OUT = /^Command timed out/;
/** Redis: at the command, in a script, and at the login. */
const DENIED = /^(NOPERM|NOAUTH|WRONGPASS|ERR The user executing the script can't|ERR AUTH )/;
/** Redis: SELECT of a database that it does not have, or of any but the first one in a cluster. */
const NO_DATABASE = /^ERR (DB index is out of range|invalid DB index|SELECT is not allowed in cluster mode)/;
/** Redis: FCALL. */
const NO_FUNCTION = /^ERR Function not found/;
/** Redis: FUNCTION LOAD. */
const LIBRARY_EXISTS = /^ERR Library '.*' already exists/;

export function faultOf(error: unknown): Fault {
  const said = error instanceof Error ? error.message : "";
  if (LOST.test(said)) return { kind: "lost" };
  if (TIMED_OUT.test(said)) return { kind: "timed_out" };
  if (DENIED.test(said)) return { kind: "denied", said };
  const code = CODE.exec(said)?.[1] ?? "";
  if (code === "NOSCRIPT" || NO_FUNCTION.test(said)) return { kind: "unknown_script" };
  if (LIBRARY_EXISTS.test(said)) return { kind: "known_library" };
  return isUnavailable(code) ? { kind: "unavailable", code, said } : { kind: "other" };
}

/** Whether a server says that it is no longer the one to write to: then another one may be, under the same name. */
export function isDemoted(error: Error): boolean {
  return error.message.startsWith("READONLY");
}

/** Whether a key holds a value of another type than the command, or the script, takes. */
export function isWrongType(error: unknown): error is Error {
  return error instanceof Error && /^(user_(?:script|function):\d+: )?WRONGTYPE\b/.test(error.message);
}

export function isMissingDatabase(error: unknown): boolean {
  return error instanceof Error && NO_DATABASE.test(error.message);
}

function isUnavailable(code: string): code is UnavailableCode {
  return Object.hasOwn(UNAVAILABLE, code);
}

/** OpenSSL's words, as Bun passes them on. */
export function isCertificateFault(error: Error): boolean {
  return /certificate|self[- ]signed/i.test(error.message);
}
