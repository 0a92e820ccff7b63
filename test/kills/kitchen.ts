/**
 * Owns the processes of the kills of makers: Redis, two replicas with a machine each, the workers outside, and the ways
 * to the replicas.
 *
 * **Invariants**
 * - A way leads to the first replica that can be reached, as a load balancer does: half of them name B first.
 * - `await using` ends all but Redis.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { BadNetwork } from "../client/faults.ts";
import { lookAtQueue, untilHeld, type Ports } from "../support/http.ts";
import type { TestRedis } from "../support/redis.ts";
import { startServer, type Server } from "../support/server.ts";
import { soon } from "../support/until.ts";

const OUTSIDE = ["longpour work", "client's work()", "curl loop"] as const;
export const VICTIMS = ["replica A", "replica B", ...OUTSIDE, "Redis"] as const;
type Outside = (typeof OUTSIDE)[number];
export type Victim = (typeof VICTIMS)[number];

const QUEUE = "squares";
/** Long beside a making, so that only the dead lose their orders; short for those who wait for one of these. */
const RULES = "lease_seconds=4 max_attempts=1000 limit_capacity=1000000 limit_refill_per_second=1000000";
const WORKERS = join(import.meta.dir, "workers");
const LONGPOUR = join(import.meta.dir, "../../src/cli/longpour.ts");
const END_MS = 20_000;

type Environment = Readonly<Record<string, string>>;

/** Two ways to one of the replicas' ports. */
interface Ways {
  readonly lists: readonly [string[], string[]];
  readonly networks: readonly [BadNetwork, BadNetwork];
}

type WaysOfPorts = Readonly<Record<keyof Ports, Ways>>;

export class Kitchen implements AsyncDisposable {
  /** When processes were killed, by their ids. */
  readonly killed = new Map<number, number>();
  readonly #redis: TestRedis;
  readonly #environment: Environment;
  readonly #replicas: [Server, Server];
  readonly #ways: WaysOfPorts;
  readonly #outside = new Map<Outside, ChildProcess>();

  private constructor(redis: TestRedis, environment: Environment, replicas: [Server, Server], ways: WaysOfPorts) {
    this.#redis = redis;
    this.#environment = environment;
    this.#replicas = replicas;
    this.#ways = ways;
    this.#showWays();
    for (const worker of OUTSIDE) this.#employ(worker);
  }

  /** Opens everything; makings are noted in the file. */
  static async open(redis: TestRedis, makings: string): Promise<Kitchen> {
    const shop = { SHOP: `makers-${crypto.randomUUID()}`, REDIS_URL: redis.url, REQUESTS_PER_SECOND: "1000000" };
    const own = { QUEUES: `${QUEUE} ${RULES}`, MACHINES: join(WORKERS, "machine.ts"), MAKINGS: makings };
    const environment = { ...shop, ...own };
    const replicas = await Promise.all([startServer(environment), startServer(environment)]);
    const ways = { customers: await openWays(), baristas: await openWays() };
    return new Kitchen(redis, environment, replicas, ways);
  }

  /** Where customers call. */
  get streets(): readonly string[] {
    return this.#ways.customers.networks.map(({ url }) => url);
  }

  /** Resolves once the victim is started again; whether it works is seen by what it makes. */
  async killAndRestart(victim: Victim): Promise<void> {
    switch (victim) {
      case "Redis":
        await this.#redis.kill();
        return await this.#redis.resume();
      case "replica A":
      case "replica B": {
        const index = victim === "replica A" ? 0 : 1;
        this.#noteKill(this.#replicas[index].process.pid);
        await this.#replicas[index].stop("SIGKILL");
        this.#replicas[index] = await startServer(this.#environment);
        return this.#showWays();
      }
      case "longpour work":
      case "client's work()":
      case "curl loop":
        await this.#fire(victim, "SIGKILL");
        return this.#employ(victim);
    }
  }

  /** Has all go home in good order, and resolves to what is wrong with that, or left in the queue. */
  async end(): Promise<string[]> {
    await Promise.all(this.#replicas.map((replica) => untilHeld(replica, 0)));
    const exitCodes = await Promise.all(OUTSIDE.map((worker) => this.#fire(worker, "SIGTERM")));
    const wrong = exitCodes.flatMap((code, at) => (code === 0 ? [] : [`${OUTSIDE[at]} ended with ${code}`]));
    const { depth, brewing, damaged } = await lookAtQueue(this.#replicas[0], QUEUE);
    const left = Object.entries({ depth, brewing, damaged }).filter(([, count]) => count !== 0);
    return [...wrong, ...left.map(([name, count]) => `left in the queue: ${name} ${count}`)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#outside.keys()) await this.#fire(worker, "SIGKILL");
    for (const { networks } of Object.values(this.#ways)) {
      for (const network of networks) await network[Symbol.asyncDispose]();
    }
    await Promise.all(this.#replicas.map((replica) => replica.stop()));
  }

  #showWays(): void {
    for (const port of ["customers", "baristas"] as const) {
      const [a, b] = [this.#replicas[0][port], this.#replicas[1][port]];
      const [forth, back] = this.#ways[port].lists;
      forth.splice(0, 2, a, b);
      back.splice(0, 2, b, a);
    }
  }

  #employ(worker: Outside): void {
    const [forth, back] = this.#ways.baristas.networks;
    const commands: Readonly<Record<Outside, readonly [string, ...string[]]>> = {
      "longpour work": [
        process.execPath,
        LONGPOUR,
        "work",
        QUEUE,
        "--staff-url",
        back.url,
        "--drain",
        "10s",
        "--",
        join(WORKERS, "program.sh"),
      ],
      "client's work()": [process.execPath, join(WORKERS, "client.ts"), forth.url],
      "curl loop": [join(WORKERS, "curl-loop.sh"), back.url],
    };
    const [program, ...args] = commands[worker];
    const { MAKINGS = "" } = this.#environment;
    const env = { PATH: process.env["PATH"], MAKINGS };
    // The loop is a group of processes: itself, and the curl that it waits for.
    this.#outside.set(worker, spawn(program, args, { env, stdio: "ignore", detached: worker === "curl loop" }));
  }

  /** Ends a worker, and resolves to its exit code: null where a signal ended it. */
  async #fire(worker: Outside, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#outside.get(worker);
    this.#outside.delete(worker);
    if (child?.pid === undefined) throw new Error(`${worker} does not run`);
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    if (signal === "SIGKILL") this.#noteKill(child.pid);
    process.kill(worker === "curl loop" && signal === "SIGKILL" ? -child.pid : child.pid, signal);
    return child.exitCode ?? (await soon(ended, `${worker} ends`, END_MS));
  }

  #noteKill(pid: number): void {
    this.killed.set(pid, Date.now());
  }
}

async function openWays(): Promise<Ways> {
  const lists = [[], []] as [string[], string[]];
  return { lists, networks: [await BadNetwork.open(lists[0]), await BadNetwork.open(lists[1])] };
}
