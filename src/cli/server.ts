/**
 * Owns where commands find a server, and how they ask it: with the client's own tries.
 *
 * **Invariants**
 * - A server that never answered is given up after some seconds; the failure names the URL and the flag.
 * - What only asks ends within a bound. What waits for an order outlives every restart of the server.
 */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { createAsking, type Asking, type ClientOptions, type Retry } from "../client/ask.ts";
import { readClientCertificate } from "./certificate.ts";
import { CommandFailed, WrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** A server that is still starting is waited for, for so long. */
const FIRST_ANSWER_MS = 2000;
/** What only asks gives a server so long that is away or busy. */
const ASK_WITHIN_MS = 30_000;
const ANSWER_WITHIN_SECONDS = 10;
const USUAL_URL = "http://localhost:8000";

export const customersUrlOption = () =>
  new Option("--url <url>", "where customers order").env("LONGPOUR_URL").default(USUAL_URL).argParser(readUrl);

export const staffUrlOption = () =>
  new Option("--staff-url <url>", "where baristas work")
    .env("LONGPOUR_STAFF_URL")
    .default("http://localhost:8001")
    .argParser(readUrl);

// Not read by a parser: a fault would show it.
export const staffTokenOption = () => new Option("--token <token>", "token for the baristas' port").env("STAFF_TOKEN");

/** A path with what was given of its query. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** A port of a server, and the words for where it was named. */
export interface Port {
  readonly url: string;
  readonly named: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function customersPort({ url }: { readonly url: string }): Port {
  return { url, named: "--url, or LONGPOUR_URL," };
}

/** As they were given. */
export interface StaffOptions {
  readonly staffUrl: string;
  readonly token?: string | undefined;
}

export function staffPort({ staffUrl: url, token }: StaffOptions): Port {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new WrongUsage("--token, or STAFF_TOKEN, must be visible ASCII characters");
  }
  const named = "--staff-url, or LONGPOUR_STAFF_URL,";
  return { url, named, ...(token === undefined ? undefined : { headers: { Authorization: `Bearer ${token}` } }) };
}

/** What a command needs to find the same customers' port again: nothing where the environment names it. */
export function urlFlag(url: string, { environment }: Terminal): string {
  const isUsual = url === (environment["LONGPOUR_URL"] ?? USUAL_URL).replace(/\/+$/, "");
  return isUsual ? "" : ` --url ${url}`;
}

interface Patience {
  /** Whether to try for as long as it takes, once the server has answered. */
  readonly isPatient?: boolean;
}

/** The client's options for a port: its tries are shown in the terminal. */
export function clientOptions(port: Port, terminal: Terminal, { isPatient = false }: Patience = {}): ClientOptions {
  const beganMs = performance.now();
  const tls = readClientCertificate(terminal.environment);
  let hasAnswered = false;
  return {
    url: port.url,
    ...(port.headers ? { headers: port.headers } : undefined),
    ...(isPatient ? undefined : { silenceSeconds: ANSWER_WITHIN_SECONDS }),
    fetch: async (url, init) => {
      const response = await fetch(url, tls ? { ...init, tls } : init);
      hasAnswered = true;
      return response;
    },
    onRetry: (retry) => {
      const spentMs = performance.now() - beganMs;
      if (!hasAnswered && spentMs + retry.delayMs > FIRST_ANSWER_MS) throw new CommandFailed(sayNoServer(port));
      if (!isPatient && spentMs + retry.delayMs > ASK_WITHIN_MS) throw new CommandFailed(gaveUp(port, retry));
      if (hasAnswered) terminal.status(describeRetry(retry));
    },
  };
}

/** That there is no server at all. */
export function sayNoServer({ url, named }: Port): string {
  return `nothing answers at ${url}: is the server running? ${named} names another`;
}

function gaveUp({ url }: Port, retry: Retry): string {
  return `${url} did not do it in time: ${reasonOf(retry)}`;
}

function describeRetry(retry: Retry): string {
  return `${reasonOf(retry)}: asking again in ${(retry.delayMs / 1000).toFixed(1)} s`;
}

function reasonOf({ reason, status }: Retry): string {
  if (reason === "busy") return status === 429 ? "turned away (429)" : `the server is busy (${status})`;
  return reason === "unfinished" ? "the server is stopping" : "the connection was lost";
}

/** Makes sure that there is a server, before a request that it may hold: after that its silence is none. */
export async function reach(options: ClientOptions, signal: AbortSignal): Promise<void> {
  await createAsking(options)({ path: "/livez", signal }, () => ({ kind: "done", value: true }));
}

/** Questions of a port whose answers are short in coming, or held for `waitSeconds`. */
export function asking(port: Port, terminal: Terminal, { waitSeconds = 0 } = {}): Asking {
  return createAsking({ ...clientOptions(port, terminal), silenceSeconds: waitSeconds + ANSWER_WITHIN_SECONDS });
}

/** A reader of addresses: without a slash at its end. */
export function readUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("It must be an http:// or https:// address.");
  }
  return text.replace(/\/+$/, "");
}
