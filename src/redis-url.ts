/**
 * Owns the reading of REDIS_URL.
 *
 * **Invariants**
 * - A fault says what is wrong and what to write instead.
 * - A fault repeats nothing of the value: it may hold a secret.
 * - The URL is read as it was written: no part is guessed, and none is silently left out.
 */

/** Where Redis is, and as whom to log in. */
export interface RedisServer {
  readonly host: string;
  readonly port: number;
  /** 0: whatever the host's name has. */
  readonly family: 0 | 4 | 6;
  readonly isTls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
}

type ReadRedisUrl =
  | { readonly kind: "server"; readonly server: RedisServer }
  | { readonly kind: "fault"; readonly fault: string };

const SHAPE = "redis://user:password@host:port/database";
const ENCODE = "in a user or password write % as %25, # as %23, / as %2F, ? as %3F, @ as %40, : as %3A";
const DEFAULT_PORT = 6379;

/** scheme, user and password, the rest */
const PARTS = /^(rediss?):\/\/(?:(.*)@)?([^@]*)$/is;
/** host or [IPv6], port, database, query */
const ENDPOINT = /^(?:\[([\da-f:.]+)\]|([^\s:/?#[\]]*))(?::([^/?#]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/** Reads `redis://[[user][:password]@]host[:port][/database][?family=4|6]`, or `rediss://` for TLS. */
export function readRedisUrl(text: string): ReadRedisUrl {
  const [, scheme = "", login, rest = ""] = PARTS.exec(text) ?? [];
  if (!scheme) return faulty(`must begin with redis:// or rediss://, as in ${SHAPE}`);
  if (login !== undefined && /[/?#@\s]/.test(login))
    return faulty(`its user or password has a character that ends it: ${ENCODE}`);
  const endpoint = ENDPOINT.exec(rest);
  if (!endpoint) return faulty(`is not of the form ${SHAPE}; ${ENCODE}`);
  const [, ipv6, name, port, database, query] = endpoint;
  const host = ipv6 ?? name;
  if (!host) return faulty(`names no host: ${SHAPE}`);
  if (port !== undefined && !isNumber(port, 1, 65_535)) return faulty("its port must be a number from 1 to 65535");
  if (database && !isNumber(database, 0, 2 ** 31 - 1)) {
    return faulty("its database, behind the last /, must be a number such as 0");
  }
  const family = familyIn(query);
  if (family === undefined) return faulty("may have ?family=4 or ?family=6 at its end, and nothing else");
  const read = readLogin(login);
  if (!read) return faulty(`has a % in its user or password that encodes nothing: ${ENCODE}`);
  const server = {
    host,
    port: Number(port || DEFAULT_PORT),
    family,
    isTls: scheme.toLowerCase() === "rediss",
    database: Number(database || 0),
    ...read,
  };
  return { kind: "server", server };
}

function faulty(fault: string): ReadRedisUrl {
  return { kind: "fault", fault };
}

function isNumber(text: string, min: number, max: number): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max;
}

function familyIn(query = ""): RedisServer["family"] | undefined {
  if (query === "" || query === "family=0") return 0;
  if (query === "family=4") return 4;
  return query === "family=6" ? 6 : undefined;
}

/** Undefined where something in it does not decode. */
function readLogin(login: string | undefined): { username?: string; password?: string } | undefined {
  if (!login) return {};
  const at = login.indexOf(":");
  const [name, secret] = at < 0 ? [login, ""] : [login.slice(0, at), login.slice(at + 1)];
  try {
    const username = decodeURIComponent(name);
    return { ...(username ? { username } : undefined), password: decodeURIComponent(secret) };
  } catch {
    return undefined;
  }
}

/** The texts that must not be printed: the URL itself, and the password as it was written and as it is sent. */
export function secretsOf(text: string): string[] {
  const login = PARTS.exec(text)?.[2] ?? "";
  const read = readRedisUrl(text);
  const sent = read.kind === "server" ? read.server.password : undefined;
  return [text, login.slice(login.indexOf(":") + 1), sent ?? ""].filter((secret) => secret !== "");
}
