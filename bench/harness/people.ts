/**
 * Owns what the people of every scenario do: the requests, the same for every contender, and what is read of answers.
 *
 * **Invariants**
 * - A customer's note is theirs alone, so that another customer's order is seen at once.
 * - An order that was started is finished.
 */
import { beginEach, type Crew } from "./crew.ts";
import type { Answer, Connection } from "./http.ts";
import { clock, note, noteFault, type Report } from "./report.ts";

/** What of an order the load looks at. */
type WireOrder = { readonly order_id: string; readonly note?: string };

/** What a finish with `next` answers; started is null when none came. */
type WireHandover = { readonly finished: WireOrder; readonly started: WireOrder | null };

export interface CustomersSpec {
  readonly url: string;
  readonly count: number;
  /** Begins every note: customers of different parts of the load need different ones. */
  readonly prefix: string;
  /** Local addresses that customers call from in turn. */
  readonly from?: readonly string[];
  /** Mean of the pause between an answer and the next order. */
  readonly pauseMs?: number;
  /** A customer who is refused (429) orders again at once. */
  readonly isFlood?: boolean;
  /** Waits on Nchan's channel of that name in place of ordering. */
  readonly isSubscriber?: boolean;
}

/** With next they finish and start the next in one request. */
type BaristasSpec = { readonly url: string; readonly count: number; readonly withNext?: boolean };

const WAIT_SECONDS = 5;
/** An order that is on its way back, from a customer who hung up, is in the queue again by then. */
const BACK_MS = 100;

/** Customers in a closed loop: each orders, is held until the answer, and orders again. */
export async function customers(crew: Crew, spec: CustomersSpec): Promise<void> {
  const { url, count, prefix, from = [], pauseMs = 0, isFlood, isSubscriber } = spec;
  await beginEach(count, async (index) => {
    const connection = await crew.open(url, from[index % from.length]);
    crew.loop(async (visit) => {
      const name = `${prefix}${index}.${visit}`;
      const ask = isSubscriber ? () => connection.send("GET", `/sub/${name}`) : () => order(connection, name);
      await waitFor(crew.report, name, ask, isFlood);
      if (pauseMs > 0) await Bun.sleep(pauseMs * (0.5 + Math.random()));
    });
  });
}

/** POST /order/ under that note, held. */
export function order(connection: Connection, name: string): Promise<Answer> {
  return connection.send("POST", "/order/", { json: `{"note":"${name}"}` });
}

/** A customer asks, and looks whether the answer is to them. */
export async function waitFor(report: Report, name: string, ask: () => Promise<Answer>, mayRefuse = false) {
  report.sent += 1;
  const sentAt = clock();
  const { status, body } = await ask();
  if (status === 429 && mayRefuse) {
    report.refused += 1;
    return;
  }
  if (status !== 200) return noteFault(report, `a customer was answered ${status}`);
  const answer = JSON.parse(body) as WireOrder;
  if (answer.note !== name) return noteFault(report, "a customer got another's order");
  note(report.answered, answer.order_id, sentAt);
}

/** Orders without waiting (202), and resolves to the order's id. */
export async function place(report: Report, connection: Connection, name: string): Promise<string> {
  const sentAt = clock();
  const content = { json: `{"note":"${name}"}`, headers: "Prefer: respond-async\r\n" };
  const { status, body } = await connection.send("POST", "/order/", content);
  if (status !== 202) throw new Error(`an order was answered ${status}`);
  const { order_id: orderId } = JSON.parse(body) as WireOrder;
  note(report.placed, orderId, sentAt);
  return orderId;
}

/** A barista at their connection. */
type Barista = { readonly connection: Connection; readonly name: string };

/** Starts the oldest order, held so long for one; undefined when none came. */
export async function start(report: Report, { connection, name }: Barista, seconds: number) {
  const sentAt = clock();
  const { status, body } = await connection.send("GET", `/start/?barista=${name}&wait=${seconds}`);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`start was answered ${status}`);
  const { order_id: orderId } = JSON.parse(body) as WireOrder;
  note(report.started, orderId, sentAt);
  return orderId;
}

/** Finishes, and resolves to the next order where one was asked for in the same request, and came. */
export async function finish(report: Report, { connection, name }: Barista, orderId: string, withNext = false) {
  const sentAt = clock();
  const next = withNext ? `&next=${WAIT_SECONDS}` : "";
  const { status, body } = await connection.send("POST", `/finish/?order_id=${orderId}&barista=${name}${next}`);
  if (status !== 200) throw new Error(`finish was answered ${status}`);
  note(report.finished, orderId, sentAt);
  if (!withNext) return undefined;
  const { finished, started } = JSON.parse(body) as WireHandover;
  if (finished.order_id !== orderId) throw new Error("a barista was answered with another's finish");
  if (started) note(report.started, started.order_id, sentAt);
  return started?.order_id;
}

/**
 * Baristas in a closed loop, who brew in no time: start, held for an order, then finish; or finish and start the next
 * in one request, and start only where none came. At their end nothing is left in the queue.
 */
export async function baristas(crew: Crew, { url, count, withNext = false }: BaristasSpec): Promise<void> {
  const { report } = crew;
  /** Held for an order, and for nothing else: may hang up. */
  const asking = new Set<Connection>();
  await beginEach(count, async (index) => {
    const barista = { connection: await crew.open(url), name: `barista-${index + 1}` };
    crew.loop(async () => {
      asking.add(barista.connection);
      let orderId = await start(report, barista, WAIT_SECONDS).catch((error: unknown) => {
        if (!crew.isEnding) throw error;
      });
      asking.delete(barista.connection);
      while (orderId !== undefined) orderId = await finish(report, barista, orderId, withNext && !crew.isEnding);
    });
  });
  crew.beforeEnd = async () => {
    const last = { connection: await crew.open(url), name: "barista-last" };
    for (const pauseMs of [0, BACK_MS]) {
      await Bun.sleep(pauseMs);
      let orderId = await start(report, last, 0);
      while (orderId !== undefined) {
        await finish(report, last, orderId);
        orderId = await start(report, last, 0);
      }
    }
    crew.isEnding = true;
    for (const held of asking) held.close();
  };
}
