/**
 * Owns what a check finds: one line that says what was measured, how bad it is, and what to do.
 *
 * **Invariants**
 * - What is no `ok` says what to do; what was `skipped` says why.
 * - No secret stands in a finding.
 */
export type Verdict = "ok" | "warning" | "fault" | "skipped";

/** What was measured, for programs: names in snake_case with their unit. */
type Values = Readonly<Record<string, string | number | boolean | null>>;

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** A sentence without its full stop. */
  readonly measured: string;
  /** What to do. */
  readonly advice?: string;
  readonly values?: Values;
}

/** The findings of one check. */
export class Findings {
  readonly #check: string;

  constructor(check: string) {
    this.#check = check;
  }

  ok(measured: string, values?: Values): Finding {
    return { check: this.#check, verdict: "ok", measured, ...(values ? { values } : undefined) };
  }

  warning(measured: string, advice: string, values?: Values): Finding {
    return { check: this.#check, verdict: "warning", measured, advice, ...(values ? { values } : undefined) };
  }

  fault(measured: string, advice: string, values?: Values): Finding {
    return { check: this.#check, verdict: "fault", measured, advice, ...(values ? { values } : undefined) };
  }

  skipped(why: string, values?: Values): Finding {
    return { check: this.#check, verdict: "skipped", measured: why, ...(values ? { values } : undefined) };
  }
}

/** Milliseconds as text: `0.42 ms`, `12 ms`, `5.1 s`. */
export function time(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** An error in one line. */
export function said(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, 200);
}

/** Rounded to what is worth keeping. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
