/**
 * Owns how the protocol tests speak HTTP, and what they expect of every answer.
 *
 * **Invariants**
 * - Nothing is followed or tried again behind a test's back.
 * - An order or a problem that breaks the wire format fails the test that got it.
 *
 * It is node:http because fetch bounds how many requests run at once, and can't choose the local address.
 */
import { expect } from "bun:test";
import { Agent, request, type IncomingHttpHeaders } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { until } from "./until.ts";
import { markUrl, markWords, unmark } from "./words.ts";

/** Base URLs of a server's two ports, without a last slash. */
export interface Ports {
  readonly customers: string;
  readonly baristas: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed JSON; undefined when it was none. */
  readonly body: unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, with its content type. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
  /** The address of this machine to ask from. */
  readonly localAddress?: string;
  /** Aborting hangs up. */
  readonly signal?: AbortSignal;
}

const agent = new Agent({ maxSockets: Infinity, keepAlive: false });

/** One request on a socket of its own, its words marked, and its whole answer. Rejects when the connection is lost. */
export function ask(url: string, { method = "GET", headers, json, body, ...rest }: Asking = {}): Promise<Answer> {
  const content = json === undefined ? body : JSON.stringify(markWords(json));
  const type = json === undefined ? undefined : { "Content-Type": "application/json" };
  const length = content === undefined ? undefined : { "Content-Length": String(Buffer.byteLength(content)) };
  return new Promise((resolve, reject) => {
    const options = { method, agent, headers: { ...type, ...length, ...headers }, ...rest };
    const sent = request(markUrl(url), options, (response) => {
      const read = async (): Promise<Answer> => {
        const got = unmark(await text(response));
        return { status: response.statusCode ?? 0, headers: response.headers, text: got, body: parseJson(got) };
      };
      read().then(resolve, reject);
    });
    sent.on("error", reject);
    sent.end(content);
  });
}

function parseJson(got: string): unknown {
  try {
    return JSON.parse(got);
  } catch {
    return undefined;
  }
}

