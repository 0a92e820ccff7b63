/**
 * Owns wrk as a load generator: one process with one thread, and a script of bench/wrk.
 *
 * **Invariants**
 * - It runs until it is ended, and then says what it saw.
 * - It never outlives its run.
 */
import { join } from "node:path";
import { watchChild } from "./children.ts";
import { processorSeconds } from "./process.ts";

const SCRIPTS = join(import.meta.dir, "../wrk");
/** Far above every run. */
const LONGEST_SECONDS = 3600;
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

export interface WrkOptions {
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
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #script: string;

  constructor(program: string, { script, url, connections, args }: WrkOptions) {
    this.#script = script;
    const limits = ["-t1", `-c${connections}`, `-d${LONGEST_SECONDS}s`, "--timeout", `${TIMEOUT_SECONDS}s`];
    this.#child = watchChild(
      Bun.spawn([program, ...limits, "-s", script, url, "--", ...args], {
        cwd: SCRIPTS,
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
  }

  get processorSeconds(): number {
    return processorSeconds([this.#child.pid]);
  }

  /** Closes its connections. Throws where an answer or a connection was not as it should be. */
  async end(): Promise<WrkReport> {
    this.#child.kill("SIGINT");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_BOUND_MS);
    const told = await this.#child.stdout.text().finally(() => clearTimeout(timer));
    const line = told.split("\n").find((text) => text.startsWith("{"));
    if (line === undefined) throw new Error(`wrk with ${this.#script} did not say what it saw`);
    const report = JSON.parse(line) as WrkReport;
    if (report.unexpected > 0 || report.socketErrors > 0) throw new Error(`wrk with ${this.#script} saw ${line}`);
    return report;
  }

  /** Ends it at once, where it has not ended. */
  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
