/**
 * Owns how a customer's wish gets through a bad connection.
 *
 * **Invariants**
 * - A shop that is closed or full is no bad connection: its refusal is the answer.
 */
import { problemName } from "../../client/problem.ts";
import { isRetryable, type Failed, type Retrier, type Tried } from "../../client/retry.ts";
import type { Answer } from "../shared/call.ts";

/** A refusal that asks for a longer pause is shown to the customer. */
const MAX_RETRY_AFTER_MS = 20_000;

export interface Insisting {
  readonly retrier: Retrier;
  readonly signal: AbortSignal;
  /** Called when a try did not get through: another one follows. */
  readonly onRetry: () => void;
}

/**
 * Asks until there is an answer that counts; `unreachable` only once the signal is aborted. To be used where asking
 * twice is safe.
 */
export async function insist<Value>(
  ask: () => Promise<Answer<Value>>,
  { retrier, signal, onRetry }: Insisting,
): Promise<Answer<Value>> {
  const attempt = async (): Promise<Tried<Answer<Value>, Failed>> => {
    const answer = await ask();
    return isPassing(answer) ? { kind: "again", retryAfterMs: retryAfterOf(answer) } : { kind: "done", value: answer };
  };
  try {
    return await retrier.run(attempt, { signal, onRetry });
  } catch (error) {
    if (signal.aborted) return { kind: "unreachable" };
    throw error;
  }
}

/** Whether another try may be answered otherwise: no connection, a server that is busy or stopping. */
function isPassing(answer: Answer<unknown>): boolean {
  if (answer.kind !== "refused") return answer.kind === "unreachable";
  const name = problemName(answer.problem);
  if (name === "shop_closed" || name === "shop_full") return false;
  return isRetryable(answer.problem.status, retryAfterOf(answer), MAX_RETRY_AFTER_MS);
}

function retryAfterOf(answer: Answer<unknown>): number {
  return answer.kind === "refused" ? (answer.retryAfterMs ?? 0) : 0;
}
