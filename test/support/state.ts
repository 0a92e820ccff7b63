/**
 * Owns the whole state of one shop in Redis, as tests compare it: a flat object of short lines, one a key or field.
 *
 * **Invariants**
 * - What differs from run to run (times, stream ids, made-up ids) is normalised, everything else is shown.
 */
import type { Redis } from "ioredis";
import { readEntry } from "../../src/events/event.ts";
import { loadScript } from "../../src/redis/script.ts";
import { scriptRunner } from "../../src/redis/script-runner.ts";

const find = loadScript("find-orders");
const findPayments = loadScript("find-payments");

/** Key without the shop's prefix, or `<key>.<field>`, to its content. */
export type State = Readonly<Record<string, string>>;

/** Reads every key of the shop: its type, its content, whether it has a TTL; of a queue also who was given what. */
export async function readState(redis: Redis, prefix: string): Promise<State> {
  const state: Record<string, string> = {};
  for (const key of await keysUnder(redis, prefix)) {
    // What a server remembers of its own runs, and what counts events.
    if (/:(?:run:|events:)/.test(key.slice(prefix.length - 1))) continue;
    const type = await redis.type(key);
    const kind = (await redis.pttl(key)) > 0 ? `${type} with TTL` : type;
    const name = key
      .slice(prefix.length)
      .replace(/^numbers:\d{4}-\d\d-\d\d$/, "numbers:date")
      .replace(/^spent:\d+$/, "spent:now");
    if (name.startsWith("order:") && type === "string")
      Object.assign(state, { [name]: kind.replace("string", "order") }, await readOrder(redis, key, name));
    else if (name.startsWith("payment:") && type === "string")
      Object.assign(state, { [name]: kind.replace("string", "payment") }, await readPayment(redis, key, name));
    else if (name === "claims") state[name] = `${kind}: ${await readClaims(redis, key)}`;
    else if (type === "hash") Object.assign(state, { [name]: kind }, await readHash(redis, key, name));
    else if (name === "events") Object.assign(state, await readEvents(redis, prefix));
    else if (name.startsWith("bell:")) state[name] = `${kind}: ${await readBell(redis, prefix, name.slice(5))}`;
    else if (type === "stream") Object.assign(state, await readQueue(redis, key, name));
    else if (type !== "none") state[name] = `${kind}: ${(await readPlain(redis, key, type)).join(", ")}`;
  }
  return state;
}

/** What `act` changes in the shop: each line that differs, as `before → after`. */
export async function changesBy(redis: Redis, prefix: string, act: () => Promise<unknown>): Promise<State> {
  const before = await readState(redis, prefix);
  await act();
  const after = await readState(redis, prefix);
  const lines = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (line) => before[line] !== after[line],
  );
  return Object.fromEntries(lines.map((line) => [line, `${before[line] ?? "nothing"} → ${after[line] ?? "nothing"}`]));
}

async function keysUnder(redis: Redis, prefix: string): Promise<string[]> {
  const keys = new Set<string>();
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", `${prefix}*`, "COUNT", 10_000);
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...keys].toSorted();
}

async function readClaims(redis: Redis, key: string): Promise<string> {
  const claims = Object.entries(await redis.hgetall(key)).map(([claim, id]) => `${normalise(claim)} for ${id}`);
  return claims.toSorted().join(", ");
}

async function readHash(redis: Redis, key: string, name: string): Promise<State> {
  const fields = await redis.hgetall(key);
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [`${name}.${field}`, normalise(value)]));
}

/** The format that this version writes. */
const FORMAT = "2";

/** The lines of an order's record, as `redis/lib/order.lua` names them. */
export const LINES = [
  "format",
  "status",
  "reason",
  "attempts",
  "expiries",
  "queue",
  "queue_number",
  "holder",
  "barista",
  "started_at",
  "finished_at",
  "claim",
  "idempotency_key",
  "customer",
  "code",
  "choice",
  "due",
  "failure",
  "result",
  "input",
  "progress",
  "fixed",
] as const;
export type OrderRecord = Readonly<Record<(typeof LINES)[number], string>>;

/** Reads a stored order. Throws for what is none. */
export function parseRecord(record: string): OrderRecord {
  const lines = upgrade(record).split("\n");
  if (lines.length !== LINES.length || lines[0] !== FORMAT) throw new Error(`no record of an order: ${record}`);
  return Object.fromEntries(LINES.map((name, index) => [name, lines[index]])) as OrderRecord;
}

/** A record of the format before had two lines less. */
function upgrade(record: string): string {
  if (!record.startsWith("1\n")) return record;
  const at = record.lastIndexOf("\n") + 1;
  return `${FORMAT}${record.slice(1, at)}\n\n${record.slice(at)}`;
}

/** A stored order, line by line; what is empty is left out. */
async function readOrder(redis: Redis, key: string, name: string): Promise<State> {
  const stored = upgrade((await redis.get(key)) ?? "");
  if (!stored.startsWith(`${FORMAT}\n`)) return { [name]: `damaged: ${stored}` };
  const { format: _format, fixed, ...record } = parseRecord(stored);
  const fields = { ...record, ...readFixed(fixed) };
  const lines = Object.entries(fields)
    .filter(([field, value]) => value !== "" && !(field === "expiries" && value === "0"))
    .map(([field, value]) => [
      `${name}.${field}`,
      field === "holder" && value !== "*" ? "a replica" : normalise(value),
    ]);
  if (record.queue_number !== "") {
    const queue = `${key.slice(0, key.indexOf("order:"))}queue:${record.queue}`;
    const there = await redis.xrange(queue, `${record.queue_number}-0`, `${record.queue_number}-0`);
    const isThere = there[0]?.[1][1] === key.slice(key.indexOf("order:") + 6);
    lines.push([`${name}.entry`, isThere ? "in the queue" : "not in the queue"]);
  }
  return Object.fromEntries(lines) as State;
}

