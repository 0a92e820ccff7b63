/**
 * `longpour acquirer`: a server that speaks the part of Stripe's API that a shop needs, for development and tests.
 *
 * **Invariants**
 * - No money moves: it knows test methods only.
 * - A key or a secret that was given is never printed; one that was made up is.
 */
import { Option, type Command } from "@commander-js/extra-typings";
import { FAIL_AS, MAX_DELAY_MS, NO_FAULTS, WEEK_SECONDS } from "../acquirer/faults.ts";
import { startAcquirer } from "../acquirer/server.ts";
import { createStop } from "../command.ts";
import { define, numberReader, wholeReader } from "../define.ts";
import { readUrl } from "../server.ts";
import type { Terminal } from "../terminal.ts";

const share = numberReader({ min: 0, max: 1 });
const delay = wholeReader({ min: 0, max: MAX_DELAY_MS });

export function addAcquirer(program: Command, terminal: Terminal): void {
  define(program, "acquirer", {
    about:
      "Runs a test acquirer, which speaks the part of Stripe's API that a shop needs, and moves no money. It is for development and tests. Cards are Stripe's test methods: pm_card_visa is good; pm_card_chargeDeclined, pm_card_chargeDeclinedInsufficientFunds, pm_card_chargeDeclinedExpiredCard and their like are declined. So is any card by an amount that ends in 02 cents (card_declined) or in 95 (insufficient_funds). GET /ledger counts all money; POST /faults and POST /webhook-endpoint change it while it runs.",
    examples: [
      "longpour acquirer",
      "longpour acquirer --webhook http://127.0.0.1:8000/payment/webhook --data acquirer.jsonl",
      "longpour acquirer --port 0 --delay-ms 200 --drop 0.1 --double 0.1 --fail 0.05",
    ],
  })
    .option("--port <n>", "the port to listen on, on this machine only; 0 takes a free one", wholeReader(PORTS), 12_111)
    .addOption(new Option("--key <key>", "the secret key to ask for; made up without it").env("STRIPE_SECRET_KEY"))
    .option("--webhook <url>", "where to send what happened, signed as Stripe signs it", readUrl)
    .addOption(
      new Option("--webhook-secret <secret>", "what to sign with; made up without it").env("STRIPE_WEBHOOK_SECRET"),
    )
    .option("--data <file>", "keep what happens in this file, and begin with what is in it")
    .option("--delay-ms <n>", "how long each call takes", delay, 0)
    .option("--webhook-delay-ms <n>", "how long each webhook is held back", delay, 0)
    .option("--drop <share>", "the share of webhooks, from 0 to 1, that are never sent", share, 0)
    .option("--double <share>", "the share of webhooks that are sent twice", share, 0)
    .option("--decline <share>", "the share of good cards that are declined", share, 0)
    .option("--fail <share>", "the share of calls that are done, but whose answer does not arrive", share, 0)
    .addOption(
      new Option("--fail-as <how>", "what comes instead: a closed connection, or an error 500")
        .choices(FAIL_AS)
        .default(NO_FAULTS.fail_as),
    )
    .option("--hold-seconds <n>", "how long an authorisation holds", wholeReader(HOLDS), WEEK_SECONDS)
    .option("--with-stdin", "end when standard input ends: with the program that started it")
    .action(async (options) => {
      const stop = createStop();
      const interrupted = terminal.untilStopped();
      interrupted.addEventListener("abort", () => stop.abort("interrupted"), { once: true });
      if (interrupted.aborted) return;
      const input = options.withStdin ? openInput(() => stop.abort("done")) : undefined;
      const secrets = secretsOf(options);
      try {
        const faults = faultsOf(options);
        const { port, webhook: webhookUrl, data: dataPath } = options;
        const { url, ended } = await startAcquirer({ port, ...secrets, webhookUrl, dataPath, faults }, stop.signal);
        terminal.print(describe(url, options, secrets));
        await ended;
      } finally {
        await input?.close();
      }
    });
}

const PORTS = { min: 0, max: 65_535 };
const HOLDS = { min: 0, max: WEEK_SECONDS };

interface Given {
  readonly json?: true | undefined;
  readonly key?: string | undefined;
  readonly webhookSecret?: string | undefined;
}

interface Secrets {
  readonly key: string;
  readonly webhookSecret: string;
}

function secretsOf({ key, webhookSecret }: Given): Secrets {
  return { key: key || madeUp("sk_test"), webhookSecret: webhookSecret || madeUp("whsec") };
}

function madeUp(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** The settings of a server that uses it, as they stand in a file named .env. */
function describe(url: string, { json, key, webhookSecret }: Given, secrets: Secrets): string {
  const settings = {
    STRIPE_API: url,
    ...(!key && { STRIPE_SECRET_KEY: secrets.key }),
    ...(!webhookSecret && { STRIPE_WEBHOOK_SECRET: secrets.webhookSecret }),
  };
  if (json) return JSON.stringify(settings);
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

/** Reads standard input, which keeps the process until it is closed. */
function openInput(ended: () => void): { readonly close: () => Promise<void> } {
  const reader = Bun.stdin.stream().getReader();
  const readOn = async (): Promise<void> => {
    for (let isOver = false; !isOver;) isOver = (await reader.read()).done;
    ended();
  };
  void readOn();
  return { close: () => reader.cancel() };
}

interface FaultOptions {
  readonly delayMs: number;
  readonly webhookDelayMs: number;
  readonly drop: number;
  readonly double: number;
  readonly decline: number;
  readonly fail: number;
  readonly failAs: (typeof FAIL_AS)[number];
  readonly holdSeconds: number;
}

function faultsOf({ delayMs, webhookDelayMs, failAs, holdSeconds, ...shares }: FaultOptions) {
  const { drop, double, decline, fail } = shares;
  return {
    delay_ms: delayMs,
    webhook_delay_ms: webhookDelayMs,
    drop,
    double,
    decline,
    fail,
    fail_as: failAs,
    hold_seconds: holdSeconds,
  };
}
