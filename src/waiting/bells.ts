/**
 * Owns the looks at orders that lanes wait for: at their stored state, which of them are final, and at their bells, which ring.
 *
 * **Invariants**
 * - The looks of one tick, of all lanes, travel together.
 * - One order's fault is that order's alone: the others of its look are answered.
 * - A failure is logged once until a look succeeds.
 */
import type { Log } from "../log.ts";
import { toOrderJson, type OrderJson } from "../orders/order.ts";
import { isRedisAway } from "../redis/away.ts";
import { asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

/** What ends the waiting for an order: it is final; it is no longer kept; its record is damaged. */
export type End =
  | { readonly kind: "final"; readonly order: OrderJson }
  | { readonly kind: "forgotten" }
  | { readonly kind: "damaged" };

/** Resolves to which of the orders are over, and how. */
export type LookAtBells = (orderIds: readonly string[]) => Promise<Answers>;
/** By order id. Other lanes' orders may be among them. */
type Answers = ReadonlyMap<string, End>;

interface Look {
  readonly orderIds: readonly string[];
  readonly resolve: (answers: Answers) => void;
  readonly reject: (reason: unknown) => void;
}

/** Most orders in one run of the script: Redis serves nobody else meanwhile. One lane's look may hold more. */
const MOST_ORDERS = 1000;

/** `answer-bells` reads the stored state; `take-bells` takes what rings. */
export function createBells(run: RunScript, name: "answer-bells" | "take-bells", log: Log): LookAtBells {
  const script = loadScript(name);
  let gathered: Look[] = [];
  let failing = false;

  const send = async (looks: readonly Look[]): Promise<void> => {
    const orderIds = looks.flatMap((look) => look.orderIds);
    try {
      const answers = readAnswers(await run(script, orderIds));
      failing = false;
      for (const { resolve } of looks) resolve(answers);
    } catch (error) {
      // An outage is logged by itself.
      if (!isRedisAway(error)) {
        if (!failing) log.warn({ err: error }, "held orders can't be read: trying again");
        failing = true;
      }
      for (const { reject } of looks) reject(error);
    }
  };

  const flush = (): void => {
    let together: Look[] = [];
    let orders = 0;
    for (const look of gathered.splice(0)) {
      if (orders + look.orderIds.length > MOST_ORDERS && together.length > 0) {
        void send(together);
        together = [];
        orders = 0;
      }
      together.push(look);
      orders += look.orderIds.length;
    }
    void send(together);
  };

  return (orderIds) =>
    new Promise((resolve, reject) => {
      if (gathered.length === 0) setImmediate(flush);
      gathered.push({ orderIds, resolve, reject });
    });
}

function readAnswers(reply: unknown): Answers {
  return new Map(
    asList(reply).map((answer) => {
      const [id, json, kind] = asList(answer);
      return [asText(id), readEnd(asText(id), asText(json), kind === "damaged")];
    }),
  );
}

function readEnd(id: string, json: string, isDamaged: boolean): End {
  if (isDamaged) return { kind: "damaged" };
  return json === "" ? { kind: "forgotten" } : { kind: "final", order: toOrderJson(id, json) };
}
