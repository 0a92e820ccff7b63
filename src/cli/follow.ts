/**
 * Owns a wait for an order in a terminal: how it stands is shown until it is final.
 *
 * **Invariants**
 * - The wait outlives every connection; Ctrl-C leaves it and says how to come back.
 * - What is shown meanwhile ends with the wait.
 */
import type { Client, Order } from "../client/index.ts";
import { pause } from "../pause.ts";
import { isFinal } from "../orders/status.ts";
import { CommandFailed } from "./failure.ts";
import { urlFlag } from "./server.ts";
import type { Terminal } from "./terminal.ts";
import { describeOrder } from "./words.ts";

const LOOK_EVERY_MS = 2000;

interface Following {
  readonly client: Client;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** The customers' port. */
  readonly url: string;
  /** Nothing is shown meanwhile. */
  readonly isQuiet: boolean;
}

/** Waits until the order is final. */
export async function follow(order: Order, following: Following): Promise<Order> {
  const { client, terminal, signal, url, isQuiet } = following;
  if (isFinal(order.status)) return order;
  const ended = new AbortController();
  const looked = isQuiet ? undefined : look(order, following, AbortSignal.any([signal, ended.signal]));
  try {
    return await client.wait(order.order_id, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    const back = `longpour show ${order.order_id} --wait${urlFlag(url, terminal)}`;
    throw new CommandFailed(`left; the order goes on. Come back with: ${back}`);
  } finally {
    ended.abort();
    await looked;
  }
}

/** Shows how the order stands, whenever that has changed. */
async function look(order: Order, { client, terminal }: Following, signal: AbortSignal): Promise<void> {
  let shown = "";
  let now: Order | undefined = order;
  while (!signal.aborted) {
    const text = now ? describeOrder(now) : shown;
    if (text !== shown) terminal.status(text);
    shown = text;
    await pause(LOOK_EVERY_MS, signal);
    // What keeps this look from an answer ends the wait, too, and is said there.
    now = signal.aborted ? undefined : await client.find(order.order_id, { signal }).catch(() => undefined);
  }
}

/** Prints how the order ended: its result alone where it has one. Throws where it was cancelled. */
export function printEnd(order: Order, terminal: Terminal, isJson: boolean): void {
  if (isJson) terminal.print(JSON.stringify(order));
  if (order.status === "cancelled") throw new CommandFailed(describeOrder(order));
  if (isJson) return;
  const isAll = order.result === undefined;
  const said = `${describeOrder(order)}${describeSpan(order)}`;
  if (isAll) terminal.print(said);
  else {
    terminal.status(said);
    terminal.print(JSON.stringify(order.result, undefined, 2));
  }
}

function describeSpan({ placed_at, finished_at }: Order): string {
  const seconds = (Date.parse(finished_at ?? "") - Date.parse(placed_at)) / 1000;
  return Number.isNaN(seconds) ? "" : ` after ${seconds.toFixed(1)} s`;
}
