/**
 * Owns how a customer's wish gets through a bad connection.
 *
 * **Invariants**
 * - Between two tries is a pause, random, and never shorter than the shop asked for.
 */
import { problemName } from "../shared/problem.ts";
import type { Answer } from "./api.ts";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8000;
/** A refusal that asks for a longer pause is shown to the customer. */
const LONGEST_RETRY_AFTER_SECONDS = 20;

export interface Insisting {
  readonly signal: AbortSignal;
  /** Called when a try did not get through: another one follows. */
  readonly onRetry: () => void;
}

/**
 * Asks until there is an answer that counts; `away` only once the signal is aborted. To be used where asking twice is
 * safe.
 */
export async function insist<Value>(
  ask: () => Promise<Answer<Value>>,
  { signal, onRetry }: Insisting,
): Promise<Answer<Value>> {
  for (let failures = 1; ; failures++) {
    const answer = await ask();
    if (signal.aborted || !isPassing(answer)) return answer;
    onRetry();
    const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    const asked = answer.kind === "refused" ? (answer.retryAfterSeconds ?? 0) * 1000 : 0;
    await pause(asked + bound * (0.5 + Math.random() / 2), signal);
    if (signal.aborted) return { kind: "away" };
  }
}

/**
 * Whether another try may be answered otherwise: no connection, a server that is busy, stopping or without its storage.
 */
function isPassing<Value>(answer: Answer<Value>): boolean {
  if (answer.kind !== "refused") return answer.kind === "away";
  const { problem, retryAfterSeconds = 0 } = answer;
  if (["shop_closed", "shop_full"].includes(problemName(problem))) return false;
  return [429, 502, 503, 504].includes(problem.status) && retryAfterSeconds <= LONGEST_RETRY_AFTER_SECONDS;
}

/** Resolves after `ms`, when the signal is aborted, or when the device is back in a network. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    addEventListener("online", end);
  });
}
