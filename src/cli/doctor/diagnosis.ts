/**
 * Owns the doctor's round: which checks there are, in which order, and what becomes of one that can't be made.
 *
 * **Invariants**
 * - Each check gives at least one finding, whatever happens.
 * - What takes long comes last.
 */
import { checkAddress } from "./address.ts";
import { checkRedisClock, checkServerClock } from "./clock.ts";
import { judgeConnections } from "./connections.ts";
import { checkDurability } from "./durability.ts";
import { Findings, said, type Finding } from "./finding.ts";
import { checkFsync } from "./fsync.ts";
import { checkReplicas, judgeClosed, judgeRole } from "./master.ts";
import { judgeEviction, judgeMemory } from "./memory.ts";
import { checkOpenFiles } from "./open-files.ts";
import { checkCustomersPort, checkProxy } from "./proxy.ts";
import { RedisLink } from "./redis-link.ts";
import { checkStaffPort } from "./staff-port.ts";
import type { Targets } from "./targets.ts";
import { judgeVersion } from "./version.ts";

type Look = () => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>;
type Note = (finding: Finding) => void;

const REDIS_CHECKS = ["version", "eviction", "memory", "durability", "fsync", "connections", "replicas", "redis-clock"];
const URL_CHECKS = ["address", "server-clock", "open-files", "buffering", "cut-off", "heartbeats"];

/** Looks at all that was given, and notes each finding as it comes. */
export async function diagnose(targets: Targets, note: Note): Promise<void> {
  await lookAtRedis(targets, note);
  await lookAtStaff(targets, note);
  await lookAtUrl(targets, note);
}

async function lookAtRedis(targets: Targets, note: Note): Promise<void> {
  const { redis, signal } = targets;
  if (!redis) return skip(["master", ...REDIS_CHECKS], "give --redis", note);
  const opened = await RedisLink.open(redis);
  if (opened.kind !== "open") {
    note(judgeClosed(opened));
    return skip(REDIS_CHECKS, "Redis does not answer", note);
  }
  const { link } = opened;
  const { info } = link;
  const checks: Readonly<Record<string, Look>> = {
    master: () => judgeRole(info, link.pingMs),
    version: () => judgeVersion(info),
    eviction: () => judgeEviction(info),
    memory: () => judgeMemory(info),
    durability: () => checkDurability(link),
    fsync: () => checkFsync(link, targets),
    connections: () => judgeConnections(info, targets),
    replicas: () => checkReplicas(link, targets),
    "redis-clock": () => checkRedisClock(link),
  };
  try {
    await make(checks, signal, note);
  } finally {
    link.close();
  }
}

async function lookAtStaff(targets: Targets, note: Note): Promise<void> {
  const { staffUrl, signal } = targets;
  if (staffUrl === undefined) return skip(["baristas-port"], "give --staff-url", note);
  await make({ "baristas-port": () => checkStaffPort({ ...targets, staffUrl }) }, signal, note);
}

async function lookAtUrl(targets: Targets, note: Note): Promise<void> {
  const { url, signal } = targets;
  if (url === undefined) return skip(["customers-port", ...URL_CHECKS], "give --url", note);
  const at = { ...targets, url };
  const isReached = await make({ "customers-port": () => checkCustomersPort(at) }, signal, note);
  if (!isReached) return skip(URL_CHECKS, "the customers' port does not answer", note);
  await make(
    {
      address: () => checkAddress(at),
      "server-clock": () => checkServerClock(at),
      "open-files": () => checkOpenFiles(at),
      proxy: () => checkProxy(at),
    },
    signal,
    note,
  );
}

/** Makes checks in turn; resolves to whether all could be made. */
async function make(checks: Readonly<Record<string, Look>>, signal: AbortSignal, note: Note): Promise<boolean> {
  let isWhole = true;
  for (const [name, look] of Object.entries(checks)) {
    const findings = new Findings(name);
    try {
      const found = signal.aborted ? findings.skipped("interrupted") : await look();
      for (const finding of [found].flat()) note(finding);
    } catch (error) {
      isWhole = false;
      const unmade = `no answer, or none that can be read (${said(error)})`;
      if (signal.aborted) note(findings.skipped("interrupted"));
      else note(findings.fault(unmade, "is the address right, and does it run? Look at its log"));
    }
  }
  return isWhole;
}

function skip(checks: readonly string[], why: string, note: Note): void {
  for (const check of checks) note(new Findings(check).skipped(why));
}
