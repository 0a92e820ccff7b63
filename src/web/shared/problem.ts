/**
 * Owns how a page reads the server's refusals.
 *
 * **Invariants**
 * - A body that is no problem document (a proxy's page, say) is no problem.
 */

/** RFC 9457, as the server says it. */
export interface Problem {
  /** Such as `urn:longpour:problem:shop_full`. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
}

export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "type" in value && "status" in value;
}

/** `urn:longpour:problem:shop_full` → `shop_full`. */
export function problemName({ type }: Pick<Problem, "type">): string {
  return type.slice(type.lastIndexOf(":") + 1);
}
