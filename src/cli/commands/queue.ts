/**
 * `longpour queue` and `longpour search`: what waits, and which orders there are.
 *
 * **Invariants**
 * - A list is a line an order; with `--json` a line of JSON each.
 */
import type { Command } from "@commander-js/extra-typings";
import { Type, type Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Accept } from "../../client/ask.ts";
import type { Order } from "../../client/index.ts";
import { isOrder } from "../../client/orders.ts";
import { isRecord } from "../../client/problem.ts";
import { define, wholeReader } from "../define.ts";
import {
  asking,
  customersPort,
  customersUrlOption,
  withQuery,
  staffPort,
  staffTokenOption,
  staffUrlOption,
  type StaffOptions,
} from "../server.ts";
import type { Terminal } from "../terminal.ts";
import { listOrder } from "../words.ts";

const QueueNow = Type.Object({
  queue: Type.String(),
  depth: Type.Integer(),
  scheduled: Type.Optional(Type.Integer()),
  brewing: Type.Integer(),
  oldest_waiting_seconds: Type.Union([Type.Number(), Type.Null()]),
  workers: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
});
type QueueNow = Static<typeof QueueNow>;

const QueueList = Type.Object({ queues: Type.Array(QueueNow) });

export function addQueue(program: Command, terminal: Terminal): void {
  define(program, "queue", {
    about: "Lists the queues of machines, or measures one queue. Measuring is for staff.",
    examples: ["longpour queue", "longpour queue thumbs --json"],
  })
    .argument("[name]", "the queue to measure, on the baristas' port")
    .addOption(customersUrlOption())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (name, { url, json = false, ...where }) => {
      const queues =
        name === undefined
          ? await asking(customersPort({ url }), terminal)({ path: "/queue" }, acceptQueues)
          : await asking(staffPort(where), terminal)({ path: withQuery("/queue", { queue: name }) }, acceptQueue);
      for (const queue of queues) terminal.print(json ? JSON.stringify(queue) : describeQueue(queue));
      if (queues.length === 0) terminal.note("no queue of machines is declared");
    });
}

const acceptQueues: Accept<readonly QueueNow[]> = ({ ok, json }) =>
  ok && Value.Check(QueueList, json) ? { kind: "done", value: json.queues } : undefined;

const acceptQueue: Accept<readonly QueueNow[]> = ({ ok, json }) =>
  ok && Value.Check(QueueNow, json) ? { kind: "done", value: [json] } : undefined;

function describeQueue({
  queue,
  depth,
  scheduled,
  brewing,
  oldest_waiting_seconds: oldest,
  workers,
}: QueueNow): string {
  const parts = [
    `${depth} queued${oldest === null ? "" : `, the oldest for ${oldest} s`}`,
    `${brewing} brewing`,
    ...(scheduled ? [`${scheduled} scheduled`] : []),
    ...(workers ? [`workers: ${workers.map((worker) => worker.name).join(", ") || "none seen"}`] : []),
  ];
  return `${queue}: ${parts.join("; ")}`;
}

export function addSearch(program: Command, terminal: Terminal): void {
  define(program, "search", {
    about: "Lists orders by the time they were placed, oldest first: today's (UTC) without a time.",
    examples: [
      "longpour search",
      "longpour search --status cancelled --date 2026-11-20",
      "longpour search --queue thumbs --from 2026-11-20T09:00:00Z --limit 1000 --json",
    ],
  })
    .option("--queue <name>", "the queue; the counter's without it")
    .option("--status <status>", "only those in this state")
    .option("--customer-id <id>", "only this customer's")
    .option("--date <day>", "a day (UTC), as 2026-11-20")
    .option("--from <time>", "placed then or after, as 2026-11-20T09:00:00Z")
    .option("--to <time>", "placed before")
    .option("--limit <count>", "at most so many", wholeReader({ min: 1, max: 1_000_000 }), 50)
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async ({ queue, status, customerId, date, from, to, limit, json = false, ...where }) => {
      const query = { queue, status, customer_id: customerId, date, from, to };
      await printPages({ path: "/order/", query, limit, json }, where, terminal);
    });
}

/** What a route answers a page at a time. */
interface Pages {
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly limit: number;
  readonly json: boolean;
}

interface Page {
  readonly orders: readonly Order[];
  readonly cursor: string | undefined;
}

/** As many as a page may have. */
const PAGE = 100;

/** Prints page after page until there is no more, or as many as wanted. */
export async function printPages(
  { path, query, limit, json }: Pages,
  where: StaffOptions,
  terminal: Terminal,
): Promise<void> {
  const ask = asking(staffPort(where), terminal);
  const signal = terminal.untilStopped();
  let cursor: string | undefined;
  let left = limit;
  do {
    const size = String(Math.min(left, PAGE));
    const page: Page = await ask({ path: withQuery(path, { ...query, cursor, limit: size }), signal }, acceptPage);
    for (const order of page.orders) terminal.print(json ? JSON.stringify(order) : listOrder(order));
    left -= page.orders.length;
    ({ cursor } = page);
  } while (cursor !== undefined && left > 0);
  if (cursor !== undefined) terminal.note(`there are more than ${limit}: --limit shows more`);
  else if (left === limit) terminal.note("none");
}

const acceptPage: Accept<Page> = ({ ok, json }) => {
  if (!ok || !isRecord(json) || !Array.isArray(json["orders"])) return undefined;
  const { cursor } = json;
  return {
    kind: "done",
    value: { orders: json["orders"].filter(isOrder), cursor: typeof cursor === "string" ? cursor : undefined },
  };
};
