/**
 * Owns the customers and baristas who work on while servers are killed: in a closed loop each, over all replicas.
 * Most customers order a cup at once; some order it for later, and some call a queue of machines.
 *
 * **Invariants**
 * - Who loses an answer asks again with the same key, claim or id, at another replica.
 * - Every wait is bounded by `timeoutMs`: a longer one is a fault.
 * - A claim is used until an order came under it: no barista leaves an order that they were given.
 */
import { DEFAULT_QUEUE } from "../../src/queue-settings.ts";
import { createClient, type Client, type Draft } from "../../src/client/index.ts";
import {
  ask,
  expectOrder,
  readWireOrder,
  applyVerb,
  type Answer,
  type Ports,
  type WireOrder,
} from "../support/http.ts";
import { unmark } from "../support/words.ts";
import type { Ledger } from "./ledger.ts";

const PAUSE_MS = 10;
/** Statuses that pass: a server without its Redis, or one that stops. */
const PASSING = [502, 503, 504];
/** No server listens to this: each try goes to one of the replicas. */
const ANY_REPLICA = "http://replicas.invalid";
/** The queue of machines that some call, and some baristas work at. */
export const WORK_QUEUE = "work";
const KINDS = ["cup", "call", "cup", "cup", "call", "cup", "later", "cup"] as const;
type Kind = (typeof KINDS)[number];
/** How far ahead an order for later is: a lost request is sent again until it is placed, and that may take a while. */
const LATER_MS = 5000;

interface Scene {
  /** The replicas as they are now, one of them perhaps dead. */
  readonly replicas: readonly Ports[];
  readonly ledger: Ledger;
  /** How long anybody waits for an answer, over all tries. */
  readonly timeoutMs: number;
}

/** One after the other: a second try is at another replica. */
function takingTurns({ replicas }: Scene): () => Ports {
  let turn = Math.floor(Math.random() * replicas.length);
  return () => {
    turn = (turn + 1) % replicas.length;
    const replica = replicas[turn];
    if (!replica) throw new Error("no replica");
    return replica;
  };
}

/** Runs `act`, and hangs up on it after that time. */
async function bounded<Outcome>(
  { timeoutMs }: Scene,
  act: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`hung for ${timeoutMs} ms`)), timeoutMs);
  try {
    return await act(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

export class KilledCustomers {
  /** Tries that failed, and were made again. */
  retries = 0;
  readonly #scene: Scene;
  readonly #visits: Promise<void>[];
  #isOver = false;

  constructor(scene: Scene, customers: number) {
    this.#scene = scene;
    this.#visits = Array.from({ length: customers }, (_, index) =>
      this.#keepOrdering(KINDS[index % KINDS.length] ?? "cup"),
    );
  }

  /** No customer orders any more; resolves once all have their coffee, or gave up. */
  async goHome(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visits);
  }

  async #keepOrdering(kind: Kind): Promise<void> {
    const next = takingTurns(this.#scene);
    const client = createClient({
      url: ANY_REPLICA,
      fetch: (url, init) => fetch(next().customers + pathFor(kind, url.slice(ANY_REPLICA.length)), init),
      onRetry: () => (this.retries += 1),
    });
    while (!this.#isOver) {
      const key = crypto.randomUUID();
      this.#scene.ledger.visits.set(key, []);
      const later = kind === "later" ? { not_before: new Date(Date.now() + LATER_MS).toISOString() } : undefined;
      const draft = { item: "latte", note: key, ...later };
      await this.#visit(client, key, draft);
      // A customer who did not look at their answer: it must be the same.
      await this.#visit(client, key, draft);
    }
  }

  async #visit(client: Client, key: string, draft: Draft): Promise<void> {
    const { visits, faults } = this.#scene.ledger;
    try {
      const order = await bounded(this.#scene, (signal) => client.order(draft, { idempotencyKey: key, signal }));
      visits.get(key)?.push(readWireOrder(JSON.parse(unmark(JSON.stringify(order)))));
    } catch (error) {
      faults.push(`key ${key}: ${String(error)}`);
    }
  }
}

/** Who calls sends a queue of machines what others send the counter. */
function pathFor(kind: Kind, path: string): string {
  return kind === "call" ? path.replace(/^\/order\/?$/, `/queue/${WORK_QUEUE}/`) : path;
}

