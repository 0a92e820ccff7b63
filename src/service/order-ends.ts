/**
 * Owns the end of an order as something to wait for: what rings, and how stored state is read.
 *
 * **Invariants**
 * - The reads of one turn, of all lanes, travel together.
 * - A failure is logged once until a read succeeds.
 */
import type { Log } from "../log.ts";
import type { End, Subject } from "../longpoll/room.ts";
import type { OrderJson } from "../orders/order.ts";
import type { Orders } from "../orders/orders.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import type { ShopRedis } from "../redis/connections.ts";
import { asText } from "../redis/reply.ts";
import { loadScript } from "../redis/script.ts";
import { gatherTurn } from "../turn.ts";

/** Redis serves no other server while it reads them. One lane's read may hold more. */
const MAX_ORDERS_PER_READ = 1000;

type Ends = ReadonlyMap<string, End<OrderJson>>;

interface Read {
  readonly ids: readonly string[];
  readonly resolve: (ends: Ends) => void;
  readonly reject: (reason: unknown) => void;
}

export function createOrderEnds(
  { run, keys }: Pick<ShopRedis, "run" | "keys">,
  { watch, replica }: Pick<Orders, "watch" | "replica">,
  log: Log,
): Subject<OrderJson> {
  const findBells = loadScript("find-bells");
  const readFinals = loadScript("read-finals");
  return {
    bellOf: (id) => keys.bell(id),
    idOf: (bell) => keys.orderOfBell(bell),
    watch: async (orderId) => {
      const outcome = await watch({ orderId, holder: replica });
      if (outcome.kind === "final") return { kind: "final", value: outcome.order };
      if (outcome.kind === "damaged") return { kind: "damaged" };
      return outcome.kind === "unknown" ? { kind: "forgotten" } : undefined;
    },
    readFinals: createReader(async (ids) => readEnds(asText(await run(readFinals, ids))), log),
    findBells: async (ids) =>
      asText(await run(findBells, ids))
        .split("\n")
        .filter(Boolean),
  };
}

function readEnds(reply: string): Ends {
  const lines = reply === "" ? [] : reply.split("\n");
  return new Map(
    lines.map((line): [string, End<OrderJson>] => {
      const [outcome, id = "", order = ""] = line.split("\t");
      if (outcome === "final") return [id, { kind: outcome, value: order }];
      return [id, outcome === "forgotten" ? { kind: outcome } : { kind: "damaged" }];
    }),
  );
}

/** Reads of one turn become one, or some where they are many. */
function createReader(
  read: (ids: readonly string[]) => Promise<Ends>,
  log: Log,
): (ids: readonly string[]) => Promise<Ends> {
  let isFailing = false;

  const send = async (reads: readonly Read[]): Promise<void> => {
    try {
      const ends = await read(reads.flatMap(({ ids }) => ids));
      isFailing = false;
      for (const { resolve } of reads) resolve(ends);
    } catch (error) {
      // An outage is logged by itself.
      if (!isRedisUnavailable(error)) {
        if (!isFailing) log.warn({ err: error }, "held orders can't be read: trying again");
        isFailing = true;
      }
      for (const { reject } of reads) reject(error);
    }
  };

  const add = gatherTurn<Read>((reads) => {
    let together: Read[] = [];
    let orders = 0;
    for (const one of reads) {
      if (orders + one.ids.length > MAX_ORDERS_PER_READ && together.length > 0) {
        void send(together);
        together = [];
        orders = 0;
      }
      together.push(one);
      orders += one.ids.length;
    }
    void send(together);
  });
  return (ids) =>
    new Promise((resolve, reject) => {
      add({ ids, resolve, reject });
    });
}
