/**
 * `longpour start`, `finish`, `fail` and `release`: a barista's verbs.
 *
 * **Invariants**
 * - A verb whose answer is lost is said again: start and finish under the same key.
 */
import { userInfo } from "node:os";
import { Option, type Command } from "@commander-js/extra-typings";
import { createKey } from "../../client/key.ts";
import { acceptOrder } from "../../client/orders.ts";
import type { Order } from "../../client/index.ts";
import { MAX_RETRY_AFTER_SECONDS } from "../../orders/status.ts";
import { define, readJson, wholeReader } from "../define.ts";
import { asking, withQuery, staffPort, staffTokenOption, staffUrlOption, type StaffOptions } from "../server.ts";
import type { Terminal } from "../terminal.ts";
import { describeOrder, showOrder } from "../words.ts";

const ID = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

/** The name under which orders are taken. */
export const taker = () =>
  new Option("--barista <name>", "the name to take it under").env("LONGPOUR_BARISTA").default(userInfo().username);
/** The barista who has the order, where none is named. */
const holder = () =>
  new Option("--barista <name>", "whose order it has to be; any barista's without it").env("LONGPOUR_BARISTA");

export function addStart(program: Command, terminal: Terminal): void {
  define(program, "start", {
    about: "Takes the oldest order of a queue.",
    examples: ["longpour start --wait 20", "longpour start --queue thumbs --barista Grace --json"],
  })
    .option("--queue <name>", "the queue to take from; the counter's without it")
    .option("--id <id>", "take this order, not the oldest")
    .option("--wait <seconds>", "wait for one for so long", wholeReader({ min: 0, max: 60 }), 0)
    .option("--link", "get a link too, whose bearer can finish the order without a token")
    .addOption(taker())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async ({ queue, id, wait, link, barista, json = false, ...where }) => {
      const query = { queue, order_id: id, barista, wait: wait > 0 ? String(wait) : undefined, link: link && "" };
      const order = await say({ path: withQuery("/start/", query), method: "GET", waitSeconds: wait }, where, terminal);
      terminal.print(json ? JSON.stringify(order) : showOrder(order));
    });
}

export function addFinish(program: Command, terminal: Terminal): void {
  define(program, "finish", {
    about: "Says that an order of yours is made.",
    examples: [`longpour finish ${ID}`, `longpour finish ${ID} --result '{"cups":2}'`],
  })
    .argument("<id>", "the order's id")
    .option("--result <json>", "what its customer gets", readJson)
    .addOption(holder())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (id, { result, barista, json = false, ...where }) => {
      const request = { path: withQuery("/finish/", { order_id: id, barista }), method: "POST" };
      const order = await say(result === undefined ? request : { ...request, json: result }, where, terminal);
      terminal.print(json ? JSON.stringify(order) : describeOrder(order));
    });
}

export function addFail(program: Command, terminal: Terminal): void {
  define(program, "fail", {
    about: "Says that an order of yours can't be made: it is tried again while attempts are left.",
    examples: [
      `longpour fail ${ID} 'the grinder is jammed' --retry-after 60`,
      `longpour fail ${ID} 'no such picture' --no-retry`,
    ],
  })
    .argument("<id>", "the order's id")
    .argument("<why>", "what its customer reads")
    .option("--retry-after <seconds>", "not before so long", wholeReader({ min: 0, max: MAX_RETRY_AFTER_SECONDS }))
    .option("--no-retry", "never again: it is cancelled")
    .addOption(holder())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (id, why, { retryAfter, retry, barista, json = false, ...where }) => {
      const failure = { error: why, retry_after_seconds: retryAfter, retry: retry ? undefined : false };
      const path = withQuery("/fail/", { order_id: id, barista });
      const order = await say({ path, method: "POST", json: failure }, where, terminal);
      terminal.print(json ? JSON.stringify(order) : describeOrder(order));
    });
}

export function addRelease(program: Command, terminal: Terminal): void {
  define(program, "release", {
    about: "Puts an order of yours back into its queue.",
    examples: [`longpour release ${ID}`, `longpour release ${ID} --uncounted`],
  })
    .argument("<id>", "the order's id")
    .option("--uncounted", "this start is no attempt: what kept it from being made is no fault of it")
    .addOption(holder())
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (id, { barista, uncounted, json = false, ...where }) => {
      const path = withQuery("/release/", { order_id: id, barista, uncounted: uncounted ? "" : undefined });
      const order = await say({ path, method: "POST" }, where, terminal);
      terminal.print(json ? JSON.stringify(order) : describeOrder(order));
    });
}

interface Verb {
  readonly path: string;
  readonly method: string;
  readonly json?: unknown;
  /** How long the server may hold it. */
  readonly waitSeconds?: number;
}

async function say({ waitSeconds = 0, ...verb }: Verb, where: StaffOptions, terminal: Terminal): Promise<Order> {
  const ask = asking(staffPort(where), terminal, { waitSeconds });
  const headers = { "Idempotency-Key": createKey() };
  return await ask({ ...verb, headers, signal: terminal.untilStopped() }, acceptOrder);
}
