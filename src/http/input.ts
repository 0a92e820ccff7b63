/**
 * Owns the reading of input: bodies, queries and paths, and their faults, in words.
 *
 * Elysia validates nothing: it takes malformed JSON for no body, and its faults do not say what is wanted.
 *
 * **Invariants**
 * - Nothing longer than the bound of its route is kept in memory.
 * - Every fault names its field and what is wanted.
 */
import type { Static, TObject, TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { beginReading, endReading } from "./idle.ts";
import { findBrokenText, findLostNumbers, isTooDeep, MAX_JSON_BYTES, TOO_DEEP } from "../any-json.ts";
import { numbersIn, toNumber } from "../numeric.ts";
import { InvalidInputError, ProblemError, type FieldFault } from "../problem.ts";
import { faultsOf } from "../schema-faults.ts";

const BODY_LIMIT_BYTES = 16 * 1024;
/**
 * A body of up to so many times the bound is taken before it is refused: a proxy that can't pass it on would answer
 * 502.
 */
const TAKEN_AND_DROPPED = 4;

/** The problems that a reader of bodies finds. */
export const BODY_PROBLEMS = ["malformed_json", "body_too_large", "not_json", "invalid_input"] as const;

interface BodyOptions {
  /** Whether JSON may be called a form: `curl -d` does, unless its user says otherwise. */
  readonly isFromCurl?: boolean;
  readonly limitBytes?: number;
}

/** Reads a body; undefined where there is none. Rejects with a ProblemError. */
export interface BodyReader<Body> {
  (request: Request): Promise<Body | undefined>;
  /** The same, and makes something of the body at once: a `then` would be a promise more. It may throw as well. */
  readonly into: <Result>(request: Request, use: UseOf<Body, Result>) => Result | Promise<Result>;
}

type UseOf<Body, Result> = (body: Body | undefined) => Result | Promise<Result>;

function bodyReader<Body>(limitBytes: number, parse: (text: string, request: Request) => Body): BodyReader<Body> {
  const into = <Result>(request: Request, use: UseOf<Body, Result>): Result | Promise<Result> =>
    hasNoBody(request)
      ? use(undefined)
      : readText(request, limitBytes, (text) => use(text === "" ? undefined : parse(text, request)));
  const read = async (request: Request): Promise<Body | undefined> => await into(request, (body) => body);
  return Object.assign(read, { into });
}

/** The fault of a body that is not there; `wanted`: what it must be. */
export function missingBody(wanted = "JSON"): InvalidInputError {
  return new InvalidInputError([{ field: "body", detail: `is missing: it must be ${wanted}` }]);
}

/** Makes the reader of a JSON body of that schema. */
export function createBodyReader<Schema extends TSchema>(
  schema: Schema,
  { isFromCurl = false, limitBytes = BODY_LIMIT_BYTES }: BodyOptions = {},
): BodyReader<Static<Schema>> {
  const validator = TypeCompiler.Compile(schema);
  return bodyReader(limitBytes, (text, request) => {
    const value = parseJson(text, request.headers.get("content-type"), isFromCurl);
    if (!validator.Check(value)) throw new InvalidInputError(faultsOf(validator.Errors(value)));
    refuse(findBrokenText(text, value));
    return value;
  });
}

/** Makes the reader of a body that is taken as it is: a signature is of its bytes. */
export function createTextReader(limitBytes: number): BodyReader<string> {
  return bodyReader(limitBytes, (text) => text);
}

/** Reads a body of any JSON, as JSON in one line. */
export const readResult = bodyReader(MAX_JSON_BYTES, (text, request) => {
  if (isTooDeep(text)) throw new InvalidInputError([{ field: "body", detail: TOO_DEEP }]);
  const value = parseJson(text, request.headers.get("content-type"), true);
  // Written again it would be null.
  refuse(findLostNumbers(text, value));
  const result = JSON.stringify(value);
  // `1e20` is written as 21 digits.
  if (result.length > MAX_JSON_BYTES) throw tooLarge(MAX_JSON_BYTES);
  refuse(findBrokenText(text, value));
  return result;
});

function refuse(faults: readonly FieldFault[]): void {
  if (faults.length > 0) throw new InvalidInputError(faults);
}

/** Makes the reader of query parameters of that schema. Others are ignored. It throws a ProblemError. */
export function createQueryReader<Schema extends TObject>(schema: Schema): (request: Request) => Static<Schema> {
  const validator = TypeCompiler.Compile(schema);
  const numbers = numbersIn(schema);
  const parameters = new Map(
    Object.keys(schema.properties).map((name): [string, Parameter] => [name, { name, isNumber: numbers.has(name) }]),
  );
  return ({ url }) => {
    const at = url.indexOf("?");
    const read = new ReadQuery(parameters);
    if (at >= 0) read.take(url.slice(at + 1));
    const { values, repeated } = read;
    if (repeated) throw new InvalidInputError(repeated.map((field) => ({ field, detail: "must be given once" })));
    if (validator.Check(values)) return values;
    throw new InvalidInputError(faultsOf(validator.Errors(values)));
  };
}

/** Makes the reader of a path's parameters of that schema. It throws a ProblemError. */
export function createParamsReader<Schema extends TObject>(schema: Schema): (params: unknown) => Static<Schema> {
  const validator = TypeCompiler.Compile(schema);
  return (params) => {
    if (validator.Check(params)) return params;
    throw new InvalidInputError(faultsOf(validator.Errors(params)));
  };
}

interface Parameter {
  readonly name: string;
  readonly isNumber: boolean;
}

/** A query in which nothing is encoded: most are. */
const PLAIN = /^[\w.~&=-]*$/;

/** The values that a query gives to the known parameters. */
class ReadQuery {
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly values: Record<string, number | string> = {};
  repeated: string[] | undefined;

  constructor(parameters: ReadonlyMap<string, Parameter>) {
    this.#parameters = parameters;
  }

  take(query: string): void {
    if (PLAIN.test(query)) this.#takePlain(query);
    else for (const [name, text] of new URLSearchParams(query)) this.#put(name, text);
  }

  #takePlain(query: string): void {
    for (let start = 0; start < query.length;) {
      const next = query.indexOf("&", start);
      const end = next < 0 ? query.length : next;
      const at = query.indexOf("=", start);
      if (at < 0 || at > end) this.#put(query.slice(start, end), "");
      else this.#put(query.slice(start, at), query.slice(at + 1, end));
      start = end + 1;
    }
  }

  #put(name: string, text: string): void {
    const parameter = this.#parameters.get(name);
    if (!parameter) return;
    if (parameter.name in this.values) (this.repeated ??= []).push(parameter.name);
    this.values[parameter.name] = parameter.isNumber ? toNumber(text) : text;
  }
}

