/**
 * Owns the verdict on an answer: whether the port's own description says that it may be so.
 *
 * **Invariants**
 * - Of 500 or more, only a documented 503 of a healthy server passes: closed, full, no slot left.
 * - A status, a media type, a body or a needed header that the description does not name is a fault.
 * - What a route's schema forbids must not be taken.
 */
import type { Description, Parameter, Route, Schema } from "./description.ts";
import type { Answer, Outcome, Sent } from "./wire.ts";

/** What a server in good health may refuse with 503. */
const HEALTHY_503 = /^urn:longpour:problem:(shop_closed|shop_full|room_full)$/;
/** Bun's own: a head that is too long, a version that is none. */
const OF_THE_PARSER = [400, 413, 414, 431, 505];
const INTERNAL = /\.ts\b|\.lua\b|node_modules|redis\.call|EVALSHA|\bat \//;

/** Whether the request may be left without an answer: it is held for longer than a run waits. */
export function mayBeHeld({ method, path, query, isDamaged }: Sent, headers: string): boolean {
  if (isDamaged) return true;
  const isBounded = /^prefer:.*(respond-async|wait=0)/im.test(headers);
  if (method === "POST" && /^\/(order|queue\/[^/]+)\/?$/.test(path)) return !isBounded;
  if (method === "POST" && query.has("next")) return true;
  return method === "GET" && (query.has("wait") || /^prefer:.*wait/im.test(headers));
}

/** What is wrong with an answer; undefined when all is as described. */
export function faultIn(description: Description, sent: Sent, outcome: Outcome, isHeld: boolean): string | undefined {
  if (outcome.kind === "none") return isHeld ? undefined : "no answer";
  if (outcome.kind === "closed") return sent.isDamaged ? undefined : "closed without an answer";
  if (outcome.kind === "malformed") return sent.isDamaged || isHeld ? undefined : "malformed answer";
  const { status, body } = outcome;
  if (INTERNAL.test(body) && outcome.headers.get("content-type")?.includes("json")) return `internals in it: ${body}`;
  if (sent.isDamaged) return faultOfAny(description, outcome);
  if (OF_THE_PARSER.includes(status) && body === "") return status === 431 ? undefined : "an error without a word";
  const route = description.find(sent.method, sent.path);
  return route ? faultOfRoute(description, route, sent, outcome) : faultOfUnrouted(description, sent, outcome);
}

/**
 * A broken request, or one to no route of the description: any refusal will do, if it is one of ours or of the parser.
 */
function faultOfAny(description: Description, answer: Answer): string | undefined {
  const { status, body } = answer;
  if (status >= 500 && status !== 505 && !isHealthy503(answer)) return `status ${status}: ${body}`;
  if (status < 400 || body === "") return undefined;
  return faultOfProblem(description, answer, undefined);
}

function faultOfUnrouted(description: Description, { method, path }: Sent, answer: Answer): string | undefined {
  const others = description.routes.filter((route) => description.find(route.method, path) === route);
  if (others.length > 0 && answer.status === 405) {
    const allowed = (answer.headers.get("allow") ?? "").split(", ");
    const missing = others.find((route) => !allowed.includes(route.method));
    if (missing) return `Allow does not name ${missing.method}`;
  }
  if (others.length > 0 && answer.status < 400) return `${method} is not described, and answered ${answer.status}`;
  return faultOfAny(description, answer);
}

function faultOfRoute(description: Description, route: Route, sent: Sent, answer: Answer): string | undefined {
  const { status, headers, body } = answer;
  if (sent.method === "HEAD" && status === 405) return undefined;
  const described = route.operation.responses[status];
  if (!described) return `status ${status} is not described for ${route.method} ${route.path}: ${body.slice(0, 300)}`;
  for (const [name, { required }] of Object.entries(described.headers ?? {})) {
    if (required && !headers.has(name.toLowerCase())) return `${status} without ${name}`;
  }
  if (status >= 500 && !isHealthy503(answer) && sent.method !== "HEAD") return `status ${status}: ${body}`;
  if (sent.method === "HEAD" || Object.keys(described.content ?? {}).length === 0) {
    return body === "" ? undefined : `a body where none is described: ${body.slice(0, 300)}`;
  }
  const contents = Object.entries(described.content ?? {});
  const given = headers.get("content-type")?.split(";")[0];
  const [type = "", content] = contents.find(([name]) => name === given) ?? contents[0] ?? [];
  if (given !== type) return `${headers.get("content-type")} instead of ${type}`;
  if (type === "application/problem+json") return faultOfProblem(description, answer, content?.schema);
  if (type === "application/json") {
    if (!content?.schema) return `no schema is described for ${status}`;
    const fault = faultOfJson(description, content.schema, body);
    if (fault) return fault;
  }
  return forbiddenIn(description, route, sent);
}

function faultOfJson(description: Description, schema: Schema, body: string): string | undefined {
  const value = parseJson(body);
  const fault = value === undefined ? "not JSON" : description.faultOf(schema, value);
  return fault && `${fault}: ${body.slice(0, 300)}`;
}

/** The members of RFC 9457 that any problem of this server has. */
const AnyProblem: Schema = {
  type: "object",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { type: "string", pattern: "^urn:longpour:problem:[a-z_]+$" },
    title: { type: "string", minLength: 1 },
    status: { type: "integer" },
    detail: { type: "string", minLength: 1 },
  },
};

function faultOfProblem(description: Description, answer: Answer, schema: Schema | undefined): string | undefined {
  const { status, headers, body } = answer;
  if (headers.get("content-type") !== "application/problem+json")
    return `no problem+json: ${status} ${body.slice(0, 300)}`;
  const fault = faultOfJson(description, AnyProblem, body) ?? (schema && faultOfJson(description, schema, body));
  if (fault) return fault;
  const { status: said } = JSON.parse(body) as { status: number };
  if (said !== status) return `a problem of ${said} under ${status}`;
  const needed = { 401: "www-authenticate", 405: "allow", 429: "retry-after" }[status];
  return needed && !headers.has(needed) ? `${status} without ${needed}` : undefined;
}

/** What the schemas of a route forbid, though the request was taken. */
function forbiddenIn(description: Description, route: Route, sent: Sent): string | undefined {
  for (const parameter of route.operation.parameters ?? []) {
    const text = parameter.in === "query" ? sent.query.get(parameter.name) : undefined;
    if (text === undefined) continue;
    const values = [text, text === "" ? text : Number(text)];
    const isAllowed = values.some((value) => description.faultOf(parameter.schema, value) === undefined);
    if (!isAllowed && !isCapital(parameter, text)) return `${parameter.name}=${text} was taken`;
  }
  if (!sent.body || !route.body) return undefined;
  const value = parseJson(sent.body.replace(/^\uFEFF/, ""));
  const fault = value === undefined ? "not JSON" : description.faultOf(route.body, value);
  return fault && `a body was taken that is ${fault}: ${sent.body.slice(0, 300)}`;
}

/** `date-time` of RFC 3339 may be spelled with a small `t` and `z`. */
function isCapital({ schema }: Parameter, text: string): boolean {
  return schema["format"] === "date-time" && !Number.isNaN(Date.parse(text.toUpperCase()));
}

function isHealthy503({ status, body }: Answer): boolean {
  const problem = parseJson(body);
  if (status !== 503 || typeof problem !== "object" || problem === null || !("type" in problem)) return false;
  return HEALTHY_503.test(String(problem.type));
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
