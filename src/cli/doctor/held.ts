/**
 * Owns the measuring of a held request: when each byte of its answer came, and how it ended.
 *
 * **Invariants**
 * - It is held until it is cut, until the bound, or until the doctor is interrupted; then it is ended by its order.
 * - Nothing is sent on it after its head.
 */
import { isProblem, member } from "./http.ts";

/** A held answer ends by the order's end within this. */
const END_TIMEOUT_MS = 10_000;
/** What stands for "the connection was closed". */
const NO_STATUS = 0;

/** Bytes of the answer's body that came at once. */
interface Arrival {
  readonly atMs: number;
  readonly text: string;
}

export interface Held {
  /**
   * `cut`: something on the way ended it. `kept`: it lasted to the bound, or until the doctor was interrupted.
   * `answered`: the server ended it before. `stuck`: it lasted, and its end did not come through.
   */
  readonly kind: "cut" | "kept" | "answered" | "stuck";
  /** How long it was held. */
  readonly heldMs: number;
  /** 0: no answer began. */
  readonly status: number;
  /** What came while it was held. */
  readonly arrivals: readonly Arrival[];
  /** The heartbeats that came with the answer's end: they were kept back. */
  readonly lateBeats: number;
}

interface Holding {
  readonly url: string;
  readonly maxMs: number;
  readonly signal: AbortSignal;
  /** Ends the order, so that the answer ends. */
  readonly release: () => Promise<unknown>;
}

/** Holds a request. Never rejects: an error is a cut. */
export async function hold({ url, maxMs, signal, release }: Holding): Promise<Held> {
  const begunMs = performance.now();
  const hangUp = new AbortController();
  const recording = new Recording(begunMs);
  const reading = recording.read(url, hangUp.signal);
  const over = Promise.withResolvers<"over">();
  const stop = (): void => over.resolve("over");
  const timer = setTimeout(stop, maxMs);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const first = await Promise.race([reading, over.promise]);
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
  const heldMs = performance.now() - begunMs;
  const arrivals = [...recording.arrivals];
  if (first !== "over") return { kind: first, heldMs, status: recording.status, arrivals, lateBeats: 0 };
  const late = setTimeout(() => hangUp.abort(), END_TIMEOUT_MS);
  await release();
  const last = await reading;
  clearTimeout(late);
  const tail = recording.text.slice(arrivals.map(({ text }) => text).join("").length);
  const lateBeats = /^ */.exec(tail)?.[0].length ?? 0;
  return { kind: last === "answered" ? "kept" : "stuck", heldMs, status: recording.status, arrivals, lateBeats };
}

interface Read {
  readonly done: boolean;
  readonly value?: Uint8Array;
}

class Recording {
  readonly #begunMs: number;
  readonly arrivals: Arrival[] = [];
  status = NO_STATUS;

  constructor(begunMs: number) {
    this.#begunMs = begunMs;
  }

  get text(): string {
    return this.arrivals.map(({ text }) => text).join("");
  }

  /** Reads the answer to its end. */
  async read(url: string, signal: AbortSignal): Promise<"cut" | "answered"> {
    try {
      // Bun's own time limit would be five minutes.
      const answer = await fetch(url, { redirect: "manual", signal, timeout: false });
      this.status = answer.status;
      const decoder = new TextDecoder();
      const reader = answer.body?.getReader();
      for (;;) {
        const read: Read | undefined = await reader?.read();
        if (!read || read.done) break;
        const text = decoder.decode(read.value, { stream: true });
        this.arrivals.push({ atMs: performance.now() - this.#begunMs, text });
      }
      const isServers =
        isProblem(answer.headers) || member(this.text, "order_id") !== undefined || answer.status === 303;
      return isServers ? "answered" : "cut";
    } catch {
      return "cut";
    }
  }
}
