/**
 * Owns the requests that the load sends, and what it reads of the answers: the same for every contender.
 *
 * **Invariants**
 * - A customer's note is theirs alone, so that somebody else's order is seen at once.
 */
import type { Endpoint } from "./connection.ts";

/** What of an order the load looks at. */
export interface WireOrder {
  readonly order_id: string;
  readonly note?: string;
}

/** What a finish with `next` answers. */
export interface WireHandover {
  readonly finished: WireOrder;
  /** Null: none came. */
  readonly started: WireOrder | null;
}

/** What a flood sends, over and over. */
export interface FloodRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body?: string;
}

/** Makes the requests to one endpoint. */
export interface Requests {
  /** POST /order/ under that note; `isAsync` asks for 202 at once. */
  readonly order: (note: string, isAsync?: boolean) => string;
  readonly start: (barista: string, waitSeconds: number) => string;
  /** With `nextSeconds` the next order is started too, waiting so long for one. */
  readonly finish: (orderId: string, barista: string, nextSeconds?: number) => string;
  readonly flood: (request: FloodRequest) => string;
  /** Nchan: waits on the channel of that name. */
  readonly subscribe: (channel: string) => string;
  /** Nchan: publishes an answer as long as an order's, on the channel of that name. */
  readonly publish: (channel: string) => string;
}

export function requestsTo({ hostname, port }: Endpoint): Requests {
  const host = `Host: ${hostname}:${port}\r\n`;
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${host}\r\n`;
  const post = (path: string, body = "", headers = ""): string =>
    `POST ${path} HTTP/1.1\r\n${host}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
  const JSON_TYPE = "Content-Type: application/json\r\n";
  return {
    order: (note, isAsync = false) =>
      post("/order/", `{"note":"${note}"}`, isAsync ? `${JSON_TYPE}Prefer: respond-async\r\n` : JSON_TYPE),
    start: (barista, waitSeconds) => get(`/start/?barista=${barista}&wait=${waitSeconds}`),
    finish: (orderId, barista, nextSeconds) => {
      const next = nextSeconds === undefined ? "" : `&next=${nextSeconds}`;
      return post(`/finish/?order_id=${orderId}&barista=${barista}${next}`);
    },
    flood: ({ method, path, headers = {}, body = "" }) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const type = body === "" ? "" : JSON_TYPE;
      const length = method === "GET" ? "" : `Content-Length: ${body.length}\r\n`;
      return `${method} ${path} HTTP/1.1\r\n${host}${lines.join("")}${type}${length}\r\n${body}`;
    },
    subscribe: (channel) => get(`/sub/${channel}`),
    publish: (channel) => post(`/pub/${channel}`, readyOrder(channel), JSON_TYPE),
  };
}

/** The order in an answer's body. Throws when it is none. */
export function readOrder(body: string): WireOrder {
  return JSON.parse(body) as WireOrder;
}

/** The two orders in the answer to a finish with `next`. Throws when they are none. */
export function readHandover(body: string): WireHandover {
  return JSON.parse(body) as WireHandover;
}

/** A finished order as Longpour answers it. */
function readyOrder(channel: string): string {
  const time = "2026-11-20T09:31:52.871Z";
  const times = { placed_at: time, started_at: time, finished_at: time };
  const order = { number: 17, status: "ready", item: "americano", note: channel, barista: "barista-1", attempts: 1 };
  return JSON.stringify({ order_id: channel, ...order, ...times });
}
