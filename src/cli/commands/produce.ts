/**
 * `longpour produce`: a schedule of demands, as another program would append them to the store.
 *
 * **Invariants**
 * - Without `--count` there is a pause between two demands, so no run floods the store.
 * - A demand that Redis did not confirm ends the run, and is not counted.
 */
import { Argument, type Command } from "@commander-js/extra-typings";
import { pause } from "../../pause.ts";
import { define, readSpanMs, wholeReader } from "../define.ts";
import { WrongUsage } from "../failure.ts";
import { appendDemands, shopOption, storeUrl, withStore } from "../store.ts";
import type { Terminal } from "../terminal.ts";

const MIN_PAUSE_MS = 10;
const MAX_ADD_UP_TO = 99;
/** So many are appended at once where there is no pause. */
const BATCH = 100;

export function addProduce(program: Command, terminal: Terminal): void {
  define(program, "produce", {
    about: "Appends demands to a queue's stream in Redis, one after another, until Ctrl-C or --count.",
    examples: ["longpour produce work --every 4s", "longpour produce work --every 0s --count 1000"],
  })
    .addArgument(new Argument("<queue>", "the queue that takes demands").choices(["work"]))
    .requiredOption("--every <time>", "the time between two, as 500ms, 4s or 2m", readSpanMs)
    .option("--count <n>", "end after so many", wholeReader({ min: 1, max: 10_000_000 }))
    .option(
      "--add-up-to <n>",
      "what each demands; a random number from 1 to 99 without it",
      wholeReader({ min: 1, max: 1_000_000 }),
    )
    .option("--redis <url>", "the store; REDIS_URL without it")
    .addOption(shopOption())
    .action(async (queue, { every, count, addUpTo, redis: given, shop, json = false }) => {
      if (count === undefined && every < MIN_PAUSE_MS) {
        throw new WrongUsage(`--every must be at least ${MIN_PAUSE_MS}ms, or --count has to say how many`);
      }
      const signal = terminal.untilStopped();
      const demand = () => ({ add_up_to: addUpTo ?? 1 + Math.floor(Math.random() * MAX_ADD_UP_TO), done: false });
      await withStore({ url: storeUrl(given, terminal), shop }, async (redis, prefix) => {
        let left = count ?? Infinity;
        while (left > 0 && !signal.aborted) {
          const demands = Array.from({ length: every > 0 ? 1 : Math.min(left, BATCH) }, demand);
          const ids = await appendDemands(redis, `${prefix}demands:${queue}`, demands);
          for (const [index, id] of ids.entries()) {
            terminal.print(json ? jsonOf(id, demands[index]) : lineOf(id, demands[index]));
          }
          left -= demands.length;
          if (left > 0 && every > 0) await pause(every, signal);
        }
      });
    });
}

function jsonOf(id: string, demand: object | undefined): string {
  return JSON.stringify({ id, ...demand });
}

function lineOf(id: string, demand: object | undefined): string {
  return `${id}  ${JSON.stringify(demand)}`;
}
