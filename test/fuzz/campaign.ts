/**
 * Owns a run: so many requests from one seed to both ports of one server, a few at a time, each answer judged.
 *
 * **Invariants**
 * - A run is bounded in requests, in concurrency and in time a request.
 * - A fault names the seed, the request's number and its bytes: enough to send it again.
 */
import fc from "fast-check";
import { readDescription, type Description } from "./description.ts";
import { faultIn, mayBeHeld, parseJson } from "./judge.ts";
import { requestsTo, type Plan } from "./requests.ts";
import { Stock } from "./stock.ts";
import { assemble, exchange, type Sent } from "./wire.ts";

const AT_ONCE = 24;
/** A held request is given up after this; what is not held must be answered within the other. */
const HELD_MS = 150;
const ANSWER_MS = 15_000;
/** Requests change the shop: now and then it is opened again, so that orders come through. */
const REOPEN_EVERY = 100;
const MAX_FAULTS = 20;

export interface Campaign {
  readonly customers: string;
  readonly baristas: string;
  readonly token?: string;
  readonly seed: number;
  readonly requests: number;
}

export interface Result {
  readonly sent: number;
  /** How often each status came; 0 stands for no answer. */
  readonly statuses: ReadonlyMap<number, number>;
  /** At most 20, each with all that is needed to send the request again. */
  readonly faults: readonly string[];
}

interface Target {
  readonly description: Description;
  readonly port: number;
  readonly plan: Plan;
}

/** Runs a campaign to its end, or until there are enough faults. */
export async function runCampaign(campaign: Campaign): Promise<Result> {
  const stock = new Stock();
  const statuses = new Map<number, number>();
  const faults: string[] = [];
  const targets = (await plan(campaign)).entries();
  let sent = 0;

  const work = async (): Promise<void> => {
    for (const [number, target] of targets) {
      if (faults.length >= MAX_FAULTS) return;
      if (number % REOPEN_EVERY === 0) await reopen(campaign, stock);
      const { status, fault, request } = await sendOne(target, stock);
      sent++;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (fault) faults.push(`seed ${campaign.seed}, request ${number}: ${fault}\n  ${show(request)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { sent, statuses, faults };
}

/** Both ports' requests, in the order in which they are sent. */
async function plan({ customers, baristas, token, seed, requests }: Campaign): Promise<Target[]> {
  const ports = [
    { base: customers, description: await readDescription(customers), token: undefined },
    { base: baristas, description: await readDescription(baristas), token },
  ];
  const targets = ports.map(({ base, description, token: own }) =>
    requestsTo(description, own).map((made): Target => ({ description, port: Number(new URL(base).port), plan: made })),
  );
  return fc.sample(fc.oneof(...targets), { seed, numRuns: requests });
}

async function sendOne({ description, port, plan: made }: Target, stock: Stock) {
  const request = assemble(made, stock, `127.0.0.1:${port}`);
  const isHeld = mayBeHeld(request, made.headers.map(([name, value]) => `${name}: ${value}`).join("\n"));
  const outcome = await exchange(request, port, isHeld ? HELD_MS : ANSWER_MS);
  if (outcome.kind === "answer") stock.learn(parseJson(outcome.body));
  const status = outcome.kind === "answer" ? outcome.status : 0;
  return { request, status, fault: faultIn(description, request, outcome, isHeld) };
}

/** Opens the shop, puts the coffees back that requests know, and learns the code. */
async function reopen({ baristas, token }: Campaign, stock: Stock): Promise<void> {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : undefined) };
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(baristas + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return await answer.json();
  };
  const settings = {
    open: true,
    capacity: null,
    require_code: false,
    drinks_per_code: 10_000,
    max_open_per_customer: null,
  };
  await ask("PATCH", "/shop", settings);
  const latte = { name: "Latte", description: "", price: 400, available: true, modifiers: [], icon: "" };
  await ask("PUT", "/coffees/latte", { ...latte, modifiers: [{ name: "milk", options: ["whole", "oat"] }] });
  const { code } = (await ask("GET", "/code")) as { code: string };
  stock.code = code;
}

/** As one line that a shell's printf can send again. */
function show({ bytes }: Sent): string {
  return JSON.stringify(bytes.toString("latin1").slice(0, 1500));
}
