/** The systemd unit: systemd itself reads it, and says how little of the machine the server can reach. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { readConfig } from "../../src/config.ts";
import { readShipped } from "./files.ts";

const unit = readShipped("deploy/systemd/longpour.service");
/** Which says what a unit would be without a systemd that runs since version 250. */
const isSystemdHere = Bun.which("systemd-analyze") !== null && versionOfSystemd() >= 250;
if (!isSystemdHere) console.warn("tests with systemd are skipped: install systemd 250 or newer");

function versionOfSystemd(): number {
  const { stdout } = Bun.spawnSync(["systemd-analyze", "--version"]);
  return Number(/^systemd (\d+)/.exec(stdout.toString())?.[1] ?? 0);
}

function setting(name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";
}

/** What systemd-analyze says of it, with a Bun that is on this machine. */
function analyze(options: readonly string[], text = unit): { exitCode: number; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "longpour-systemd-"));
  try {
    const path = join(folder, "longpour.service");
    writeFileSync(
      path,
      text.replace("/usr/local/bin/bun ", () => `${process.execPath} `),
    );
    const ended = Bun.spawnSync(["systemd-analyze", ...options, path]);
    return { exitCode: ended.exitCode, output: ended.stdout.toString() + ended.stderr.toString() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(!isSystemdHere)("systemd finds nothing wrong with it", () => {
  expect(analyze(["verify", "--man=no"])).toEqual({ exitCode: 0, output: "" });
  expect(analyze(["verify", "--man=no"], unit.replace("KillMode=", "KilMode=")).output).toContain("KilMode");
});

test.skipIf(!isSystemdHere)("its exposure is at most 2 of 10", () => {
  const security = ["security", "--offline=true", "--no-pager", "--threshold=20"];
  expect(analyze(security)).toMatchObject({ exitCode: 0 });
  expect(analyze(security, unit.replaceAll(/^(?:Protect|Restrict|System)\w+=.*$/gm, "")).exitCode).not.toBe(0);
});

test("it has time to drain before it is killed, and is not started again for a wrong setting", () => {
  const { drainSeconds, maxHeld } = readConfig({});
  expect(Number(setting("TimeoutStopSec").replace(/s$/, ""))).toBeGreaterThanOrEqual(drainSeconds + 10);
  expect(setting("KillSignal")).toBe("SIGTERM");
  expect(setting("RestartPreventExitStatus")).toBe("2");
  // There is as much for all else.
  expect(Number(setting("LimitNOFILE"))).toBeGreaterThan(2 * maxHeld);
});

test("the server runs without a shell, and keeps its data where systemd lets it", () => {
  expect(setting("ExecStart")).toBe("/usr/local/bin/bun src/main.ts");
  expect(setting("Environment")).toContain(`DATA_DIR=/var/lib/${setting("StateDirectory")}`);
});
