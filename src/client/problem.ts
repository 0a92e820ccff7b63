/**
 * Owns how the server's refusals are read: problem details (RFC 9457).
 *
 * **Invariants**
 * - A field of the wrong type counts as absent.
 */
import type { FieldFault, ProblemName } from "../problem.ts";

export interface Problem {
  readonly status: number;
  /** A URI, such as `urn:longpour:problem:shop_full`. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  /** The faulty fields of the input. */
  readonly errors?: readonly FieldFault[];
}

/** The server's no, or an answer that is none of Longpour's. */
export class OrderRefused extends Error {
  override readonly name = "OrderRefused";
  readonly status: number;
  /** A URI; `about:blank` when the answer was no problem+json. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  /** The faulty fields of the input. */
  readonly errors: readonly FieldFault[];

  constructor(problem: Partial<Problem> & Pick<Problem, "status">) {
    const { status, type, title, detail, errors = [] } = completeProblem(problem);
    super(detail ? `${title}: ${detail}` : title);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
  }
}

/** The fields that the value has; none where it is no problem document, as a proxy's page. */
export function readProblem(value: unknown): Partial<Problem> {
  const { status, type, title, detail, errors } = isRecord(value) ? value : {};
  return {
    ...(typeof status === "number" ? { status } : undefined),
    ...(typeof type === "string" ? { type } : undefined),
    ...(typeof title === "string" ? { title } : undefined),
    ...(typeof detail === "string" ? { detail } : undefined),
    ...(Array.isArray(errors) ? { errors: errors as FieldFault[] } : undefined),
  };
}

/** The problem with what RFC 9457 says of absent fields. */
export function completeProblem(problem: Partial<Problem> & Pick<Problem, "status">): Problem {
  return { type: "about:blank", title: `Status ${problem.status}`, detail: "", ...problem };
}

/** `urn:longpour:problem:shop_full` → `shop_full`. A newer server may have other names. */
export function problemName({ type }: Pick<Problem, "type">): ProblemName {
  return type.slice(type.lastIndexOf(":") + 1) as ProblemName;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
