/**
 * `longpour dead` and `longpour retry`: the orders that could not be made, and another try of them.
 *
 * **Invariants**
 * - A retry is a new order that names the old one; the same again answers the same.
 */
import type { Command } from "@commander-js/extra-typings";
import type { Accept } from "../../client/ask.ts";
import type { Order } from "../../client/index.ts";
import { isOrder } from "../../client/orders.ts";
import { isRecord } from "../../client/problem.ts";
import { define, wholeReader } from "../define.ts";
import { WrongUsage } from "../failure.ts";
import { asking, withQuery, staffPort, staffTokenOption, staffUrlOption } from "../server.ts";
import type { Terminal } from "../terminal.ts";
import { listOrder } from "../words.ts";
import { printPages } from "./queue.ts";

export function addDead(program: Command, terminal: Terminal): void {
  define(program, "dead", {
    about: "Lists the orders that could not be made, newest first.",
    examples: ["longpour dead", "longpour dead --queue thumbs --reason machine_error --json"],
  })
    .option("--queue <name>", "only those of this queue")
    .option("--reason <reason>", "only those: machine_error or barista_timeout")
    .option("--limit <count>", "at most so many", wholeReader({ min: 1, max: 1_000_000 }), 50)
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async ({ queue, reason, limit, json = false, ...where }) => {
      await printPages({ path: "/dead", query: { queue, reason }, limit, json }, where, terminal);
    });
}

/** As many as one request retries. */
const BATCH = 100;

export function addRetry(program: Command, terminal: Terminal): void {
  define(program, "retry", {
    about: "Makes an order again that could not be made, or all of a queue or with a reason.",
    examples: [
      "longpour retry 01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
      "longpour retry --queue thumbs --reason machine_error --limit 100",
    ],
  })
    .argument("[id]", "the order's id")
    .option("--queue <name>", "those of this queue")
    .option("--reason <reason>", "those with this reason: machine_error or barista_timeout")
    .option("--limit <count>", "at most so many", wholeReader({ min: 1, max: BATCH }), BATCH)
    .option("--barista <name>", "who wants it")
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (id, { queue, reason, limit, barista, json = false, ...where }) => {
      const isFiltered = queue !== undefined || reason !== undefined;
      if ((id === undefined) !== isFiltered) throw new WrongUsage("retry takes an id, or --queue and --reason");
      const query = id === undefined ? { queue, reason, limit: String(limit), barista } : { order_id: id, barista };
      const path = withQuery("/retry/", query);
      const { orders, isAll } = await asking(staffPort(where), terminal)({ path, method: "POST" }, acceptRetried);
      for (const order of orders) terminal.print(json ? JSON.stringify(order) : listOrder(order));
      if (!isAll) terminal.note("there are more: the same again retries them");
      else if (orders.length === 0) terminal.note("none");
    });
}

interface Retried {
  readonly orders: readonly Order[];
  readonly isAll: boolean;
}

const acceptRetried: Accept<Retried> = ({ ok, json }) => {
  if (!ok) return undefined;
  if (isOrder(json)) return { kind: "done", value: { orders: [json], isAll: true } };
  if (!isRecord(json) || !Array.isArray(json["retried"])) return undefined;
  return { kind: "done", value: { orders: json["retried"].filter(isOrder), isAll: json["left"] !== true } };
};