/** What a barista's request came to: undefined is a refusal, which was noted. */
type Heard = Answer | undefined;

interface Barista {
  readonly name: string;
  readonly queue: string;
}

interface StaffOptions {
  readonly baristas: number;
  /** How long an order is brewing, at most. */
  readonly brewMs: number;
}

export class KilledStaff {
  /** Requests that were lost, or refused for now. */
  retries = 0;
  /** Orders made so far. */
  finished = 0;
  readonly #scene: Scene;
  readonly #brewMs: number;
  readonly #shifts: Promise<void>[];
  #isOver = false;

  constructor(scene: Scene, { baristas, brewMs }: StaffOptions) {
    this.#scene = scene;
    this.#brewMs = brewMs;
    this.#shifts = Array.from({ length: baristas }, (_, index) =>
      this.#work(`barista-${index}`, index % 3 === 1 ? WORK_QUEUE : DEFAULT_QUEUE),
    );
  }

  /** Resolves once all have finished what they had. */
  async goHome(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#shifts);
  }

  async #work(name: string, queue: string): Promise<void> {
    const barista = { name, queue };
    const next = takingTurns(this.#scene);
    let claim = crypto.randomUUID();
    let held: WireOrder | undefined;
    while (held || !this.#isOver) {
      held ??= await this.#start(next, barista, claim);
      if (!held) continue;
      claim = crypto.randomUUID();
      await Bun.sleep(Math.random() * this.#brewMs);
      held = await this.#finish(next, held.order_id, { barista, claim });
    }
  }

  async #start(next: () => Ports, { name, queue }: Barista, claim: string): Promise<WireOrder | undefined> {
    const headers = { "Idempotency-Key": claim };
    const answer = await this.#insist(`start by ${name}`, [200, 404], (signal) =>
      ask(`${next().baristas}/start/?wait=1&barista=${name}&queue=${queue}`, { headers, signal }),
    );
    return answer?.status === 200 ? this.#noteStart(expectOrder(answer), { barista: name, claim }) : undefined;
  }

  /** Finishes an order, and resolves to the one that came with that: one finish in three asks for it. */
  async #finish(
    next: () => Ports,
    id: string,
    { barista: { name: barista, queue }, claim }: { barista: Barista; claim: string },
  ): Promise<WireOrder | undefined> {
    const { finishes } = this.#scene.ledger;
    const n = finishes.size;
    const finish = { made: { by: barista, n }, answers: [] as WireOrder[] };
    finishes.set(id, finish);
    const withNext = n % 3 === 0 && !this.#isOver;
    const query = `barista=${barista}${withNext ? `&next=1&queue=${queue}` : ""}`;
    const headers: Record<string, string> = withNext ? { "Idempotency-Key": claim } : {};
    const answer = await this.#insist(`finish of ${id} by ${barista}`, [200], (signal) =>
      applyVerb(next(), "finish", id, query, { json: finish.made, headers, signal }),
    );
    if (!answer) return undefined;
    this.finished += 1;
    if (!withNext) {
      finish.answers.push(expectOrder(answer));
      return undefined;
    }
    const { finished, started } = answer.body as { finished: unknown; started: unknown };
    finish.answers.push(readWireOrder(finished));
    return started === null ? undefined : this.#noteStart(readWireOrder(started), { barista, claim });
  }

  #noteStart(order: WireOrder, start: { barista: string; claim: string }): WireOrder {
    this.#scene.ledger.noteStart(order.order_id, start);
    return order;
  }

  /** Asks until there is an answer that counts. One that is none of `expected` is a fault. */
  async #insist(
    what: string,
    expected: readonly number[],
    asking: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Heard> {
    const { faults } = this.#scene.ledger;
    return await bounded(this.#scene, async (signal) => {
      for (;;) {
        const answer = await asking(signal).catch(() => undefined);
        if (answer && expected.includes(answer.status)) return answer;
        if (signal.aborted || (answer && !PASSING.includes(answer.status))) {
          faults.push(`${what}: ${answer ? `${answer.status} ${answer.text.slice(0, 200)}` : String(signal.reason)}`);
          return undefined;
        }
        this.retries += 1;
        await Bun.sleep(PAUSE_MS);
      }
    });
  }
}
