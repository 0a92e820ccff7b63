/**
 * Owns what staff read where the shop did not do, or did not say, what was asked for.
 *
 * **Invariants**
 * - A fault says what to do, as the shop words it.
 */
import type { Problem } from "../../../client/problem.ts";
import type { Answer } from "./api.ts";

export function sayProblem({ title, detail, errors }: Problem): string {
  if (!errors?.length) return detail || title;
  const faults = errors.map((fault) => `${fault.field.replaceAll("_", " ")} ${fault.detail}`);
  return `${faults.join("; ")}.`;
}

/** Undefined where there is nothing to say: it was done, or the page asks for the token. */
export function sayFault(answer: Answer<unknown>): string | undefined {
  if (answer.kind === "refused") return sayProblem(answer.problem);
  return answer.kind === "unreachable" ? "No answer from the shop." : undefined;
}
