/**
 * `longpour order` and `longpour call`: an order at the counter, or any JSON for a queue of machines, and its end.
 *
 * **Invariants**
 * - The order is placed under one key and known by its id before the wait begins, so nothing loses it.
 */
import type { Command } from "@commander-js/extra-typings";
import { createAsking, type ClientOptions } from "../../client/ask.ts";
import { createClient, type Order } from "../../client/index.ts";
import { createKey } from "../../client/key.ts";
import { acceptOrder } from "../../client/orders.ts";
import { define, readJson } from "../define.ts";
import { CommandFailed, WrongUsage } from "../failure.ts";
import { follow, printEnd } from "../follow.ts";
import { clientOptions, customersPort, customersUrlOption, withQuery } from "../server.ts";
import type { Terminal } from "../terminal.ts";
import { listOrder } from "../words.ts";

export function addOrder(program: Command, terminal: Terminal): void {
  define(program, "order", {
    about: "Orders a drink, and waits until it is ready or cancelled.",
    examples: [
      "longpour order",
      "longpour order latte --modifier milk=oat --note 'no lid' --name Ada",
      "longpour order latte --no-wait --json",
    ],
  })
    .argument("[item]", "the id of a coffee on the menu")
    .option("--modifier <name=option>", "one of the item's modifiers; may be given again", readModifier)
    .option("--note <text>", "for the barista")
    .option("--name <text>", "who is called when it is ready")
    .option("--customer-id <id>", "who ordered, as your system knows them")
    .option("--code <code>", "the code from the board, where the shop asks for one")
    .option("--not-before <time>", "when it may be begun at the earliest, as 2026-11-20T09:30:00Z")
    .option("--callback-url <url>", "where the final order is posted too, where the server allows its host")
    .option("--key <key>", "its Idempotency-Key: the same one with the same order joins it")
    .option("--no-wait", "end as soon as it is placed")
    .addOption(customersUrlOption())
    .action(async (item, { modifier, note, name, customerId, code, notBefore, callbackUrl, ...options }) => {
      const draft = {
        item,
        modifiers: modifier,
        note,
        customer_name: name,
        customer_id: customerId,
        code,
        not_before: notBefore,
        callback_url: callbackUrl,
      };
      await placeAndWait({ path: "/order/", json: draft, again: "longpour order" }, options, terminal);
    });
}

export function addCall(program: Command, terminal: Terminal): void {
  define(program, "call", {
    about: "Puts any JSON into a queue of machines, and waits for the result.",
    examples: [
      `longpour call thumbs '{"url":"https://example.org/cat.jpg"}'`,
      `longpour call mail '"hello"' --not-before 2026-11-20T09:30:00Z --no-wait`,
    ],
  })
    .argument("<queue>", "the queue's name: longpour queue lists them")
    .argument("<json>", "the input", readJson)
    .option("--not-before <time>", "when it may be begun at the earliest, as 2026-11-20T09:30:00Z")
    .option("--callback-url <url>", "where the final order is posted too, where the server allows its host")
    .option("--key <key>", "its Idempotency-Key: the same one with the same input joins it")
    .option("--no-wait", "end as soon as it is placed")
    .addOption(customersUrlOption())
    .action(async (queue, json, { notBefore, callbackUrl, ...options }) => {
      const query = { not_before: notBefore, callback_url: callbackUrl };
      const path = withQuery(`/queue/${encodeURIComponent(queue)}/`, query);
      await placeAndWait({ path, json, again: `longpour call ${queue}` }, options, terminal);
    });
}

interface Placing {
  readonly path: string;
  readonly json: unknown;
  /** How the command begins that places the same. */
  readonly again: string;
}

interface Options {
  readonly url: string;
  readonly key?: string | undefined;
  readonly wait: boolean;
  readonly json?: true | undefined;
}

async function placeAndWait(placing: Placing, options: Options, terminal: Terminal): Promise<void> {
  const isJson = options.json === true;
  const signal = terminal.untilStopped();
  const patient = clientOptions(customersPort(options), terminal, { isPatient: true });
  const order = await place(placing, options.key ?? createKey(), patient, signal);
  if (!options.wait) {
    terminal.print(isJson ? JSON.stringify(order) : listOrder(order));
    return;
  }
  const client = createClient(patient);
  printEnd(await follow(order, { client, terminal, signal, url: options.url, isQuiet: isJson }), terminal, isJson);
}

async function place(
  { path, json, again }: Placing,
  key: string,
  patient: ClientOptions,
  signal: AbortSignal,
): Promise<Order> {
  const headers = { "Idempotency-Key": key, Prefer: "respond-async" };
  try {
    return await createAsking(patient)({ path, method: "POST", headers, json, signal }, acceptOrder);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandFailed(`left before it was known to be placed: ${again} … --key ${key} joins it if it was`);
  }
}

function readModifier(text: string, before: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new WrongUsage("--modifier must be name=option, as milk=oat");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
