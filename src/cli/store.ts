/**
 * Owns how commands reach the store, Redis, without a server.
 *
 * **Invariants**
 * - Every wait for Redis is bounded, and no connection outlives the command.
 * - No part of the URL but its host and port is ever printed.
 */
import { Option } from "@commander-js/extra-typings";
import type { Redis } from "ioredis";
import { isOrder } from "../client/orders.ts";
import type { Order } from "../client/index.ts";
import { createQueries } from "../orders/queries.ts";
import { readRedisUrl } from "../redis-url.ts";
import { connect } from "../redis/connect.ts";
import { keysOf } from "../redis/keys.ts";
import { scriptRunner } from "../redis/script-runner.ts";
import { CommandFailed, WrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

const ANSWER_WITHIN_MS = 5000;
/** One that refuses may be starting: for so long it is asked again. */
const START_WITHIN_MS = 2000;

export const shopOption = () => new Option("--shop <name>", "the shop's name in Redis").env("SHOP").default("main");

export interface Store {
  readonly url: string;
  readonly shop: string;
}

/** The URL that was given, or that of the environment. Throws WrongUsage where it can't be read. */
export function storeUrl(given: string | true | undefined, { environment }: Terminal): string {
  const url = typeof given === "string" ? given : environment["REDIS_URL"];
  if (!url) throw new WrongUsage("--redis, or REDIS_URL, has to say where Redis is: redis://user:password@host:port");
  const read = readRedisUrl(url);
  if (read.kind === "fault") throw new WrongUsage(`--redis, or REDIS_URL, ${read.fault}`);
  return url;
}

/** Opens the store for as long as `use` takes. */
export async function withStore<Value>(
  { url, shop }: Store,
  use: (redis: Redis, prefix: string) => Promise<Value>,
): Promise<Value> {
  const redis = connect({ url }, { connectionName: `longpour:${shop}:cli`, commandTimeout: ANSWER_WITHIN_MS });
  try {
    await ready(redis, url);
    return await use(redis, keysOf(shop).prefix);
  } finally {
    redis.disconnect();
  }
}

async function ready(redis: Redis, url: string): Promise<void> {
  let met = "no answer";
  const { promise, resolve } = Promise.withResolvers<void>();
  const beganMs = performance.now();
  redis.on("error", (error: Error) => {
    met = error.message;
    if (performance.now() - beganMs > START_WITHIN_MS) resolve();
  });
  redis.once("ready", resolve);
  const timer = setTimeout(resolve, ANSWER_WITHIN_MS);
  await promise;
  clearTimeout(timer);
  if (redis.status === "ready") return;
  const read = readRedisUrl(url);
  const where = read.kind === "server" ? `${read.server.host}:${read.server.port}` : "the address given";
  throw new CommandFailed(`Redis can't be reached at ${where} (${met}): --redis, or REDIS_URL, names another`);
}

/** Reads an order as a server does. Throws CommandFailed where there is none. */
export async function findInStore(orderId: string, store: Store): Promise<Order> {
  const found = await withStore(store, (redis, prefix) => createQueries(scriptRunner(redis, prefix)).find(orderId));
  if (found.kind === "unknown")
    throw new CommandFailed(`no order ${orderId} in shop ${store.shop}, or it is no longer kept`);
  if (found.kind === "damaged")
    throw new CommandFailed("the order's record is damaged: GET /damaged shows it to staff");
  const order: unknown = JSON.parse(found.order);
  if (!isOrder(order)) throw new CommandFailed("the store holds something else under this id");
  return order;
}

/** Appends them to a stream, and resolves to the ids of the entries once Redis has confirmed all. */
export async function appendDemands(redis: Redis, stream: string, demands: readonly object[]): Promise<string[]> {
  try {
    const appended = demands.map((demand) => redis.xadd(stream, "*", "demand", JSON.stringify(demand)));
    return (await Promise.all(appended)).map(String);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailed(`Redis did not take every demand (${why}): what was printed it has`);
  }
}
