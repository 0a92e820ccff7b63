/**
 * Owns the requests of a run: made from a port's description, most of them right, many nearly right, some broken.
 *
 * **Invariants**
 * - Equal seeds give equal requests, but for the ids and codes that are put in when they are sent.
 * - A broken one is made of bytes: no HTTP library stands between it and the server.
 */
import fc from "fast-check";
import type { Description, Parameter, Route } from "./description.ts";
import { junk, nearlyValid, valid } from "./values.ts";

/** What is changed in the bytes of a request. */
interface Damage {
  readonly kind: (typeof DAMAGES)[number];
  /** Where, as a part of its length. */
  readonly at: number;
  readonly text: string;
}

/** A request, still with placeholders in it. */
export interface Plan {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
  readonly damage: Damage | undefined;
}

const DAMAGES = ["swap a byte", "put in", "cut", "target", "no host", "host", "version", "length", "chunked"] as const;

const TARGETS = [
  "/",
  "//",
  "*",
  "/order/../queue",
  "/order/%2e%2e/queue",
  "/order//",
  "/order/%",
  "/order/%00",
  "/ORDER/",
  "/order/;x",
  "/order/#x",
  "/livez#/order/",
  "http://127.0.0.1/shop",
  "http://elsewhere.example/shop",
  "/swagger/..%2f..%2fpackage.json",
  "/assets/..%2fx",
  `/order/${"a".repeat(9000)}`,
  "/coffees/?x=%ff",
] as const;

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(...DAMAGES),
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  text: fc.oneof(
    fc.constantFrom<string>(...TARGETS, "\r\n", "\u0000", "\r\n\r\n", ": ", "\ud800", "Transfer-Encoding: chunked\r\n"),
    fc.string({ unit: "binary", maxLength: 20 }),
  ),
});

/** Bodies that are no JSON of any schema. */
const rawBody = fc.oneof(
  fc.constantFrom(
    "",
    "{",
    "nul",
    "null",
    "1",
    '"text"',
    "[]",
    "[".repeat(8000),
    '{"a":'.repeat(2000),
    `{"note":"${"x".repeat(17_000)}"}`,
    '{"item":"latte","item":"espresso"}',
    '{"__proto__":{"item":"latte"}}',
    "\uFEFF{}",
    "\u00ff\u00fe",
    '{"note":"\\ud83d"}',
    '{"note":"\\u0000"}',
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
);

const contentType = fc.oneof(
  { weight: 12, arbitrary: fc.constant("application/json") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      undefined,
      "text/plain",
      "application/json; charset=utf-8",
      "APPLICATION/JSON",
      "application/merge-patch+json",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      ";",
    ),
  },
);

/** Right, nearly right and wrong values of the headers that the descriptions name. */
const HEADERS: Readonly<Partial<Record<string, fc.Arbitrary<string>>>> = {
  // Without a bound the request is held: given up after a moment, so it is rare.
  Prefer: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom("respond-async", "respond-async", "wait=0", "respond-async, wait=0") },
    { weight: 1, arbitrary: fc.constantFrom("wait=1", "return=minimal", "") },
    { weight: 2, arbitrary: fc.constantFrom("wait=x", "wait=-1", "wait=999999999", "wait=0;a=b", '"', "wait") },
  ),
  "Idempotency-Key": fc.oneof(
    fc.nat(60).map((key) => `key-${key}`),
    fc.uuid(),
    fc.constantFrom("", " ", "k".repeat(256), "\u00e9", "\t", "a b"),
  ),
  "Last-Event-ID": fc.constantFrom("", "0-0", "1795225048814-0", "9999999999999999999999-0", "x", "1-1-1"),
};

/** Headers that any request may carry. */
const commonHeader = fc.oneof(
  fc.tuple(fc.constant("Origin"), fc.constantFrom("null", "http://elsewhere.example", "http://127.0.0.1:1")),
  fc.tuple(fc.constant("Sec-Fetch-Site"), fc.constantFrom("cross-site", "same-origin", "same-site", "none", "x")),
  fc.tuple(fc.constantFrom("X-Forwarded-For", "Forwarded"), fc.constantFrom("1.2.3.4", "for=_x", "::1, x", "")),
  fc.tuple(fc.constant("If-None-Match"), fc.constantFrom("*", '"x"', "")),
  fc.tuple(fc.constant("Accept"), fc.constantFrom("text/html", "*/*", "application/problem+json")),
  fc.tuple(fc.constant("Accept-Encoding"), fc.constantFrom("gzip", "identity;q=0", "br")),
  fc.tuple(fc.constant("X-Long"), fc.constantFrom("x", "y".repeat(20_000))),
  fc.tuple(fc.constant("Expect"), fc.constant("100-continue")),
);

