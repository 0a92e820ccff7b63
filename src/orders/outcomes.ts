/**
 * Owns what every verb's script may answer of an order, and the reading of it.
 * Always holds: an answer that no script gives throws.
 */
import { RedisAwayError } from "../redis/away.ts";
import { asList, asText } from "../redis/reply.ts";
import { toOrderJson, type OrderJson, type Status } from "./order.ts";

/**
 * `conflict`: the order's state does not allow the verb; `barista` is who holds or held it, or empty.
 * `damaged`: its record can't be read; it is set aside, in a list for staff.
 */
export type Refusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "damaged" }
  | { readonly kind: "conflict"; readonly status: Status; readonly barista: string };
export type ChangeOutcome = { readonly kind: "changed"; readonly order: OrderJson } | Refusal;

/** An order as scripts tell it: its id, and the rest of it. */
export function readFound(reply: unknown): OrderJson {
  const [id, json] = asList(reply);
  return toOrderJson(asText(id), asText(json));
}

/** `done`: what the script answers when it has changed the order. */
export function readChange(done: string, kind: string, rest: readonly unknown[]): ChangeOutcome {
  if (kind !== done) return readRefusal(`a script that should answer ${done}`, kind, rest);
  return { kind: "changed", order: readFound(rest) };
}

export function readRefusal(script: string, kind: string, [status, barista]: readonly unknown[]): Refusal {
  if (kind === "unknown" || kind === "damaged") return { kind };
  if (kind === "conflict") return { kind, status: asText(status) as Status, barista: asText(barista) };
  throw unexpected(script, kind);
}

/** Whether a call that Redis did not answer in time may have been carried out all the same. */
export function mayHaveRun(error: unknown): boolean {
  return error instanceof RedisAwayError && error.mayHaveRun;
}

export function unexpected(script: string, kind: string): TypeError {
  return new TypeError(`${script} answered ${kind}`);
}
