/**
 * Owns one customer: asks for a coffee and waits for it, for as long as it takes, with the package's own client.
 *
 * **Invariants**
 * - A customer ends in exactly one way, and a coffee counts only when it is the one that was ordered.
 */
import { createClient, OrderRefused, type Draft, type Order, type Retry } from "../client/index.ts";
import { createFetch } from "./fetch.ts";
import type { CustomerTally, Ending } from "./tally.ts";

export type Visit = {
  readonly url: URL;
  /** Unique in the run: it shows whether the coffee is this customer's. */
  readonly name: string;
  /** Absent: whatever the shop gives to who names nothing. */
  readonly item?: Draft["item"] | undefined;
  readonly localAddress?: string;
  /** Whether to ask again after a refusal or a lost connection. */
  readonly patient: boolean;
  readonly tally: CustomerTally;
  readonly signal: AbortSignal;
};

/** Who is not patient leaves at the first setback. */
class WalkedOut extends Error {
  readonly ending: Ending;

  constructor({ reason }: Retry) {
    super(reason);
    this.ending = reason === "busy" ? "refused" : "lost";
  }
}

/** Orders, waits, and counts in the visit's tally how it ended. Never rejects. */
export async function visit(guest: Visit): Promise<void> {
  const { url, name, item, localAddress, patient, tally, signal } = guest;
  const arrivedMs = performance.now();
  let wasCut = false;
  const onRetry = (retry: Retry): void => {
    if (retry.reason === "busy") tally.refusals++;
    else tally.connectionsLost++;
    wasCut ||= retry.reason !== "busy";
    if (!patient) throw new WalkedOut(retry);
  };
  tally.arrived++;
  const client = createClient({ url, fetch: createFetch({ localAddress }), onRetry });
  try {
    const ending = judgeCoffee(
      await client.order({ ...(item ? { item } : {}), customer_name: name }, { signal }),
      guest,
    );
    if (wasCut && ending === "served") tally.resumed++;
    tally.end(ending, { waitedMs: performance.now() - arrivedMs });
  } catch (error) {
    tally.end(...judgeError(error, signal));
  }
}

function judgeCoffee(order: Order, { name, item, tally }: Visit): Ending {
  if (order.customer_name !== name || (item && order.item !== item)) return "wrong";
  if (!tally.claim(order.order_id, name)) return "doubled";
  return order.status === "ready" ? "served" : "cancelled";
}

function judgeError(error: unknown, signal: AbortSignal): Parameters<CustomerTally["end"]> {
  const waitedMs = 0;
  if (error instanceof WalkedOut) return [error.ending, { waitedMs }];
  // Who is still waiting when the time is up has been let down; who hangs up has not.
  if (signal.aborted) return [signal.reason === "time is up" ? "lost" : "left", { waitedMs }];
  const fault = error instanceof OrderRefused ? `answered ${error.status}, ${error.message}` : String(error);
  return ["failed", { waitedMs, fault: fault.slice(0, 120) }];
}
