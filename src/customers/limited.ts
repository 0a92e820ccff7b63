/** Owns how the customers' routes take tokens. Always holds: whoever is known to be out of tokens costs Redis nothing. */
import { scopeKey } from "../http/idempotency.ts";
import { blockOf } from "../limits/address.ts";
import type { Limiter } from "../limits/limiter.ts";
import { problem } from "../problem.ts";

/** Tells a request's address, as limits count it. */
export type ClientOf = (request: Request) => string;

/** Takes a token of the address: what to tell of the limit in any answer, or the refusal. */
export async function takeToken(
  limiter: Limiter,
  address: string,
  idempotencyKey?: string,
): Promise<Record<string, string> | Response> {
  const verdict = limiter.recall(address) ?? (await limiter.take(address, idempotencyKey));
  const limits = limiter.headers(verdict);
  return verdict.allowed ? limits : tooManyOrders(limits);
}

export function tooManyOrders(limits: Record<string, string>): Response {
  const detail = `Your address orders too fast: try again in ${limits["Retry-After"]} s.`;
  return problem("too_many_orders", { detail, headers: limits });
}

/** Whose an Idempotency-Key is that does not count alone, in the API's description. */
export const KEY_OWNER = "the customer_id (else the address block, /24 or /48)";

/** The Idempotency-Key as it counts: alone, or as the customer's who names one, or as their address block's. */
export function scopeToCustomer(
  key: string | undefined,
  { customerId, address }: { readonly customerId: string | undefined; readonly address: string },
): string | undefined {
  if (key === undefined) return undefined;
  return scopeKey(key, customerId === undefined ? `block ${blockOf(address)}` : `customer ${customerId}`);
}
