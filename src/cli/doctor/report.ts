/**
 * Owns how findings are shown: a line each and what to do below it, or one JSON document.
 *
 * **Invariants**
 * - A finding is shown as it comes; what to do is a line of its own.
 */
import type { Finding, Verdict } from "./finding.ts";

const VERDICTS: readonly Verdict[] = ["fault", "warning", "ok", "skipped"];
const VERDICT_WIDTH = 9;
const CHECK_WIDTH = 16;

/** One finding; `do:` begins what to do. */
export function lineOf({ check, verdict, measured, advice }: Finding): string {
  const line = `${verdict.padEnd(VERDICT_WIDTH)}${check.padEnd(CHECK_WIDTH)}${measured}`;
  return advice === undefined ? line : `${line}\n${" ".repeat(VERDICT_WIDTH + CHECK_WIDTH)}do: ${advice}`;
}

/** `1 fault, 2 warnings, 9 ok, 0 skipped` */
export function summaryOf(findings: readonly Finding[]): string {
  return VERDICTS.map((verdict) => {
    const count = findings.filter((finding) => finding.verdict === verdict).length;
    const isPlural = count !== 1 && (verdict === "fault" || verdict === "warning");
    return `${count} ${verdict}${isPlural ? "s" : ""}`;
  }).join(", ");
}

export function documentOf(findings: readonly Finding[]): string {
  const worst = VERDICTS.find((verdict) => findings.some((finding) => finding.verdict === verdict)) ?? "ok";
  return JSON.stringify({ verdict: worst, findings }, undefined, 2);
}
