/**
 * Owns what a server counts of a rule, in plain numbers.
 *
 * **Invariants**
 * - A count never falls.
 */
import { Histogram } from "../histogram.ts";

/** `failed`: a try that failed, whatever became of its event later. */
export type DeliveryResult = "delivered" | "failed" | "dead";
export const DELIVERY_RESULTS: readonly DeliveryResult[] = ["delivered", "failed", "dead"];

const TRY_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export class RuleTally {
  readonly results: Record<DeliveryResult, number> = { delivered: 0, failed: 0, dead: 0 };
  /** How long each try took. */
  readonly seconds = new Histogram(TRY_SECONDS);
  lost = 0;
}
