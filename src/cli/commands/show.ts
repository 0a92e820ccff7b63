/**
 * `longpour show` and `longpour cancel`: one order, seen from the customers' side or straight from the store.
 *
 * **Invariants**
 * - From the store an order is read by the server's own scripts.
 */
import type { Command } from "@commander-js/extra-typings";
import { createClient, type Order } from "../../client/index.ts";
import { define } from "../define.ts";
import { WrongUsage } from "../failure.ts";
import { follow, printEnd } from "../follow.ts";
import { clientOptions, customersPort, customersUrlOption } from "../server.ts";
import { findInStore, shopOption, storeUrl } from "../store.ts";
import type { Terminal } from "../terminal.ts";
import { describeOrder, showOrder } from "../words.ts";

export function addShow(program: Command, terminal: Terminal): void {
  define(program, "show", {
    about: "Shows an order as it is now, or waits for its end.",
    examples: [
      "longpour show 01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
      "longpour show 01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59 --wait",
      "longpour show 01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59 --redis redis://localhost:6379",
    ],
  })
    .argument("<id>", "the order's id")
    .option("--wait", "wait until it is final")
    .option("--redis [url]", "read it from the store, without a server; without a value: REDIS_URL")
    .addOption(shopOption())
    .addOption(customersUrlOption())
    .action(async (id, { wait = false, redis, shop, url, json = false }) => {
      if (redis !== undefined) {
        if (wait) throw new WrongUsage("--wait needs a server: leave out --redis");
        print(await findInStore(id, { url: storeUrl(redis, terminal), shop }), terminal, json);
        return;
      }
      const signal = terminal.untilStopped();
      const client = createClient(clientOptions(customersPort({ url }), terminal, { isPatient: wait }));
      const order = await client.find(id, { signal });
      if (wait) printEnd(await follow(order, { client, terminal, signal, url, isQuiet: json }), terminal, json);
      else print(order, terminal, json);
    });
}

export function addCancel(program: Command, terminal: Terminal): void {
  define(program, "cancel", {
    about: "Cancels an order of yours that is not begun yet.",
    examples: ["longpour cancel 01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59"],
  })
    .argument("<id>", "the order's id")
    .addOption(customersUrlOption())
    .action(async (id, { url, json = false }) => {
      const order = await createClient(clientOptions(customersPort({ url }), terminal)).cancel(id);
      terminal.print(json ? JSON.stringify(order) : describeOrder(order));
    });
}

function print(order: Order, terminal: Terminal, isJson: boolean): void {
  terminal.print(isJson ? JSON.stringify(order) : showOrder(order));
}
