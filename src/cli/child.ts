/**
 * Owns one run of a user's program: an input goes to its standard input, its answer comes from its standard output.
 *
 * **Invariants**
 * - What it prints is bounded: a program that prints more is ended, and has failed.
 * - A program whose order is gone is ended; one that does not end by itself is killed.
 * - It gets no Ctrl-C of its own: whether it may go on is decided here.
 * - What it has started ends with it: all are one process group.
 * - What it started in a group of its own is left alone, and waited for no longer than END_WITHIN_MS.
 */
import { kill } from "node:process";

/** Characters. The server takes a result of 256 KB. */
const MAX_ANSWER_LENGTH = 256 * 1024;
const END_WITHIN_MS = 5000;
/** EX_TEMPFAIL of sysexits.h: not now. */
const TRY_LATER = 75;

export interface Program {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Takes each line of its standard error. */
  readonly onLine: (line: string) => void;
}

/** `result`: JSON, a text that is none, or undefined where it printed nothing. `later`: it asks to be run later. */
export type Ran =
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "later"; readonly why: string };

/**
 * Runs it on an input. With another exit code than 0 it has failed: the last line of its standard error says why.
 */
export async function runChild(program: Program, input: unknown, signal: AbortSignal): Promise<Ran> {
  const { command, environment, onLine } = program;
  const child = Bun.spawn([...command], {
    env: { ...environment },
    stdin: Buffer.from(JSON.stringify(input)),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const group = new Group(child.pid);
  const end = (): void => group.end();
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  // What it left behind may hold its outputs open.
  void child.exited.then(end);
  try {
    const [answer, lastLine] = await Promise.all([
      readAnswer(chunksOf(child.stdout, group.over), end),
      readLines(chunksOf(child.stderr, group.over), onLine),
    ]);
    const code = await child.exited;
    const why = lastLine || describeEnd(command[0] ?? "", code, child.signalCode);
    if (answer === undefined)
      return { kind: "failed", why: `its answer is longer than ${MAX_ANSWER_LENGTH} characters` };
    if (code === 0) return { kind: "done", result: readResult(answer) };
    return { kind: code === TRY_LATER ? "later" : "failed", why };
  } finally {
    signal.removeEventListener("abort", end);
    group.kill();
  }
}

/** The processes of one run. */
class Group {
  readonly #pid: number;
  readonly #over = new AbortController();
  #killer: ReturnType<typeof setTimeout> | undefined;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Aborted once all were killed: who holds an output open then has left the group. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Asks all to end, and kills after a while who has not. */
  end(): void {
    if (this.#killer !== undefined) return;
    this.#killer = setTimeout(() => this.kill(), END_WITHIN_MS);
    this.#send("SIGTERM");
  }

  kill(): void {
    clearTimeout(this.#killer);
    this.#send("SIGKILL");
    this.#over.abort();
  }

  #send(name: NodeJS.Signals): void {
    try {
      kill(-this.#pid, name);
    } catch (error) {
      // None is left.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

function describeEnd(name: string, code: number, signal: string | number | null): string {
  return signal === null ? `${name} ended with exit code ${code}` : `${name} was ended by ${signal}`;
}

function readResult(answer: string): unknown {
  const text = answer.trim();
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

type Chunks = AsyncIterable<Uint8Array>;

/** What comes of a stream until it ends, or nothing more is waited for. */
async function* chunksOf(stream: ReadableStream<Uint8Array>, over: AbortSignal): Chunks {
  const reader = stream.getReader();
  const cancel = (): void => void reader.cancel();
  over.addEventListener("abort", cancel);
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    over.removeEventListener("abort", cancel);
  }
}

/** All that it printed; undefined where that was too long: then it is to end. */
async function readAnswer(chunks: Chunks, end: () => void): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let isTooLong = false;
  for await (const chunk of chunks) {
    if (!isTooLong) text += decoder.decode(chunk, { stream: true });
    if (!isTooLong && text.length > MAX_ANSWER_LENGTH) {
      isTooLong = true;
      end();
    }
  }
  return isTooLong ? undefined : text;
}

/** The last line that is not empty. */
async function readLines(chunks: Chunks, onLine: (line: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let last = "";
  const take = (line: string): void => {
    if (line.trim() === "") return;
    last = line.trim();
    onLine(line);
  };
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    // A line without an end is taken in parts.
    rest = (lines.pop() ?? "").slice(-MAX_ANSWER_LENGTH);
    for (const line of lines) take(line);
  }
  take(rest);
  return last;
}
