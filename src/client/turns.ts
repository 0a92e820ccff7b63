/**
 * Owns the turns of a barista: take the oldest order, make it, say what became of it, and take the next with that.
 *
 * **Invariants**
 * - What becomes of an order that was taken is said to the server, also at the end.
 * - Nothing is taken once the signal is aborted: what came all the same goes through `make` too.
 */
import type { Order } from "../orders/order.ts";
import type { FailureDraft } from "../orders/views.ts";
import type { Barista, Said, Saying } from "./barista.ts";
import { between, pause } from "../pause.ts";

/** What is to be said of an order. `result`: JSON. */
type Outcome =
  | { readonly kind: "finished"; readonly result?: string | undefined }
  | { readonly kind: "failed"; readonly failure: FailureDraft }
  | { readonly kind: "released" };

/** How the making of an order ended. `lost`: it is no longer this barista's, and nothing is to be said. */
export type Made = Outcome | { readonly kind: "lost" };

/**
 * How an order that was taken ended. finished, failed, released: as the server agreed. conflicts: it was no longer this
 * barista's. unsettled: the server never answered.
 */
export type Ending = "finished" | "failed" | "released" | "conflicts" | "unsettled";

export interface Turns {
  readonly barista: Barista;
  /** How long the server is asked to wait for an order. */
  readonly waitSeconds: number;
  /** Aborting it ends the turns. */
  readonly signal: AbortSignal;
  /** Has to end soon after `signal` is aborted. Never rejects. */
  readonly make: (order: Order) => Promise<Made>;
  /** Asked before each order. `false` ends them. */
  readonly mayTake?: (() => boolean) | undefined;
  /** No order came of what `mayTake` allowed. `hasWaited`: the server was asked to wait for one. */
  readonly onNone?: ((hasWaited: boolean) => void) | undefined;
  readonly onTaken?: ((order: Order) => void) | undefined;
  readonly onEnded?: ((order: Order, ending: Ending) => void) | undefined;
}

/** After "none yet": a server that does not hold the request must not be asked in a tight loop. */
const NONE_YET_MS = [100, 250] as const;

/** Works until the signal is aborted or nothing more may be taken. Rejects with why no order can be started. */
export async function takeTurns(turns: Turns): Promise<void> {
  const { signal, onNone, onTaken } = turns;
  let order: Order | undefined;
  while (order !== undefined || mayTake(turns)) {
    order ??= await take(turns);
    if (order === undefined) {
      onNone?.(true);
      await pause(between(...NONE_YET_MS), signal);
      continue;
    }
    onTaken?.(order);
    order = await makeAndSettle(order, turns);
  }
}

async function take({ barista, waitSeconds, signal, onNone }: Turns): Promise<Order | undefined> {
  try {
    return await barista.start(waitSeconds, signal);
  } catch (error) {
    onNone?.(true);
    throw error;
  }
}

/** Makes an order, says so, and resolves to the next one where it was taken with that. */
async function makeAndSettle(order: Order, turns: Turns): Promise<Order | undefined> {
  const made = await turns.make(order);
  if (made.kind === "lost") {
    turns.onEnded?.(order, "conflicts");
    return undefined;
  }
  const takesNext = made.kind === "finished" && mayTake(turns);
  const { ending, next } = await settle(order.order_id, made, { ...turns, takesNext });
  turns.onEnded?.(order, ending);
  if (takesNext && !next) turns.onNone?.(false);
  return next;
}

interface Settling extends Pick<Turns, "barista" | "signal"> {
  readonly takesNext: boolean;
}

interface Settled {
  readonly ending: Ending;
  readonly next?: Order | undefined;
}

async function settle(orderId: string, made: Outcome, { barista, signal, takesNext }: Settling): Promise<Settled> {
  const said = await barista.say(orderId, sayingOf(made, takesNext), signal);
  if (made.kind === "finished" && isResultRefused(said)) {
    const failure = { error: `its result was refused: ${said.refusal.title}`, retry: false };
    return await settle(orderId, { kind: "failed", failure }, { barista, signal, takesNext: false });
  }
  switch (said.kind) {
    case "settled":
      return { ending: made.kind, next: said.next };
    case "refused":
      return { ending: "conflicts" };
    case "unanswered":
      return { ending: "unsettled" };
  }
}

/** Whether the server took no such result: it is too long, or nested too deeply. */
function isResultRefused(said: Said): said is Extract<Said, { readonly kind: "refused" }> {
  return said.kind === "refused" && [413, 422].includes(said.refusal.status);
}

function sayingOf(made: Outcome, takesNext: boolean): Saying {
  switch (made.kind) {
    case "finished":
      return { verb: "finish", result: made.result, takesNext };
    case "failed":
      return { verb: "fail", failure: made.failure };
    case "released":
      return { verb: "release" };
  }
}

function mayTake({ signal, mayTake: isAllowed = () => true }: Turns): boolean {
  return !signal.aborted && isAllowed();
}