/** An order as the design spells it on the wire. */
export interface WireOrder {
  readonly order_id: string;
  /** None while it is reserved, nor when it was cancelled then; nor is there an item. */
  readonly number: number;
  /** Of machines: then there is an input, and no item. */
  readonly queue?: string;
  readonly input?: unknown;
  readonly status: "reserved" | "unpaid" | "scheduled" | "queued" | "brewing" | "ready" | "cancelled";
  readonly reason?: string;
  readonly item: string;
  readonly price?: number;
  readonly payment_kind?: string;
  readonly modifiers?: Readonly<Record<string, string>>;
  readonly note?: string;
  readonly customer_id?: string;
  readonly customer_name?: string;
  readonly barista?: string;
  readonly attempts: number;
  readonly not_before?: string;
  readonly traceparent?: string;
  readonly callback_url?: string;
  readonly retry_of?: string;
  readonly retried_by?: string;
  readonly placed_at: string;
  readonly started_at?: string;
  readonly finished_at?: string;
  readonly progress?: { readonly percent?: number; readonly message?: string };
  readonly result?: unknown;
  readonly error?: string;
  readonly position?: number;
  readonly eta_seconds?: number;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

/** Every field that an order may have, and whether a value is right for it. */
const FIELDS: Readonly<Record<keyof WireOrder, (value: unknown) => boolean>> = {
  order_id: (value) => UUID_V7.test(String(value)),
  number: (value) => Number.isInteger(value) && Number(value) >= 1,
  queue: (value) => /^[\w-]{1,64}$/.test(String(value)),
  input: () => true,
  status: (value) =>
    ["reserved", "unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"].includes(String(value)),
  reason: (value) => typeof value === "string",
  item: (value) => typeof value === "string",
  price: (value) => Number.isInteger(value) && Number(value) >= 0,
  payment_kind: (value) => value === "counter" || value === "card",
  modifiers: (value) => Object.values(Object(value) as object).every((option) => typeof option === "string"),
  note: (value) => typeof value === "string",
  customer_id: (value) => typeof value === "string",
  customer_name: (value) => typeof value === "string",
  barista: (value) => typeof value === "string",
  attempts: (value) => Number.isInteger(value) && Number(value) >= 0,
  not_before: (value) => TIME.test(String(value)),
  traceparent: (value) => /^00-[\da-f]{32}-[\da-f]{16}-01$/.test(String(value)),
  callback_url: (value) => URL.canParse(String(value)),
  retry_of: (value) => UUID_V7.test(String(value)),
  retried_by: (value) => typeof value === "string",
  placed_at: (value) => TIME.test(String(value)),
  started_at: (value) => TIME.test(String(value)),
  finished_at: (value) => TIME.test(String(value)),
  progress: (value) => Object.keys(Object(value) as object).every((name) => ["percent", "message"].includes(name)),
  result: () => true,
  error: (value) => typeof value === "string" && value !== "",
  position: (value) => Number.isInteger(value) && Number(value) >= 1,
  eta_seconds: (value) => Number.isInteger(value) && Number(value) >= 0,
};
const ALWAYS = ["order_id", "status", "attempts", "placed_at"] as const;
/** What is known once a drink was chosen; and of a call. */
const CHOSEN = ["number", "item", "price"] as const;
const CALLED = ["number", "queue"] as const;

/**
 * The fields that only some states have, by state; `note` and what the customer said of themselves may stand in any.
 */
const ONLY_IN: Readonly<Partial<Record<keyof WireOrder, readonly string[]>>> = {
  number: ["unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"],
  item: ["unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"],
  price: ["unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"],
  payment_kind: ["unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"],
  modifiers: ["unpaid", "scheduled", "queued", "brewing", "ready", "cancelled"],
  reason: ["cancelled"],
  finished_at: ["ready", "cancelled"],
  progress: ["brewing"],
  result: ["ready"],
  error: ["queued", "brewing", "cancelled"],
  position: ["queued"],
  eta_seconds: ["queued"],
};
const NEEDED_IN: Readonly<Record<WireOrder["status"], readonly (keyof WireOrder)[]>> = {
  reserved: [],
  unpaid: ["number", "payment_kind"],
  scheduled: ["number", "not_before"],
  queued: ["number"],
  brewing: ["number", "barista", "started_at"],
  ready: ["number", "barista", "started_at", "finished_at"],
  cancelled: ["reason", "finished_at"],
};

/** Reads an order, as strictly as the design spells it. */
export function readWireOrder(value: unknown): WireOrder {
  const read = value as WireOrder;
  expect(read).toBeObject();
  for (const [name, field] of Object.entries(read)) {
    const isRight = (FIELDS as Record<string, ((value: unknown) => boolean) | undefined>)[name];
    if (!isRight?.(field))
      throw new Error(`${name} is no field of an order, or not with the value ${JSON.stringify(field)}`);
    const states = ONLY_IN[name as keyof WireOrder];
    if (states && !states.includes(read.status)) throw new Error(`a ${read.status} order has no ${name}`);
  }
  for (const name of [...ALWAYS, ...NEEDED_IN[read.status]]) {
    if (!(name in read)) throw new Error(`a ${read.status} order has a ${name}`);
  }
  // One that was cancelled before a drink was chosen has none of these. (Events show no input.)
  const wanted = "queue" in read ? CALLED : CHOSEN;
  const isHalf = new Set(wanted.map((name) => name in read)).size > 1;
  if (isHalf || ("queue" in read ? "item" in read : "input" in read)) {
    throw new Error(`half a choice: ${JSON.stringify(read)}`);
  }
  return read;
}

/** Expects a status; where it is another, the failure shows what was said. */
export function expectStatus(answer: Answer, status: number): void {
  if (answer.status !== status) throw new Error(`not ${status} but ${answer.status}: ${answer.text.slice(0, 500)}`);
}

/** Expects an order under that status, with these fields among others. */
export function expectOrder(answer: Answer, fields: Partial<WireOrder> = {}, status = 200): WireOrder {
  expectStatus(answer, status);
  expect(answer.headers["content-type"]).toBe("application/json");
  expect(answer.headers["cache-control"]).toBe("no-store");
  const read = readWireOrder(answer.body);
  expect(read).toMatchObject(fields);
  return read;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
  readonly order_status?: string;
}

/** Expects a problem (RFC 9457) of that status; with `field`, one that names it. */
export function expectProblem(answer: Answer, status: number, field?: string): Problem {
  expectStatus(answer, status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  const problem = answer.body as Problem;
  expect(problem.type).toMatch(/^urn:longpour:problem:[a-z_]+$/);
  expect(problem.status).toBe(status);
  expect(problem.title.length).toBeGreaterThan(0);
  expect(problem.detail.length).toBeGreaterThan(0);
  // Nothing internal: no paths of this machine, no stack, no commands of Redis.
  expect(answer.text).not.toMatch(/\.ts\b|\.lua\b|\bat \/|node_modules|redis\.call|EVALSHA/);
  if (field !== undefined) {
    expect(problem.errors?.map((fault) => fault.field)).toContain(field);
    expect(problem.detail).toContain(field);
  }
  return problem;
}

/** POST /order/, held. */
export function order({ customers }: Pick<Ports, "customers">, draft?: object, asking: Asking = {}): Promise<Answer> {
  return ask(`${customers}/order/`, { method: "POST", ...(draft ? { json: draft } : undefined), ...asking });
}

/** Queues an order without waiting for it. */
export async function place(ports: Pick<Ports, "customers">, draft?: object, asking: Asking = {}): Promise<WireOrder> {
  const headers = { Prefer: "respond-async", ...asking.headers };
  return expectOrder(await order(ports, draft, { ...asking, headers }), {}, 202);
}

/** Starts the oldest order; `query` such as `barista=Grace&wait=5`. */
export async function start({ baristas }: Pick<Ports, "baristas">, query = "wait=10"): Promise<WireOrder> {
  return expectOrder(await ask(`${baristas}/start/?${query}`), { status: "brewing" });
}

/** One of the baristas' verbs on an order; `query` such as `barista=Grace`. */
export function applyVerb(
  { baristas }: Pick<Ports, "baristas">,
  verb: "finish" | "fail" | "release" | "extend" | "cancel",
  orderId: string,
  query = "",
  asking: Asking = {},
): Promise<Answer> {
  return ask(`${baristas}/${verb}/?order_id=${orderId}${query && `&${query}`}`, { method: "POST", ...asking });
}

/** Starts and finishes the oldest order. */
export async function brew(ports: Pick<Ports, "baristas">, query?: string): Promise<WireOrder> {
  const { order_id } = await start(ports, query);
  return expectOrder(await applyVerb(ports, "finish", order_id), { order_id, status: "ready" });
}

export function cancelByCustomer({ customers }: Pick<Ports, "customers">, orderId: string): Promise<Answer> {
  return ask(`${customers}/order/${orderId}`, { method: "PATCH", json: { status: "cancelled" } });
}

export interface QueueView {
  readonly queue: string;
  readonly depth: number;
  readonly brewing: number;
  readonly oldest_waiting_seconds: number | null;
  readonly held: number;
  readonly damaged: number;
  readonly lease_seconds: number;
}

export async function lookAtQueue({ baristas }: Pick<Ports, "baristas">, queue?: string): Promise<QueueView> {
  const answer = await ask(`${baristas}/queue${queue === undefined ? "" : `?queue=${queue}`}`);
  expectStatus(answer, 200);
  return answer.body as QueueView;
}

/** Resolves once this server holds so many customers. */
export function untilHeld(ports: Pick<Ports, "baristas">, held: number): Promise<void> {
  return until(async () => (await lookAtQueue(ports)).held === held, `${held} customers are held`, 20_000);
}

/** Bytes on a socket, for what no HTTP library would send. */
export interface Wire {
  readonly socket: Socket;
  /** All that came so far. */
  readonly got: () => string;
  /** Resolves once the server has closed its side, to all that came. */
  readonly closed: Promise<string>;
}

export function openWire(url: string, bytes = ""): Wire {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const ended = Promise.withResolvers<string>();
  let got = "";
  socket.on("data", (chunk: Buffer) => (got += chunk.toString()));
  socket.on("error", () => {});
  socket.on("close", () => ended.resolve(got));
  if (bytes) socket.write(bytes);
  return { socket, got: () => got, closed: ended.promise };
}

/** Sends bytes and resolves to the answer's head and body so far, once `enough` says so or the server closed. */
export async function exchange(
  url: string,
  bytes: string,
  enough: (got: string) => boolean = isAnswered,
): Promise<string> {
  const wire = openWire(url, bytes);
  try {
    let isClosed = false;
    void wire.closed.then(() => (isClosed = true));
    await until(() => isClosed || enough(wire.got()), `an answer to ${JSON.stringify(bytes.slice(0, 80))}`);
    return wire.got();
  } finally {
    wire.socket.destroy();
  }
}

function isAnswered(got: string): boolean {
  const end = got.indexOf("\r\n\r\n");
  const length = /\r\ncontent-length: (\d+)/i.exec(got)?.[1];
  return end >= 0 && length !== undefined && got.length - end - 4 >= Number(length);
}
