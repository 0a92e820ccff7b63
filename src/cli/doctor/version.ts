/**
 * Owns the check of Redis' version: whether the server takes it, and what is known to be wrong with it.
 *
 * **Invariants**
 * - A fault stands here with the release that mends it, from Redis' or Valkey's release notes.
 * - Only what Longpour uses counts: scripts, streams, blocking reads, the append-only file.
 */
import { Findings, type Finding } from "./finding.ts";

const version = new Findings("version");

type Version = readonly [major: number, minor: number, patch: number];

interface KnownFault {
  readonly what: string;
  /** The first release of each series without it; a series that is not named, and is older than one that is, has it. */
  readonly redis: readonly Version[];
  /** Absent: Valkey never had it. */
  readonly valkey?: readonly Version[];
}

const KNOWN: readonly KnownFault[] = [
  {
    what: "a rewrite of the append-only file may lose the last writes in a crash (redis/redis#11004)",
    redis: [[7, 0, 5]],
  },
  { what: "XAUTOCLAIM overflows the heap (CVE-2022-31144, CVE-2022-35951)", redis: [[7, 0, 5]] },
  { what: "a script can overflow the heap by cjson (CVE-2022-24834)", redis: [[7, 0, 12]] },
  {
    what: "a script can run any code in Redis (CVE-2024-46981)",
    redis: [
      [7, 2, 7],
      [7, 4, 2],
    ],
    valkey: [
      [7, 2, 8],
      [8, 0, 2],
    ],
  },
  {
    what: "who is not logged in can fill the memory (CVE-2025-21605)",
    redis: [
      [7, 2, 8],
      [7, 4, 3],
    ],
    valkey: [
      [7, 2, 9],
      [8, 0, 3],
      [8, 1, 1],
    ],
  },
  {
    what: "a script can run any code in Redis (CVE-2025-49844)",
    redis: [
      [7, 2, 11],
      [7, 4, 6],
      [8, 0, 4],
      [8, 2, 2],
    ],
    valkey: [
      [7, 2, 11],
      [8, 0, 6],
      [8, 1, 4],
    ],
  },
];

/** By INFO server. */
export function judgeVersion(info: ReadonlyMap<string, string>): Finding {
  const isValkey = info.get("server_name") === "valkey";
  const text = (isValkey ? info.get("valkey_version") : info.get("redis_version")) ?? "";
  const name = `${isValkey ? "Valkey" : "Redis"} ${text}`;
  const found = read(text);
  const values = { server: isValkey ? "valkey" : "redis", version: text };
  if (!found || (!isValkey && found[0] < 7)) {
    return version.fault(`${name} is too old, or none that is known`, "use Redis 7.0 or newer, or Valkey 8", values);
  }
  const known = KNOWN.filter((fault) => has(found, (isValkey ? fault.valkey : fault.redis) ?? []));
  if (known.length > 0) {
    const measured = `${name}: ${known.map(({ what }) => what).join("; ")}`;
    const advice =
      "upgrade to the newest release of its series; 7.0 gets these from distributions only: look whether yours has mended it";
    return version.warning(measured, advice, { ...values, known_faults: known.length });
  }
  const newest: Version = isValkey ? [8, 1, 99] : [8, 0, 99];
  const note = isOlder(newest, found) ? "; newer than those that Longpour is tested with" : "";
  return version.ok(`${name}: no fault is known${note}`, { ...values, known_faults: 0 });
}

/** Whether a version is older than the mended release of its series, or of a series between two that were mended. */
function has(found: Version, mended: readonly Version[]): boolean {
  const own = mended.find(([major, minor]) => major === found[0] && minor === found[1]);
  if (own) return isOlder(found, own);
  return mended.some((release) => isOlder(found, release));
}

function isOlder(one: Version, other: Version): boolean {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (one[at] ?? 0) < (other[at] ?? 0);
}

function read(text: string): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}