/** Whether a request says that it brings no body (RFC 9112, 6.3). */
function hasNoBody({ headers }: Request): boolean {
  const length = headers.get("content-length");
  return (length === null || length === "0") && headers.get("transfer-encoding") === null;
}

/** The client left while its body was read: its answer is not read. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * Reads the body as text, and makes a result of it at once. 413 as soon as it is known to be too long: by its announced
 * length, or by what has come.
 */
function readText<Result>(
  request: Request,
  limitBytes: number,
  read: (text: string) => Result | Promise<Result>,
): Promise<Result> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limitBytes * TAKEN_AND_DROPPED) throw tooLarge(limitBytes);
  beginReading(request);
  return readBytes(request, announced, limitBytes).then(
    (bytes) => {
      endReading(request);
      if (bytes.length > limitBytes) throw tooLarge(limitBytes);
      return read(decodeUtf8(bytes));
    },
    (error: unknown) => {
      endReading(request);
      throw request.signal.aborted ? new ClientGone() : error;
    },
  );
}

/** Of an announced length no more can come. (`request.body` would make a stream of it.) */
function readBytes(request: Request, announced: number, limitBytes: number): Promise<Uint8Array> {
  return announced > 0 ? request.bytes() : readChunks(request.body, limitBytes);
}

async function readChunks(body: ReadableStream<Uint8Array> | null, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF_8.decode(bytes);
  } catch {
    throw new ProblemError("malformed_json", { detail: "The body is not UTF-8: send JSON in UTF-8." });
  }
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;

/** Some clients name no type: then what parses is JSON. */
function parseJson(text: string, contentType: string | null, isFromCurl: boolean): unknown {
  const type = contentType?.trim() ?? "";
  const isNamed = JSON_TYPE.test(type) || (isFromCurl && FORM_TYPE.test(type));
  if (contentType !== null && !isNamed) throw new ProblemError("not_json");
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (contentType === null && !isFromCurl) throw new ProblemError("not_json");
    throw new ProblemError("malformed_json", { detail: `The body does not parse as JSON (${String(error)}).` });
  }
}

function tooLarge(limitBytes: number): ProblemError {
  // The rest of the body is still on its way: this connection can't be used again.
  return new ProblemError("body_too_large", {
    detail: `The body must be at most ${limitBytes} bytes.`,
    headers: { Connection: "close" },
  });
}
