/**
 * Finding programs and installing them, with package managers and a sudo that are small scripts in a folder of the
 * test.
 *
 * **Invariants**
 * - Nothing is installed on the machine that runs the tests.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { StartError } from "../../src/lifecycle.ts";
import { installProgram, type Machine, type Program } from "../../src/redis/install.ts";

const WANTED: Program = {
  names: ["kettle-server", "pot-server"],
  packages: { "apt-get": "kettle", dnf: "pot", brew: "kettle" },
  byHand: "install a kettle, or set KETTLE_URL",
};

let folder: string;
let lines: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpour-test-"));
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a program that is there is found, and nothing is said", async () => {
  script("kettle-server", "");
  expect(await ensure({ uid: 1000 })).toBe(join(folder, "kettle-server"));
  expect(lines).toEqual([]);
});

test("any of its names will do, the first is preferred", async () => {
  script("pot-server", "");
  expect(await ensure({ uid: 1000 })).toBe(join(folder, "pot-server"));
  script("kettle-server", "");
  expect(await ensure({ uid: 1000 })).toBe(join(folder, "kettle-server"));
});

test("a program of this machine is found without a path", async () => {
  const log = pino({ level: "silent" });
  expect(await installProgram({ names: ["no-such-program", "sh"], packages: {}, byHand: "" }, { log })).toEndWith(
    "/sh",
  );
});

test("without a package manager, the way by hand is named", async () => {
  expect(await refusal({ uid: 0 })).toBe("kettle-server or pot-server is missing: install a kettle, or set KETTLE_URL");
});

test("a package manager without such a package is passed over", async () => {
  script("apk", "");
  expect(await refusal({ uid: 0 })).toContain("is missing: install a kettle");
});

test("who may not install gets the exact command, and nothing is run", async () => {
  script("apt-get", `echo "$@" >> ${folder}/ran`);
  const message = await refusal({ uid: 1000 });
  expect(message).toContain("\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends kettle\n");
  expect(message).toContain("set KETTLE_URL");
  expect(existsSync(join(folder, "ran"))).toBe(false);
});

test("a sudo that asks for a password counts as no right", async () => {
  script("dnf", `echo "$@" >> ${folder}/ran`);
  script("sudo", "exit 1");
  expect(await refusal({ uid: 1000 })).toContain("\n  sudo dnf install -y pot\n");
  expect(existsSync(join(folder, "ran"))).toBe(false);
});

test("root installs with apt-get, after saying so", async () => {
  script(
    "apt-get",
    `echo "$DEBIAN_FRONTEND $@" >> ${folder}/ran; if [ "$1" = install ]; then ${making("kettle-server")}; fi`,
  );
  expect(await ensure({ uid: 0 })).toBe(join(folder, "kettle-server"));
  expect(ran()).toEqual(["noninteractive update", "noninteractive install -y --no-install-recommends kettle"]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("apt-get update && ");
  expect(lines[0]).toContain("apt-get install -y --no-install-recommends kettle");
});

test("an update that fails does not keep the install from being tried", async () => {
  script("apt-get", `if [ "$1" = update ]; then exit 100; fi; ${making("kettle-server")}`);
  expect(await ensure({ uid: 0 })).toBe(join(folder, "kettle-server"));
});

test("a sudo that asks for nothing is used", async () => {
  script("dnf", making("pot-server"));
  script("sudo", `printf '%s\\n' "$*" >> ${folder}/ran; shift; exec "$@"`);
  expect(await ensure({ uid: 1000 })).toBe(join(folder, "pot-server"));
  expect(ran()[0]).toBe("-n true");
  expect(ran()[1]).toEndWith("dnf install -y pot");
});

test("Homebrew installs as a user, and is not run as root", async () => {
  script("brew", making("kettle-server"));
  expect(await refusal({ uid: 0 })).toContain("\n  brew install kettle\n");
  expect(await ensure({ uid: 1000 })).toBe(join(folder, "kettle-server"));
});

test("an install that fails is reported with the end of its output and the command", async () => {
  script("apt-get", `echo "to stdout: $1"; echo "E: Unable to locate package" >&2; exit 100`);
  const message = await refusal({ uid: 0 });
  expect(message).toContain("exit code 100");
  expect(message).toContain("E: Unable to locate package");
  expect(message).toContain("to stdout: install");
  expect(message).toContain("\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends kettle\n");
});

test("an install that brings no such program is reported", async () => {
  script("dnf", "");
  expect(await refusal({ uid: 0 })).toContain("could not be installed");
});

test("the package manager has no input to wait for", async () => {
  script("dnf", `read -r answer && exit 1; ${making("pot-server")}`);
  expect(await ensure({ uid: 0 })).toBe(join(folder, "pot-server"));
});

function ensure(machine: Omit<Machine, "searchPath">): Promise<string> {
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  return installProgram(WANTED, { log, machine: { ...machine, searchPath: folder } });
}

async function refusal(machine: Omit<Machine, "searchPath">): Promise<string> {
  const outcome = await ensure(machine).catch((error: unknown) => error);
  if (!(outcome instanceof StartError)) throw new Error(`not refused: ${String(outcome)}`);
  return outcome.message;
}

/** Puts a program on the test's machine. */
function script(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** The shell command that puts an empty program on the test's machine. */
function making(name: string): string {
  return `printf '#!/bin/sh\\n' > '${join(folder, name)}' && chmod 755 '${join(folder, name)}'`;
}

function ran(): string[] {
  return readFileSync(join(folder, "ran"), "utf8").trim().split("\n");
}
