/**
 * `longpour doctor`: measures a shop from outside, and says what to do.
 *
 * **Invariants**
 * - A fault ends it with an error; wrong usage with commander's, of exit code 2.
 * - What it placed is cancelled, also after Ctrl-C.
 * - No message repeats a token or a password.
 */
import { Command, InvalidArgumentError, Option, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { readRedisUrl } from "../../redis-url.ts";
import { readClientCertificate } from "../certificate.ts";
import { diagnose } from "./diagnosis.ts";
import type { Finding } from "./finding.ts";
import { documentOf, lineOf, summaryOf } from "./report.ts";
import type { Targets } from "./targets.ts";

/** What the command needs of its process. */
interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Prints a line of what was asked for. */
  print(text: string): void;
  /** Aborted by the first Ctrl-C or SIGTERM from this call on. */
  untilStopped(): AbortSignal;
}

/** At least one finding is a fault. */
class FaultsFound extends Error {
  override readonly name = "FaultsFound";
}

const WRONG_USAGE = 2;

const HELP = `
Without --url, --staff-url or --redis the checks of that part are skipped; one of them is needed.
It holds the request of an order that is scheduled for another day, which no barista gets, and cancels it.
Each finding is ok, a warning or a fault. Exit codes: 0 no fault, 1 a fault, 2 wrong usage.

Examples:
  $ longpour doctor --url https://coffee.example.org
  $ longpour doctor --redis redis://127.0.0.1:6379 --servers 3
  $ longpour doctor --url http://127.0.0.1:8000 --staff-url http://127.0.0.1:8001 --max-seconds 40 --json`;

/** Adds the command to a program. */
export function addDoctor(program: CommandUnknownOpts, terminal: Terminal): void {
  const command = new Command("doctor")
    .description("Measures a shop, what stands before it and its Redis, and says what to do.")
    .summary("Measures a shop, and says what to do")
    .addOption(new Option("--url <url>", "the customers' port, as customers reach it").argParser(readOrigin))
    .addOption(new Option("--staff-url <url>", "the baristas' port").argParser(readOrigin))
    .addOption(new Option("--token <token>", "the staff token").env("STAFF_TOKEN").default("", "none"))
    .addOption(new Option("--redis <url>", "the shop's Redis").env("REDIS_URL"))
    .addOption(new Option("--shop <name>", "the shop's name in Redis").env("SHOP").default("main"))
    .addOption(count("--lanes <n>", "LANES of the servers", 64).env("LANES"))
    .addOption(count("--max-held <n>", "MAX_HELD of the servers", 20_000).env("MAX_HELD"))
    .addOption(count("--servers <n>", "how many servers share the shop", 1))
    .addOption(count("--max-seconds <n>", "how long a request is held at most", 300))
    .addOption(new Option("--json", "print one JSON document on standard output").default(false, "lines"))
    .addHelpText("after", HELP);
  const refuse = (why: string): never => command.error(`error: ${why}`, { exitCode: WRONG_USAGE });
  command.action(async ({ json, redis, url, staffUrl, ...others }) => {
    if (url === undefined && staffUrl === undefined && !redis) refuse("give --url, --staff-url or --redis");
    const read = redis ? readRedisUrl(redis) : undefined;
    const server = read?.kind === "fault" ? refuse(`--redis ${read.fault}`) : read?.server;
    const certificate = readClientCertificate(terminal.environment);
    const targets = { ...others, url, staffUrl, redis: server, certificate, signal: terminal.untilStopped() };
    const findings = await report(targets, { terminal, isJson: json });
    const faults = findings.filter(({ verdict }) => verdict === "fault").length;
    if (faults > 0) throw new FaultsFound(faults === 1 ? "there is a fault" : `there are ${faults} faults`);
  });
  program.addCommand(command.copyInheritedSettings(program));
}

/** Makes the round, and prints it. */
async function report(
  targets: Targets,
  { terminal, isJson }: { readonly terminal: Terminal; readonly isJson: boolean },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  await diagnose(targets, (finding) => {
    findings.push(finding);
    if (!isJson) terminal.print(lineOf(finding));
  });
  terminal.print(isJson ? documentOf(findings) : summaryOf(findings));
  return findings;
}

function count<const Flags extends string>(flags: Flags, description: string, fallback: number) {
  return new Option(flags, description).default(fallback).argParser((text): number => {
    const given = /^\d{1,7}$/.test(text) ? Number(text) : 0;
    if (given >= 1 && given <= 1_000_000) return given;
    throw new InvalidArgumentError("It must be a whole number from 1 to 1000000.");
  });
}

function readOrigin(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.username === "") return url.origin;
  throw new InvalidArgumentError("It must be an http:// or https:// address without a path.");
}