/** A stored payment, member by member. */
async function readPayment(redis: Redis, key: string, name: string): Promise<State> {
  const stored = (await redis.get(key)) ?? "";
  if (!stored.startsWith("{")) return { [name]: `damaged: ${stored}` };
  const members = Object.entries(JSON.parse(stored) as Record<string, unknown>);
  return Object.fromEntries(members.map(([member, value]) => [`${name}.${member}`, normalise(String(value))]));
}

/** What never changes of an order, member by member; what its customer said of it as one. */
function readFixed(fixed: string): Record<string, string> {
  const { number, item, price, placed_at, ...details } = JSON.parse(`{${fixed}}`) as Record<string, unknown>;
  const members = Object.entries({ number, item, price, placed_at }).filter(([, value]) => value !== undefined);
  const said = Object.keys(details).length > 0 ? { details: JSON.stringify(details) } : undefined;
  return { ...Object.fromEntries(members.map(([name, value]) => [name, String(value)])), ...said };
}

/**
 * One line an event. Each shows an order as JSON, some a payment; the last event of either shows it as find does now,
 * without what only a look shows, and says so where it does not.
 */
async function readEvents(redis: Redis, prefix: string): Promise<State> {
  const lines: Record<string, string> = {};
  const seen = new Set<string>();
  const entries = await redis.xrange(`${prefix}events`, "-", "+");
  const events = entries.flatMap((entry) => readEntry(entry, "0-0"));
  for (const [index, { type, orderId: id, members }] of [...events.entries()].toReversed()) {
    if (id === "") {
      // The shop's own.
      lines[`events.${index + 1}`] = `${type} {${members}}`;
      continue;
    }
    const { payment, ...changed } = JSON.parse(`{${members}}`) as Record<string, unknown>;
    const order = seen.has(id) ? null : await findOrder(redis, prefix, id);
    const isOrders = order === null || Bun.deepEquals({ ...order, ...changed }, order);
    seen.add(id);
    const now = payment === undefined || seen.has(`payment of ${id}`) ? null : await findPayment(redis, prefix, id);
    const isPayments = now === null || Bun.deepEquals(payment, now);
    if (payment !== undefined) seen.add(`payment of ${id}`);
    const fault = isOrders ? ", but not as the payment is" : ", but not as the order is";
    lines[`events.${index + 1}`] = `${type} ${id}${isOrders && isPayments ? "" : fault}`;
  }
  return lines;
}

/** How often the bell rings: it brings nothing. */
async function readBell(redis: Redis, prefix: string, id: string): Promise<string> {
  const rings = await redis.lrange(`${prefix}bell:${id}`, 0, -1);
  return rings.map((ring) => (ring === "" ? '""' : `not empty but ${ring}`)).join(", ");
}

/** The order as find shows it; null where there is none, or it can't be read. */
async function findOrder(redis: Redis, prefix: string, id: string): Promise<Record<string, unknown> | null> {
  const line = (await scriptRunner(redis, prefix)(find, [id])) as string;
  const [outcome, , json = ""] = line.split("\t");
  return outcome === "found" ? (JSON.parse(json) as Record<string, unknown>) : null;
}

/** The payment as find shows it; null where there is none, or it can't be read. */
async function findPayment(redis: Redis, prefix: string, id: string): Promise<unknown> {
  const line = (await scriptRunner(redis, prefix)(findPayments, [id])) as string;
  const [outcome, json = ""] = line.split("\t");
  return outcome === "found" ? (JSON.parse(json) as unknown) : null;
}

async function readQueue(redis: Redis, key: string, name: string): Promise<State> {
  const entries = await redis.xrange(key, "-", "+");
  const state: Record<string, string> = { [name]: `stream: ${entries.map(([, [, id = ""]]) => id).join(", ")}` };
  const groups = (await redis.xinfo("GROUPS", key)) as unknown[];
  if (groups.length === 0) return state;
  const consumers = (await redis.xinfo("CONSUMERS", key, "baristas")) as [string, string][];
  state[`${name}.consumers`] = consumers.map(() => "a replica").join(", ");
  return state;
}

async function readPlain(redis: Redis, key: string, type: string): Promise<string[]> {
  if (type === "string") return [normalise((await redis.get(key)) ?? "")];
  if (type === "set") return (await redis.smembers(key)).map(normalise).toSorted();
  if (type === "list")
    return (await redis.lrange(key, 0, -1)).map((value) => (key.includes(":waits:") ? "a wait" : value));
  const scored = await redis.zrange(key, "0", "-1", "WITHSCORES");
  return scored.flatMap((member, at) => (at % 2 === 0 ? [`${member} ${normalise(scored[at + 1] ?? "")}`] : []));
}

/**
 * Times (13 digits, seconds, or RFC 3339, with milliseconds) and made-up ids lose their value, a queue number (day and
 * number: 14 digits) its day.
 */
function normalise(value: string): string {
  if (/^(\d{13}|\d{10}\.\d{3}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/.test(value)) return "time";
  if (/^\d{14}$/.test(value)) return `number ${Number(value) % 1e9}`;
  return value
    .replaceAll(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, "uuid")
    .replace(/ [\w-]{43}$/, " hash");
}
