/**
 * Owns the tests of what the doctor makes of what it measured, where a real one can't be had in a test: other versions,
 * wrong clocks, full memory.
 *
 * **Invariants**
 * - Nothing here needs a server.
 */
import { describe, expect, test } from "bun:test";
import { judgeClock } from "../../../src/cli/doctor/clock.ts";
import { judgeDurability, type Persistence } from "../../../src/cli/doctor/durability.ts";
import { Findings, type Finding } from "../../../src/cli/doctor/finding.ts";
import { judgeFsync } from "../../../src/cli/doctor/fsync.ts";
import type { Held } from "../../../src/cli/doctor/held.ts";
import { judgeRole } from "../../../src/cli/doctor/master.ts";
import { judgeEviction, judgeMemory } from "../../../src/cli/doctor/memory.ts";
import { judgeOpenFiles } from "../../../src/cli/doctor/open-files.ts";
import { judgeCutOff, judgeHeartbeats } from "../../../src/cli/doctor/proxy.ts";
import { judgeVersion } from "../../../src/cli/doctor/version.ts";

function expectSaid({ verdict, measured }: Finding, expected: Finding["verdict"], part: string): void {
  expect(verdict).toBe(expected);
  expect(measured).toContain(part);
}

const info = (fields: Readonly<Record<string, string>>): Map<string, string> => new Map(Object.entries(fields));

test.each([
  ["6.2.14", "fault", undefined],
  ["7.0.4", "warning", 6],
  ["7.0.5", "warning", 4],
  ["7.0.15", "warning", 3],
  ["7.2.0", "warning", 3],
  ["7.2.10", "warning", 1],
  ["7.2.11", "ok", 0],
  ["7.4.2", "warning", 2],
  ["8.0.3", "warning", 1],
  ["8.0.4", "ok", 0],
  ["8.6.0", "ok", 0],
  ["unstable", "fault", undefined],
] as const)("Redis %s is %s", (version, verdict, known) => {
  const finding = judgeVersion(info({ redis_version: version }));
  expect(finding).toMatchObject({ verdict, values: { version } });
  expect(finding.values?.["known_faults"]).toBe(known);
});

test.each([
  ["8.0.1", "warning"],
  ["8.1.3", "warning"],
  ["8.1.4", "ok"],
  ["9.0.0", "ok"],
] as const)("Valkey %s is %s, whatever version of Redis it says it is like", (version, verdict) => {
  const finding = judgeVersion(info({ redis_version: "7.2.4", server_name: "valkey", valkey_version: version }));
  expect(finding).toMatchObject({ verdict, values: { server: "valkey", version } });
});

describe("a clock", () => {
  const judge = (aheadMs: number, uncertainMs: number) =>
    judgeClock(new Findings("clock"), "its", { aheadMs, uncertainMs });

  test("is right as far as can be told", () => {
    expect(judge(0.2, 1).verdict).toBe("ok");
    expect(judge(-2500, 2000).verdict).toBe("ok");
  });

  test("is a warning when it is off by seconds, a fault by minutes; which way is said", () => {
    expect(judge(-3000, 10)).toMatchObject({
      verdict: "warning",
      measured: "its clock is 3.0 s behind this machine's",
    });
    expect(judge(120_000, 1000)).toMatchObject({ verdict: "fault", values: { ahead_ms: 120_000 } });
  });
});

test("memory is full by maxmemory, or by the machine's where there is none", () => {
  const full = { used_memory: "970", maxmemory: "1000", total_system_memory: "100000" };
  expect(judgeMemory(info(full)).verdict).toBe("fault");
  expect(judgeMemory(info({ ...full, maxmemory: "1200" })).verdict).toBe("warning");
  expect(judgeMemory(info({ ...full, maxmemory: "0" })).verdict).toBe("ok");
});

test("keys that were evicted before are told even where none is now", () => {
  const found = judgeEviction(info({ maxmemory_policy: "noeviction", evicted_keys: "12" }));
  expect(found).toMatchObject({ verdict: "warning", values: { evicted_keys: 12 } });
});

