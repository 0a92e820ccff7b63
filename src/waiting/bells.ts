/**
 * Owns the looks at orders that lanes wait for: at the truth, which of them are final, and at their bells, which of them ring.
 * Always holds: the looks of one tick, of whatever lanes, travel together; a failure is logged once until a look succeeds.
 */
import type { Log } from "../log.ts";
import { toOrderJson, type OrderJson } from "../orders/order.ts";
import { isRedisAway } from "../redis/away.ts";
import { asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";

/** Tells which of the orders are over (null: forgotten). */
export type LookAtBells = (orderIds: readonly string[]) => Promise<Answers>;
/** By order id. Other lanes' orders may be among them. */
type Answers = ReadonlyMap<string, OrderJson | null>;

interface Look {
  readonly orderIds: readonly string[];
  readonly resolve: (answers: Answers) => void;
  readonly reject: (reason: unknown) => void;
}

/** Most orders in one run of the script: Redis serves nobody else meanwhile. One lane's look may hold more. */
const MOST_ORDERS = 1000;

/** `answer-bells` reads the truth; `take-bells` takes what rings. */
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
      const [id, json] = asList(answer);
      return [asText(id), json === "" ? null : toOrderJson(asText(id), asText(json))];
    }),
  );
}
