/**
 * Owns how a command says in one line that it did not work.
 *
 * **Invariants**
 * - A line says what to do where that is known.
 * - Nothing of a token stands in it.
 */
import { OrderRefused } from "../client/problem.ts";

/** It went wrong: exit code 1. */
export class CommandFailed extends Error {
  override readonly name: string = "CommandFailed";
}

/** The command was given what it can't take: exit code 2. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}

export function describeFailure(error: unknown): string {
  if (error instanceof OrderRefused) return describeRefusal(error);
  const text = error instanceof Error ? error.message : String(error);
  return oneLine(error instanceof WrongUsage ? `${text}; --help lists the options` : text);
}

/** Title, detail, and the fields that the detail does not name. */
function describeRefusal({ status, title, detail, errors }: OrderRefused): string {
  const unnamed = errors.filter(({ field }) => !detail.includes(field));
  const fields = unnamed.map((fault) => `${fault.field} ${fault.detail}`).join("; ");
  const wantsToken = status === 401 ? "--token, or STAFF_TOKEN, gives it" : "";
  return oneLine([`${title}${detail ? `: ${detail}` : ""}`, fields, wantsToken].filter(Boolean).join(" – "));
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, " ");
}
