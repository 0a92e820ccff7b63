/**
 * Owns the circuits: a host that keeps failing is left alone for a while, then tried by one message.
 *
 * **Invariants**
 * - Nothing is sent through an open circuit but one trial at a time.
 * - Only hosts that fail are remembered, and so many at most.
 */
import { maxPauseMs, type BackOff } from "../back-off.ts";

/** So many failures in a row open a circuit. */
const MAX_FAILURES = 5;
const OPEN: BackOff = { firstMs: 5000, maxMs: 60_000 };
/** While a trial is under way, others come back after so long. */
const TRIAL_MS = 1000;
/** Beyond it the one that failed first is forgotten: it is tried again. */
const MAX_HOSTS = 1000;

interface Circuit {
  /** In a row. */
  failures: number;
  openings: number;
  /** By `performance.now()`; 0: closed. */
  openUntilMs: number;
  isTried: boolean;
}

export class Circuits {
  readonly #circuits = new Map<string, Circuit>();
  readonly #now: () => number;

  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** How long nothing may be sent to the host, in ms; 0: it may, and `leave` has to follow. */
  enter(host: string): number {
    const circuit = this.#circuits.get(host);
    if (!circuit || circuit.openUntilMs === 0) return 0;
    if (circuit.isTried) return TRIAL_MS;
    const leftMs = circuit.openUntilMs - this.#now();
    if (leftMs > 0) return Math.ceil(leftMs);
    circuit.isTried = true;
    return 0;
  }

  /** Notes what became of a try; `unknown`: it was given up before that was known. */
  leave(host: string, state: "up" | "down" | "unknown"): void {
    if (state === "up") return void this.#circuits.delete(host);
    const circuit = this.#circuits.get(host);
    if (state === "down") this.#fail(circuit ?? this.#remember(host));
    if (circuit) circuit.isTried = false;
  }

  #fail(circuit: Circuit): void {
    circuit.failures += 1;
    // What was under way when it opened says nothing new.
    if (circuit.failures < MAX_FAILURES || (circuit.openUntilMs > 0 && !circuit.isTried)) return;
    circuit.openings += 1;
    circuit.openUntilMs = this.#now() + maxPauseMs(circuit.openings, OPEN);
  }

  #remember(host: string): Circuit {
    const circuit = { failures: 0, openings: 0, openUntilMs: 0, isTried: false };
    this.#circuits.set(host, circuit);
    const oldest = this.#circuits.size > MAX_HOSTS ? this.#circuits.keys().next().value : undefined;
    if (oldest !== undefined) this.#circuits.delete(oldest);
    return circuit;
  }
}
