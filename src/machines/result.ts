/**
 * Owns how what a machine answers becomes the result of its order.
 *
 * **Invariants**
 * - What is checked is what the customer reads: the JSON, not the value that it was made of.
 */
import { findBrokenText, isTooDeep, MAX_JSON_BYTES, TOO_DEEP, writeJson } from "../any-json.ts";
import { sayFaults } from "../problem.ts";
import type { Failure } from "./failure.ts";
import type { Machine } from "./machine.ts";

const NOT_IN_JSON = "JSON can't hold it, as with a cycle, a bigint or a function";

export type EncodedResult = { readonly kind: "result"; readonly json: string } | Failure;

/** It never throws, whatever the value is: only code of the value's own may block it. */
export function encodeResult({ checkOutput }: Pick<Machine, "checkOutput">, value: unknown): EncodedResult {
  const json = writeJson(value);
  if (json === undefined) return notJson(value === undefined ? "it is undefined" : NOT_IN_JSON);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_JSON_BYTES) return notJson(`it has ${bytes} bytes, and may have ${MAX_JSON_BYTES}`);
  if (isTooDeep(json)) return notJson(`it ${TOO_DEEP}`);
  const written: unknown = JSON.parse(json);
  const broken = findBrokenText(json, written);
  if (broken.length > 0) return notJson(sayFaults(broken));
  const faults = checkOutput(written);
  if (faults.length === 0) return { kind: "result", json };
  return { kind: "failed", fault: "forbidden_output", error: `the machine's output is wrong: ${sayFaults(faults)}` };
}

function notJson(why: string): Failure {
  return { kind: "failed", fault: "unwritable_output", error: `the machine's output can't be sent: ${why}` };
}
