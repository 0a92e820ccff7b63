/**
 * Owns the connections to Redis of one server: one for commands, one that listens for wakes, and the lanes' blocking
 * ones.
 *
 * **Invariants**
 * - Every command ends within a bound.
 * - All connections lead to the server that takes writes: after a demotion, each is opened anew.
 */
import type { Redis, RedisOptions } from "ioredis";
import { StartError } from "../lifecycle.ts";
import type { Log } from "../log.ts";
import { checkRedis, findDenied } from "./check.ts";
import { connect, type RedisAddress } from "./connect.ts";
import { isDemoted } from "./errors.ts";
import { keysOf, type Keys } from "./keys.ts";
import { Outage } from "./outage.ts";
import { RetryingRunner } from "./retrying-runner.ts";
import type { RunScript } from "./script.ts";
import { within } from "../within.ts";
import { scriptProbe, scriptRunner } from "./script-runner.ts";

const READY_MS = 1000;

export interface ShopRedis {
  readonly keys: Keys;
  /**
   * Runs a script, and waits while Redis is unavailable. Rejects with RedisUnavailableError when that takes too long.
   */
  readonly run: RunScript;
  /** Runs a task once Redis answers (again). It is dropped when the server stops, or when too many wait already. */
  readonly runWhenReconnected: (task: () => Promise<unknown>, isVital?: boolean) => void;
  /** The outages of Redis, as this server knew them. */
  readonly outage: Pick<Outage, "isOn" | "count" | "seconds">;
  /** A connection of its own for blocking reads of at most `maxBlockSeconds`. The caller closes it. */
  openBlocking(name: string, maxBlockSeconds: number): Redis;
  /** Ends blocked reads of another connection of ours; false when it was not blocked (yet). */
  unblock(clientId: number): Promise<boolean>;
  /** Calls `heard` for every message on the channel, and with null whenever some may have been missed until now. */
  listen(channel: string, heard: (message: string | null) => void): void;
  /** Whether Redis answers within a second, and took the last call that the server made anyway. */
  isReady(): Promise<boolean>;
  close(): void;
}

export interface RedisSettings {
  readonly address: RedisAddress;
  readonly shop: string;
  /** How long a command waits for a Redis that is unavailable. */
  readonly outageSeconds: number;
  readonly log: Log;
}

/** Opens the shop on its Redis. Throws a StartError when that can't serve it (check.ts). */
export async function openRedis({ address, shop, outageSeconds, log }: RedisSettings): Promise<ShopRedis> {
  const keys = keysOf(shop);
  await checkRedis({ address, keys, seconds: outageSeconds });
  const outageMs = outageSeconds * 1000;
  const line = await Line.open({ address, shop, outageMs });
  const { commands } = line;
  const listener = line.openOther("wakes", { autoResubscribe: false });
  const outage = new Outage(log);
  const runner = new RetryingRunner({
    redis: commands,
    outageMs,
    outage,
    probe: scriptProbe(commands, keys.prefix),
    hasRights: async () => (await findDenied(commands, keys)).length === 0,
    served: () => line.followMaster(),
  });
  const runOnce = scriptRunner(commands, keys.prefix);

  return {
    keys,
    outage,
    run: (script, args) => runner.run(script.name, () => runOnce(script, args)),
    runWhenReconnected: (task, isVital) => runner.runWhenReconnected(task, isVital),
    openBlocking: (name, maxBlockSeconds) =>
      line.openOther(name, {
        blockingTimeout: (maxBlockSeconds + 5) * 1000,
        // Redis counts its bound from when the block reaches it: a block given up before would pop bells that none
        // hears.
        blockingTimeoutGrace: 5000,
        socketTimeout: (maxBlockSeconds + 5) * 1000,
      }),
    unblock: async (clientId) => (await commands.client("UNBLOCK", clientId)) === 1,
    listen: (channel, heard) => listen(listener, channel, heard),
    isReady: async () => runner.isServing && !outage.hasDenials && (await answersWithin(commands, READY_MS)),
    close: () => {
      runner.close();
      listener.disconnect();
      commands.disconnect();
    },
  };
}

interface LineOptions {
  readonly address: RedisAddress;
  readonly shop: string;
  readonly outageMs: number;
}

/** The connections: the one for commands, which notices when the server is demoted, and all others. */
class Line {
  readonly commands: Redis;
  readonly #options: LineOptions;
  readonly #others = new Set<Redis>();
  #wasDemoted = false;

  private constructor(options: LineOptions) {
    this.#options = options;
    this.commands = this.#connect("commands", {
      commandTimeout: options.outageMs,
      // A connection that is open and silent is given up as well.
      socketTimeout: options.outageMs,
      reconnectOnError: (error) => {
        this.#wasDemoted ||= isDemoted(error);
        return isDemoted(error);
      },
    });
  }

  /** Throws a StartError when Redis has become unavailable since it was checked. */
  static async open(options: LineOptions): Promise<Line> {
    const line = new Line(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, options.outageMs);
    line.commands.once("ready", resolve);
    await promise;
    clearTimeout(timer);
    if (line.commands.status === "ready") return line;
    line.commands.disconnect();
    throw new StartError("Redis can't be reached any more. Check REDIS_URL");
  }

  openOther(name: string, own: RedisOptions): Redis {
    const other = this.#connect(name, own);
    this.#others.add(other);
    other.once("end", () => this.#others.delete(other));
    return other;
  }

  /** Opens the others anew where they may still lead to a server that was demoted. */
  followMaster(): void {
    if (!this.#wasDemoted) return;
    this.#wasDemoted = false;
    for (const other of this.#others) other.disconnect(true);
  }

  #connect(name: string, own: RedisOptions): Redis {
    const { address, shop } = this.#options;
    return connect(address, { connectionName: `longpour:${shop}:${name}`, ...own });
  }
}

function listen(listener: Redis, channel: string, heard: (message: string | null) => void): void {
  listener.on("message", (_channel: string, message: string) => heard(message));
  const subscribe = async (): Promise<void> => {
    try {
      await listener.subscribe(channel);
      heard(null);
    } catch {
      // The connection is lost again: the next one subscribes.
    }
  };
  listener.on("ready", () => void subscribe());
  if (listener.status === "ready") void subscribe();
}

async function answersWithin(redis: Redis, ms: number): Promise<boolean> {
  const answered = redis.ping().then(
    () => true,
    () => false,
  );
  return (await within(ms, answered)) ?? false;
}
