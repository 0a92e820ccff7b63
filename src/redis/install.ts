/**
 * Owns the programs that Longpour needs beside itself: finding them, and installing them where that may be done without
 * asking.
 *
 * **Invariants**
 * - Nothing is installed unannounced, and nothing asks for a password.
 * - A user who may not install gets the exact command.
 */
import { spawn } from "node:child_process";
import { userInfo } from "node:os";
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";

/**
 * The commands that install `name`, run in turn. In the order in which they are looked for: Homebrew last, as it may
 * stand beside a system's own.
 */
const MANAGERS = [
  {
    name: "apt-get",
    commandsFor: (name: string) => [["update"], ["install", "-y", "--no-install-recommends", name]],
  },
  { name: "dnf", commandsFor: (name: string) => [["install", "-y", name]] },
  { name: "apk", commandsFor: (name: string) => [["add", "--no-cache", name]] },
  { name: "pacman", commandsFor: (name: string) => [["-Sy", "--noconfirm", "--needed", name]] },
  { name: "zypper", commandsFor: (name: string) => [["--non-interactive", "install", "--no-recommends", name]] },
  { name: "brew", commandsFor: (name: string) => [["install", name]] },
] as const;

type Manager = (typeof MANAGERS)[number]["name"];

/** apt asks nothing; and where services follow run levels, none is started: the program is wanted, not a service. */
const ENVIRONMENT = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];

/** Folders that programs are installed in though a user's PATH may lack them. */
const USUAL_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin";

const INSTALL_TIMEOUT_MS = 5 * 60_000;
const SUDO_TIMEOUT_MS = 10_000;
const OUTPUT_CHARACTERS = 8192;
const OUTPUT_LINES = 15;

/** A program: any of `names` will do, the first is preferred. */
export type Program = {
  readonly names: readonly [string, ...string[]];
  /** The package that brings it, by package manager. */
  readonly packages: Readonly<Partial<Record<Manager, string>>>;
  /** The advice where no package manager helps, as half a sentence: "install …, or …". */
  readonly byHand: string;
};

/** The user's id, and the folders to search (as in PATH) in place of those of this process. */
export type Machine = { readonly uid: number; readonly searchPath?: string };

/**
 * Resolves to the program's path, after installing it if it is missing and that needs no password.
 * Throws StartError, with the command to run by hand, if it is missing and can't be installed.
 */
export async function installProgram(
  wanted: Program,
  { log, machine = { uid: userInfo().uid } }: { log: Log; machine?: Machine },
): Promise<string> {
  return find(wanted.names, machine) ?? (await oneByOne(() => installMissing(wanted, log, machine)));
}

let lastInstall: Promise<unknown> = Promise.resolve();

/** Package managers lock their lists: a second install at the same time fails at once. */
function oneByOne(work: () => Promise<string>): Promise<string> {
  const installing = lastInstall.then(work, work);
  lastInstall = installing;
  // The caller gets the failure; the next in turn goes on after it.
  installing.catch(() => {});
  return installing;
}

async function installMissing(wanted: Program, log: Log, machine: Machine): Promise<string> {
  // The one before may have installed it.
  const present = find(wanted.names, machine);
  if (present) return present;
  const missing = `${wanted.names.join(" or ")} is missing`;
  const installer = installerOf(wanted, machine);
  if (!installer) throw new StartError(`${missing}: ${wanted.byHand}`);
  const advice = `Run this, then start again:\n  ${commandByHand(installer)}\nOr ${wanted.byHand}`;
  const right = await rightToInstall(installer, machine);
  if (right.kind === "refused") throw new StartError(`${missing}, and this user may not install it. ${advice}`);

  const commands = installer.commands.map((command) => [
    ...right.prefix,
    "env",
    ...ENVIRONMENT,
    installer.path,
    ...command,
  ]);
  log.info(`${missing}; installing it: ${commands.map((command) => command.join(" ")).join(" && ")}`);
  const faults = await runAll(commands);
  const installed = find(wanted.names, machine);
  if (installed) return installed;
  throw new StartError(`${missing} and could not be installed.\n${faults.join("\n")}\n${advice}`);
}

function find(names: readonly string[], { searchPath }: Machine): string | undefined {
  const paths = searchPath === undefined ? [undefined, USUAL_FOLDERS] : [searchPath];
  for (const name of names) {
    for (const PATH of paths) {
      const path = Bun.which(name, PATH === undefined ? {} : { PATH });
      if (path) return path;
    }
  }
  return undefined;
}

type Installer = {
  readonly manager: Manager;
  readonly path: string;
  readonly commands: readonly (readonly string[])[];
};

/** The first package manager here that has a package for the program. */
function installerOf(wanted: Program, machine: Machine): Installer | undefined {
  for (const { name: manager, commandsFor } of MANAGERS) {
    const name = wanted.packages[manager];
    const path = name && find([manager], machine);
    if (name && path) return { manager, path, commands: commandsFor(name) };
  }
  return undefined;
}

function commandByHand({ manager, commands }: Installer): string {
  const sudo = manager === "brew" ? "" : "sudo ";
  return commands.map((command) => `${sudo}${manager} ${command.join(" ")}`).join(" && ");
}

type Right = { readonly kind: "granted"; readonly prefix: readonly string[] } | { readonly kind: "refused" };

/** Homebrew installs as anyone but root, all others as root, which sudo gives to some without a password. */
async function rightToInstall({ manager }: Installer, machine: Machine): Promise<Right> {
  const isRoot = machine.uid === 0;
  if (isRoot !== (manager === "brew")) return { kind: "granted", prefix: [] };
  const sudo = isRoot ? undefined : find(["sudo"], machine);
  if (!sudo || (await run([sudo, "-n", "true"], SUDO_TIMEOUT_MS)).kind === "failed") return { kind: "refused" };
  return { kind: "granted", prefix: [sudo, "-n"] };
}

/**
 * Runs each, also after one that failed: a dead source of packages makes `apt-get update` fail, and the install may
 * still succeed. Resolves to what went wrong.
 */
async function runAll(commands: readonly (readonly string[])[]): Promise<string[]> {
  const deadline = performance.now() + INSTALL_TIMEOUT_MS;
  const faults: string[] = [];
  for (const command of commands) {
    const outcome = await run(command, Math.max(0, deadline - performance.now()));
    if (outcome.kind === "failed") faults.push(`${command.join(" ")}: ${outcome.how}\n${outcome.output}`);
  }
  return faults;
}

type Outcome = { readonly kind: "done" } | { readonly kind: "failed"; readonly how: string; readonly output: string };

/** Runs a command without input. A failed one's last lines of output come with it. */
function run([program = "", ...given]: readonly string[], timeoutMs: number): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const child = spawn(program, given, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS));
  const fail = (how: string) => resolve({ kind: "failed", how, output: lastLines(output) });
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  // Resolved before the kill, which a program that runs as root need not obey.
  const timer = setTimeout(() => {
    fail(`not done within ${Math.round(timeoutMs / 1000)} s`);
    child.kill();
    child.stdout.destroy();
    child.stderr.destroy();
  }, timeoutMs);
  child.once("error", (error) => fail(error.message));
  child.once("close", (code, signal) => (code === 0 ? resolve({ kind: "done" }) : fail(signal ?? `exit code ${code}`)));
  return promise.finally(() => clearTimeout(timer));
}

function lastLines(output: string): string {
  return output
    .trimEnd()
    .split("\n")
    .slice(-OUTPUT_LINES)
    .map((line) => `  ${line}`)
    .join("\n");
}
