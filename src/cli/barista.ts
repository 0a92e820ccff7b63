/**
 * Owns simulated baristas: each takes the oldest order, brews, says that it is done, until the shift ends.
 *
 * **Invariants**
 * - An order that was taken is finished or released, also on Ctrl-C.
 * - No more are made than the quota allows.
 */
import { Barista, type BaristaRetry } from "../client/barista.ts";
import { OrderRefused, type Order } from "../client/index.ts";
import { between, pause } from "../pause.ts";
import { takeTurns, type Ending } from "../client/turns.ts";
import type { ClientCertificate } from "./certificate.ts";
import { createFetch } from "./fetch.ts";
import type { StaffTally } from "./staff-tally.ts";

const MAX_WAIT_SECONDS = 20;

/** How many orders are still to be made; shared by all baristas of a shift. */
export class Quota {
  #left: number;

  constructor(orders: number) {
    this.#left = orders;
  }

  take(): boolean {
    return this.#left > 0 && this.#left-- > 0;
  }

  giveBack(): void {
    this.#left++;
  }
}

/** What the baristas of one shift have in common. */
export type Shift = {
  readonly url: URL;
  /** Empty: none. */
  readonly token: string;
  readonly certificate?: ClientCertificate | undefined;
  readonly brewMinMs: number;
  readonly brewMaxMs: number;
  /** The shift ends when no order came for so long; Infinity: never. */
  readonly idleMs: number;
  readonly quota: Quota;
  readonly tally: StaffTally;
  /** Aborting ends the shift; what is being brewed is released. */
  readonly signal: AbortSignal;
};

/** A shift without an end of its own, and without a count of orders. */
export const ENDLESS = { idleMs: Infinity, quota: new Quota(Infinity) } as const;

/** So many baristas work, barista-1 and so on, until the signal, the quota or the idle end. Never rejects. */
export async function workShifts(count: number, shift: Shift): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => workShift(`barista-${index + 1}`, shift)));
}

/** One of them. */
export async function workShift(name: string, shift: Shift): Promise<void> {
  const { url, token, certificate, idleMs, quota, tally, signal } = shift;
  let cameEmpty = false;
  const barista = new Barista({
    url: url.origin,
    fetch: createFetch({ certificate }),
    token,
    name,
    onRetry: (retry) => note(retry, shift),
  });
  const turns = {
    barista,
    waitSeconds: Math.ceil(Math.min(MAX_WAIT_SECONDS, idleMs / 1000)),
    signal,
    mayTake: () => !(cameEmpty && isIdle(shift)) && quota.take(),
    onNone: (hasWaited: boolean) => {
      cameEmpty ||= hasWaited;
      quota.giveBack();
    },
    onTaken: ({ order_id, placed_at, started_at = "" }: Order) => {
      cameEmpty = false;
      tally.start(order_id, Date.parse(started_at) - Date.parse(placed_at));
    },
    make: async () => {
      await pause(between(shift.brewMinMs, shift.brewMaxMs), signal);
      return { kind: signal.aborted ? "released" : "finished" } as const;
    },
    onEnded: ({ order_id }: Order, ending: Ending) => {
      // Failed is what the server says of a result, and there is none.
      tally.handOver(order_id, ending === "failed" ? "conflicts" : ending);
      if (ending !== "finished") quota.giveBack();
    },
  };
  try {
    await takeTurns(turns);
  } catch (error) {
    if (error instanceof OrderRefused) tally.fault(describe(error));
    else if (!(error instanceof WentHome)) tally.fault(String(error));
  }
}

/** Thrown by who has nothing to do and can't reach the server. */
class WentHome extends Error {}

/** Counts a try that failed; a start is not tried again when the shift has been idle for too long. */
function note({ verb, reason }: BaristaRetry, shift: Shift): void {
  if (reason === "busy") shift.tally.refusals++;
  else shift.tally.connectionsLost++;
  if (verb === "start" && isIdle(shift)) throw new WentHome();
}

function isIdle({ tally, idleMs }: Shift): boolean {
  return performance.now() - tally.lastStartedMs > idleMs;
}

function describe({ status, title, detail }: OrderRefused): string {
  const wantsToken = status === 401 || status === 403;
  if (wantsToken) return `answered ${status}: give the right --token, or STAFF_TOKEN`;
  return `answered ${status}: ${(detail || title).slice(0, 120)}`;
}
