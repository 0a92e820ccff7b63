/**
 * Owns wrk as a load generator: one process with one thread, and a script of bench/wrk.
 *
 * **Invariants**
 * - It runs until it is ended, and then says what it saw.
 * - It never outlives its run.
 */
import { join } from "node:path";
import { Child } from "./process.ts";

const SCRIPTS = join(import.meta.dir, "../wrk");
/** Far above every run. */
const MAX_SECONDS = 3600;
/** The answer to an order may take long; wrk counts what took longer as an error. */
const TIMEOUT_SECONDS = 60;
const END_BOUND_MS = 10_000;

/** What it saw; times in ms. */
export interface WrkReport {
  /** Requests that were answered. */
  readonly requests: number;
  readonly unexpected: number;
  readonly socketErrors: number;
  readonly p50: number;
  readonly p99: number;
}

interface WrkOptions {
  readonly script: "customers.lua" | "baristas.lua";
  readonly url: string;
  readonly connections: number;
  readonly args: readonly string[];
}

/** The program; undefined where it is not installed. */
export function findWrk(): string | undefined {
  return Bun.which("wrk") ?? undefined;
}

export class Wrk {
  readonly #child: Child;
  readonly #script: string;

  constructor(program: string, { script, url, connections, args }: WrkOptions) {
    this.#script = script;
    const limits = ["-t1", `-c${connections}`, `-d${MAX_SECONDS}s`, "--timeout", `${TIMEOUT_SECONDS}s`];
    const command = [program, ...limits, "-s", script, url, "--", ...args];
    this.#child = Child.spawn(command, { cwd: SCRIPTS, stdio: ["ignore", "pipe", "inherit"] });
  }

  get processorSeconds(): number {
    return this.#child.processorSeconds;
  }

  /** Closes its connections. Throws where an answer or a connection was not as it should be. */
  async end(): Promise<WrkReport> {
    this.#child.process.kill("SIGINT");
    const timer = setTimeout(() => this.#child.process.kill("SIGKILL"), END_BOUND_MS);
    const told = await this.#child.output.text().finally(() => clearTimeout(timer));
    const line = told.split("\n").find((text) => text.startsWith("{"));
    if (line === undefined) throw new Error(`wrk with ${this.#script} did not say what it saw`);
    const report = JSON.parse(line) as WrkReport;
    if (report.unexpected > 0 || report.socketErrors > 0) throw new Error(`wrk with ${this.#script} saw ${line}`);
    return report;
  }

  /** Ends it at once, where it has not ended. */
  [Symbol.dispose](): void {
    this.#child.process.kill("SIGKILL");
  }
}
