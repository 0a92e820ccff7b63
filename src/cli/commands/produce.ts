/**
 * `longpour produce`: a schedule of demands, as another program would append them to the store.
 *
 * **Invariants**
 * - Without `--count` there is a pause between two demands, so no run floods the store.
 * - A demand that Redis did not confirm ends the run, and is not counted.
 */
import { Argument, type Command } from "@commander-js/extra-typings";
import { pause } from "../../client/pause.ts";
import { define, readSpanMs, whole } from "../define.ts";
import { CommandFailed, WrongUsage } from "../failure.ts";
import { shopOption, storeUrl, withStore } from "../store.ts";
import type { Terminal } from "../terminal.ts";

const MIN_PAUSE_MS = 10;
const MAX_ADD_UP_TO = 99;

export function addProduce(program: Command, terminal: Terminal): void {
  define(program, "produce", {
    about: "Appends demands to a queue's stream in Redis, one after another, until Ctrl-C or --count.",
    examples: ["longpour produce work --every 4s", "longpour produce work --every 0s --count 1000"],
  })
    .addArgument(new Argument("<queue>", "the queue that takes demands").choices(["work"]))
    .requiredOption("--every <time>", "the time between two, as 500ms, 4s or 2m", readSpanMs)
    .option("--count <n>", "end after so many", whole({ min: 1, max: 10_000_000 }))
    .option(
      "--add-up-to <n>",
      "what each demands; a random number from 1 to 99 without it",
      whole({ min: 1, max: 1_000_000 }),
    )
    .option("--redis <url>", "the store; REDIS_URL without it")
    .addOption(shopOption())
    .action(async (queue, { every, count, addUpTo, redis: given, shop, json = false }) => {
      if (count === undefined && every < MIN_PAUSE_MS) {
        throw new WrongUsage(`--every must be at least ${MIN_PAUSE_MS}ms, or --count has to say how many`);
      }
      const signal = terminal.untilStopped();
      await withStore({ url: storeUrl(given, terminal), shop }, async (redis, prefix) => {
        for (let made = 0; made < (count ?? Infinity) && !signal.aborted; made++) {
          if (made > 0 && every > 0) await pause(every, signal);
          if (signal.aborted) break;
          const demand = { add_up_to: addUpTo ?? 1 + Math.floor(Math.random() * MAX_ADD_UP_TO), done: false };
          const entry = await redis
            .xadd(`${prefix}demands:${queue}`, "*", "demand", JSON.stringify(demand))
            .catch((error: Error) => {
              throw new CommandFailed(`Redis did not take demand ${made + 1} (${error.message})`);
            });
          terminal.print(json ? JSON.stringify({ id: entry, ...demand }) : `${entry}  ${JSON.stringify(demand)}`);
        }
      });
    });
}