/** What is sent of `Authorization`: the right token nearly always, where there is one. */
function authorization(token: string | undefined): fc.Arbitrary<string | undefined> {
  if (token === undefined) return fc.constant(undefined);
  const wrong = fc.constantFrom(undefined, "Bearer", "Bearer wrong", `Basic ${token}`, `Bearer ${token}x`);
  return fc.oneof({ weight: 30, arbitrary: fc.constant(`Bearer ${token}`) }, { weight: 1, arbitrary: wrong });
}

/** How often each of these comes, against 1 for any other: so that orders go on to their deeper states. */
const WEIGHTS: Readonly<Partial<Record<string, number>>> = {
  "POST /order": 8,
  "GET /start": 6,
  "POST /queue/{queue}": 6,
  "POST /finish": 4,
  "POST /fail": 2,
  "POST /reservation": 2,
  "PUT /order/{id}": 2,
  "PATCH /order/{id}": 2,
  "POST /release": 2,
  "POST /progress": 2,
  "POST /retry": 2,
};

/** Requests to the port that is described so. */
export function requestsTo({ routes }: Description, token?: string): fc.Arbitrary<Plan> {
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
  return fc.oneof(
    ...routes.map((route) => ({
      weight: WEIGHTS[`${route.method} ${route.path}`] ?? 1,
      arbitrary: fc
        .record({
          right: requestTo(route, token),
          method: seldom(25, fc.constantFrom(...methods)),
          damage: seldom(12, damage),
        })
        .map(({ right, method, damage: harm }): Plan => ({ ...right, method: method ?? right.method, damage: harm })),
    })),
  );
}

/** One time in `often`, and else nothing. */
function seldom<Value>(often: number, arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: often - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

function requestTo({ method, path, operation, body }: Route, token: string | undefined) {
  const parameters = (where: Parameter["in"]): readonly Parameter[] =>
    (operation.parameters ?? []).filter((parameter) => parameter.in === where);
  return fc
    .record({
      inPath: fc.tuple(
        ...parameters("path").map((parameter) => fc.tuple(fc.constant(parameter.name), value(parameter))),
      ),
      lastSlash: fc.constantFrom("", "/"),
      query: optionals(parameters("query"), value),
      headers: optionals(parameters("header"), ({ name }) => HEADERS[name] ?? fc.string()),
      common: fc.array(commonHeader, { maxLength: 1 }),
      authorization: authorization(token),
      type: contentType,
      content: body ? bodyOf(body) : seldom(30, rawBody),
    })
    .map(({ inPath, lastSlash, query, headers, common, authorization: given, type, content }) => ({
      method,
      path: inPath.reduce((text, [name, part]) => text.replace(`{${name}}`, encode(part)), path) + lastSlash,
      query,
      headers: [
        ...headers,
        ...common,
        ...(given === undefined ? [] : [["Authorization", given] as const]),
        ...(content === undefined || type === undefined ? [] : [["Content-Type", type] as const]),
      ],
      body: content,
    }));
}

/** Text that goes into a path or a query; placeholders stay as they are. */
export function encode(text: string): string {
  return /^<[\w:-]+>$/.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

function value({ name, schema }: Parameter): fc.Arbitrary<string> {
  const right = valid(schema, name);
  return fc
    .oneof({ weight: 10, arbitrary: right }, { weight: 1, arbitrary: junk })
    .map((got) => (typeof got === "string" ? got : JSON.stringify(got)));
}

/** Each required one nearly always, each other one half of the time; now and then one twice. */
function optionals(parameters: readonly Parameter[], make: (parameter: Parameter) => fc.Arbitrary<string>) {
  return fc
    .tuple(
      ...parameters.map((parameter) =>
        fc.tuple(
          fc.constant(parameter.name),
          make(parameter),
          parameter.required || parameter.name === "Prefer"
            ? fc.nat(40).map((roll) => (roll === 0 ? 0 : roll === 1 ? 2 : 1))
            : fc.constantFrom(0, 0, 0, 1, 1, 1),
        ),
      ),
    )
    .map((all) => all.flatMap(([name, text, times]) => Array.from({ length: times }, () => [name, text] as const)));
}

function bodyOf(schema: NonNullable<Route["body"]>): fc.Arbitrary<string | undefined> {
  return fc.oneof(
    { weight: 12, arbitrary: valid(schema).map((content) => JSON.stringify(content)) },
    { weight: 5, arbitrary: nearlyValid(schema).map((content) => JSON.stringify(content)) },
    { weight: 1, arbitrary: fc.option(rawBody, { nil: undefined }) },
  );
}
