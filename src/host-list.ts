/**
 * Owns lists of hosts in settings: `hooks.example.org, *.example.org, 10.1.2.3:8080, 10.0.0.0/8, [fd00::1]:443`.
 *
 * **Invariants**
 * - A name stands for itself, whatever it resolves to; an address or a network stands for addresses.
 * - An entry with a port is good for this port alone.
 * - `*.example.org` is each name below example.org, and not example.org.
 */
import ipaddr from "ipaddr.js";

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

type Host =
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "below"; readonly suffix: string }
  | { readonly kind: "network"; readonly network: Network };

type Entry = Host & { readonly port?: number };

export const HOST_LIST_DESCRIPTION =
  "hosts such as hooks.example.org, *.example.org, 10.1.2.3:8080 or 10.0.0.0/8, separated by commas";

const NAME = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/;

export class HostList {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Whether each entry is a host. */
  static isList(text: string): boolean {
    return readAll(text) !== undefined;
  }

  /** The list of a text that is one. */
  static of(text: string): HostList {
    const entries = readAll(text);
    if (!entries) throw new Error("an entry of a list of hosts is none");
    return new HostList(entries);
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether it names the host of a URL, a name or an address. */
  hasHost(url: URL): boolean {
    const host = hostOf(url);
    if (ipaddr.isValid(host)) return this.hasAddress(host, url);
    return this.#some(url, (entry) => {
      if (entry.kind === "name") return entry.name === host;
      return entry.kind === "below" && host.endsWith(entry.suffix);
    });
  }

  /** Whether it names an address, for the port of this URL. */
  hasAddress(address: string, url: URL): boolean {
    const parsed = ipaddr.process(address);
    return this.#some(url, (entry) => {
      if (entry.kind !== "network") return false;
      const [network, bits] = entry.network;
      return parsed.kind() === network.kind() && parsed.match(network, bits);
    });
  }

  /** Whether a name could be named by what it resolves to. */
  get hasNetworks(): boolean {
    return this.#entries.some(({ kind }) => kind === "network");
  }

  #some(url: URL, isNamed: (entry: Entry) => boolean): boolean {
    const port = portOf(url);
    return this.#entries.some(
      (entry) => (entry.port === undefined || entry.port === port) && (entry.kind === "any" || isNamed(entry)),
    );
  }
}

/** The host of a URL: an address without brackets, or a name without the dot at its end. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function portOf({ port, protocol }: URL): number {
  if (port) return Number(port);
  return protocol === "http:" ? 80 : 443;
}

function readAll(text: string): readonly Entry[] | undefined {
  const entries = text.split(",").flatMap((part) => (part.trim() ? [readEntry(part.trim().toLowerCase())] : []));
  return entries.every((each): each is Entry => each !== undefined) ? entries : undefined;
}

function readEntry(text: string): Entry | undefined {
  if (text.includes("/")) return ipaddr.isValidCIDR(text) ? inNetwork(ipaddr.parseCIDR(text)) : undefined;
  if (ipaddr.isValid(text)) return inNetwork(ofAddress(text));
  const [, host = "", digits] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const entry = readHost(host);
  const port = digits === undefined ? undefined : Number(digits);
  if (!entry || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  return { ...entry, ...(port === undefined ? undefined : { port }) };
}

function readHost(text: string): Host | undefined {
  if (text === "*") return { kind: "any" };
  const address = /^\[(.+)\]$/.exec(text)?.[1] ?? text;
  if (ipaddr.isValid(address)) return inNetwork(ofAddress(address));
  if (text.startsWith("*.")) return NAME.test(text.slice(2)) ? { kind: "below", suffix: text.slice(1) } : undefined;
  return NAME.test(text) && URL.canParse(`http://${text}/`) ? { kind: "name", name: text } : undefined;
}

function ofAddress(text: string): Network {
  const address = ipaddr.process(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/** (Addresses are compared as IPv4 where they are mapped: a network of mapped ones would hold none.) */
function inNetwork([network, bits]: Network): Host | undefined {
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress();
  return isMapped ? undefined : { kind: "network", network: [network, bits] };
}