test.each([
  [{}, "ok"],
  [{ lastWrite: "err" }, "fault"],
  [{ appendfsync: "no" }, "fault"],
  [{ noFsyncOnRewrite: "yes" }, "warning"],
  [{ lastRewrite: "err" }, "warning"],
] as const)("persistence of %p is %s", (own, verdict) => {
  const whole = {
    isAppending: true,
    lastWrite: "ok",
    lastRewrite: "ok",
    appendfsync: "always",
    noFsyncOnRewrite: "no",
  };
  const found: Persistence = { ...whole, ...own };
  expect(judgeDurability(found).verdict).toBe(verdict);
});

test.each([
  [1, "ok"],
  [40, "warning"],
  [400, "fault"],
] as const)("an fsync of %d ms is %s", (ms, verdict) => {
  const measured = { pings: [0.1, 0.2, 0.3], sets: [ms, ms + 0.2, ms + 9], isAlways: true, spikes: 77 };
  expect(judgeFsync(measured)).toMatchObject({ verdict, values: { fsync_ms: ms, slowest_noted_ms: 77 } });
});

test("a failover, a cluster's node and a slow PING are told", () => {
  const fine = { redis_mode: "standalone", role: "master", master_failover_state: "no-failover" };
  expect(judgeRole(info(fine), 1).verdict).toBe("ok");
  expect(judgeRole(info(fine), 900).verdict).toBe("warning");
  expect(judgeRole(info({ ...fine, master_failover_state: "waiting-for-sync" }), 1).verdict).toBe("warning");
  expect(judgeRole(info({ ...fine, redis_mode: "cluster" }), 1).verdict).toBe("fault");
});

test("a proxy needs two files for each that is held, a server one", () => {
  const process = { pid: 42, openFiles: 10, maxFiles: 30_000 };
  expect(judgeOpenFiles({ ...process, name: "bun" }, 20_000).verdict).toBe("ok");
  expect(judgeOpenFiles({ ...process, name: "nginx" }, 20_000)).toMatchObject({
    verdict: "warning",
    values: { needed_open_files: 40_112 },
  });
  expect(judgeOpenFiles({ ...process, openFiles: 29_000, name: "bun" }, 20_000).verdict).toBe("fault");
});

describe("a held request", () => {
  const beats = (...texts: string[]) => texts.map((text, index) => ({ atMs: 1000 * (index + 1), text }));
  const held: Held = { kind: "kept", heldMs: 9000, status: 200, arrivals: [], lateBeats: 0 };

  test("that is cut in spite of heartbeats meets a bound on its whole time", () => {
    const cut: Held = { ...held, kind: "cut", arrivals: beats(" ", " ", " ") };
    expectSaid(judgeCutOff(cut), "fault", "although heartbeats came");
    expect(judgeHeartbeats(cut)).toMatchObject({ verdict: "ok", values: { heartbeats: 3, every_seconds: 1 } });
  });

  test("that is cut by an error page had no heartbeat", () => {
    const cut: Held = { ...held, kind: "cut", status: 524, arrivals: beats("<html>") };
    expectSaid(judgeCutOff(cut), "fault", "524 was answered");
    expect(judgeHeartbeats(cut).verdict).toBe("skipped");
  });

  test("whose heartbeats come in bursts is buffered", () => {
    expect(judgeHeartbeats({ ...held, arrivals: beats(" ", "      ") }).verdict).toBe("fault");
    expect(judgeHeartbeats({ ...held, lateBeats: 8 }).verdict).toBe("fault");
  });

  test("on which none was due says how to see one", () => {
    expectSaid(judgeHeartbeats(held), "skipped", "--max-seconds");
    expect(judgeCutOff(held).verdict).toBe("ok");
  });

  test("whose end does not come through is a fault; one that the server ended is none", () => {
    expect(judgeHeartbeats({ ...held, kind: "stuck" }).verdict).toBe("fault");
    expect(judgeCutOff({ ...held, kind: "answered", status: 503 }).verdict).toBe("skipped");
  });
});
