/**
 * Owns the test acquirer that a server runs for itself: a process of its own, for development.
 *
 * **Invariants**
 * - It ends with the server, also with one that is killed: it reads a pipe that the kernel closes then.
 * - If it dies it is started again, on the same port, with the same keys and its file.
 * - Its keys are made up at each start of the server, and are in no list of processes.
 */
import { join, resolve } from "node:path";
import { maxPauseMs } from "../back-off.ts";
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import { within } from "../within.ts";

const PROGRAM = resolve(import.meta.dir, "../cli/longpour.ts");
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 3000;
const BACK_OFF = { firstMs: 100, maxMs: 5000 };
const ASK_TIMEOUT_MS = 5000;
const MAX_OUTPUT_LENGTH = 10_000;

interface AcquirerSettings {
  /** Its file is `acquirer.jsonl` there. */
  readonly dataDir: string;
  readonly log: Log;
  /** Where it sends webhooks; `sendWebhooksTo` may say so later. */
  readonly webhookUrl?: string;
}

/** Starts one. Throws StartError where it does not come up. */
export async function startOwnAcquirer({ dataDir, log, webhookUrl }: AcquirerSettings): Promise<OwnAcquirer> {
  const acquirer = new OwnAcquirer(join(resolve(dataDir), "acquirer.jsonl"), log, webhookUrl);
  await acquirer.begin();
  return acquirer;
}

type Child = Bun.Subprocess<"pipe", "pipe", "pipe">;

/** How a start went: it listens, or why it does not. */
type Start = { readonly kind: "listens"; readonly url: string } | { readonly kind: "failed"; readonly why: string };

export class OwnAcquirer {
  readonly secretKey = `sk_test_${randomText()}`;
  readonly webhookSecret = `whsec_${randomText()}`;
  readonly #dataPath: string;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  #webhookUrl: string | undefined;
  #apiUrl = "";
  #child: Child | undefined;
  #supervising: Promise<void> | undefined;

  constructor(dataPath: string, log: Log, webhookUrl: string | undefined) {
    this.#dataPath = dataPath;
    this.#log = log;
    this.#webhookUrl = webhookUrl;
  }

  /** Where it answers; the same for as long as the server runs. */
  get apiUrl(): string {
    return this.#apiUrl;
  }

  /** For `startOwnAcquirer`: resolves once it listens. */
  async begin(): Promise<void> {
    const start = await this.#start();
    if (start.kind === "failed") throw new StartError(`the test acquirer does not start (${start.why})`);
    this.#apiUrl = start.url;
    this.#supervising = this.#supervise();
  }

  /** Has webhooks sent there from now on. One that does not answer is started again, with that address. */
  async sendWebhooksTo(url: string): Promise<void> {
    this.#webhookUrl = url;
    const isTold = await this.#tell(url).catch(() => false);
    if (!isTold) this.#child?.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    if (this.#child) await endChild(this.#child);
    await this.#supervising;
  }

  async #tell(url: string): Promise<boolean> {
    const response = await fetch(`${this.apiUrl}/webhook-endpoint`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.secretKey}` },
      body: JSON.stringify({ url }),
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok;
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const how = await this.#child?.exited;
      if (signal.aborted) return;
      this.#log.warn({ how }, "the test acquirer died and is started again");
      await this.#revive(signal);
    }
  }

  async #revive(signal: AbortSignal): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      await pause(maxPauseMs(failures, BACK_OFF), signal);
      if (signal.aborted) return;
      const start = await this.#start();
      if (start.kind === "listens" || signal.aborted) return;
      if (failures === 1)
        this.#log.error({ why: start.why }, "the test acquirer can't be started again: it is tried on");
    }
  }

  async #start(): Promise<Start> {
    const child = Bun.spawn(this.#command(), {
      env: { STRIPE_SECRET_KEY: this.secretKey, STRIPE_WEBHOOK_SECRET: this.webhookSecret },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      // In a session of its own: a Ctrl-C in the terminal must not end it before the server has drained.
      detached: true,
    });
    this.#child = child;
    const complaint = readSome(child.stderr);
    const line = await within(START_TIMEOUT_MS, readLine(child.stdout));
    const url = line === undefined ? undefined : readUrl(line);
    if (url !== undefined) return { kind: "listens", url };
    await endChild(child);
    return { kind: "failed", why: (await complaint).trim() || `it said nothing in ${START_TIMEOUT_MS / 1000} s` };
  }

  #command(): string[] {
    const [bun = "bun"] = Bun.argv;
    const port = this.#apiUrl === "" ? "0" : new URL(this.#apiUrl).port;
    const webhook = this.#webhookUrl === undefined ? [] : ["--webhook", this.#webhookUrl];
    return [bun, PROGRAM, "acquirer", "--json", "--with-stdin", "--port", port, "--data", this.#dataPath, ...webhook];
  }
}

async function endChild(child: Child): Promise<void> {
  child.kill("SIGTERM");
  if ((await within(STOP_TIMEOUT_MS, child.exited)) === undefined) child.kill("SIGKILL");
  await child.exited;
}

/** The first line, or all there was. */
async function readLine(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n") || text.length > MAX_OUTPUT_LENGTH) break;
  }
  return text;
}

/** Reads to the end, so that no pipe fills up, and keeps the beginning. */
async function readSome(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of output) {
    if (text.length < MAX_OUTPUT_LENGTH) text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function readUrl(line: string): string | undefined {
  try {
    const { STRIPE_API: url } = JSON.parse(line) as { readonly STRIPE_API?: unknown };
    return typeof url === "string" ? url : undefined;
  } catch {
    return undefined;
  }
}

function randomText(): string {
  return crypto.getRandomValues(Buffer.alloc(24)).toString("hex");
}
