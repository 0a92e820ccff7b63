/**
 * Owns the check of open files: whether what listens at the URL may open as many as held customers take.
 *
 * **Invariants**
 * - It is known of a process of this machine alone; of another one nothing is claimed.
 */
import { networkInterfaces } from "node:os";
import { Findings, type Finding } from "./finding.ts";
import { findListeners, type Listener } from "./listener.ts";
import type { Targets } from "./targets.ts";

const files = new Findings("open-files");

/** For Redis, baristas and the program itself: as the server reckons when it starts. */
const RESERVED = 112;
const FULL_PART = 0.8;

export function checkOpenFiles({ url, maxHeld }: Targets & { url: string }): Finding {
  const { hostname, port, protocol } = new URL(url);
  if (!isHere(hostname)) {
    return files.skipped(
      `${hostname} is another machine: run the doctor there, or look for "MAX_HELD is …" in the server's log`,
    );
  }
  const listeners = findListeners(Number(port) || (protocol === "https:" ? 443 : 80));
  const widest = listeners.toSorted((one, other) => other.maxFiles - one.maxFiles)[0];
  if (!widest)
    return files.skipped("the process that listens there can't be seen: run the doctor as its user, on Linux");
  return judgeOpenFiles(widest, maxHeld);
}

export function judgeOpenFiles({ pid, name, openFiles, maxFiles }: Listener, maxHeld: number): Finding {
  const isServer = /^(bun|longpour)/i.test(name);
  // A proxy has a connection to each side.
  const needed = (isServer ? maxHeld : 2 * maxHeld) + RESERVED;
  const values = { pid, process: name, open_files: openFiles, max_open_files: maxFiles, needed_open_files: needed };
  const measured = `${name} (${pid}) has ${openFiles} of ${maxFiles} files open`;
  const raise = `allow ${needed} (ulimit -n, LimitNOFILE=, --ulimit nofile=; nginx: worker_rlimit_nofile)`;
  if (openFiles > FULL_PART * maxFiles) return files.fault(`${measured}: it refuses connections soon`, raise, values);
  if (maxFiles < needed) {
    return files.warning(`${measured}; MAX_HELD ${maxHeld} may take ${needed}`, `${raise}, or lower MAX_HELD`, values);
  }
  return files.ok(`${measured}, room for MAX_HELD ${maxHeld}`, values);
}

function isHere(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost") return true;
  const own = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
  return host.startsWith("127.") || own.includes(host);
}
