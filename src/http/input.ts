/**
 * Owns the reading of input: bodies, and what is wrong with them, in words.
 * Always holds: nothing longer than the bound is kept in memory, and every fault names its field and what is wanted.
 */
import type { Static, TObject, TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { ValueErrorType, type ValueError } from "@sinclair/typebox/errors";
import { readNumbers } from "../numeric.ts";
import { invalidInput, problem, type FieldFault } from "../problem.ts";

const BODY_LIMIT_BYTES = 16 * 1024;

/** Makes the reader of a JSON body of that schema: resolves to the body, undefined where there is none, or the problem to answer. */
export function createBodyReader<Schema extends TSchema>(
  schema: Schema,
): (request: Request) => Promise<Static<Schema> | undefined | Response> {
  const validator = TypeCompiler.Compile(schema);
  return async (request) => {
    const text = await readText(request);
    if (text === "" || text instanceof Response) return text || undefined;
    const value = parseJson(text, request.headers.get("content-type"));
    if (value instanceof Response) return value;
    if (!validator.Check(value)) return invalidInput(faultsOf(validator.Errors(value)));
    const broken = SURROGATE.test(text) ? [...findBrokenText(value)] : [];
    return broken.length > 0 ? invalidInput(broken.map((field) => ({ field, detail: BROKEN_TEXT }))) : value;
  };
}

/** Half of a character that JSON has to write as two escapes: UTF-8 can't hold one alone, though JSON can. */
const SURROGATE = /\\u[dD][89a-fA-F]/;
const BROKEN_TEXT = "must be Unicode text: half of a character (a surrogate) stands alone in it";

/** The fields with half a character in their text or in the name of one of their members. */
function* findBrokenText(value: unknown, field = "body"): Generator<string> {
  if (typeof value === "string" && !value.isWellFormed()) yield field;
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (!name.isWellFormed()) yield field;
    else yield* findBrokenText(member, field === "body" ? name : `${field}.${name}`);
  }
}

/** Makes the reader of query parameters of that schema: their values, or the problem to answer. Others are ignored. */
export function createQueryReader<Schema extends TObject>(
  schema: Schema,
): (request: Request) => Static<Schema> | Response {
  const validator = TypeCompiler.Compile(schema);
  return ({ url }) => {
    const at = url.indexOf("?");
    const query = new URLSearchParams(at < 0 ? "" : url.slice(at));
    const names = Object.keys(schema.properties).filter((name) => query.has(name));
    const repeated = names.filter((name) => query.getAll(name).length > 1);
    if (repeated.length > 0) return invalidInput(repeated.map((field) => ({ field, detail: "must be given once" })));
    const values = readNumbers(schema, Object.fromEntries(names.map((name) => [name, query.get(name)])));
    return validator.Check(values) ? values : invalidInput(faultsOf(validator.Errors(values)));
  };
}

/** One fault a field, in the words of the field's schema. */
export function faultsOf(errors: Iterable<ValueError>): FieldFault[] {
  const faults = new Map<string, FieldFault>();
  for (const error of errors) {
    const field = readPointer(error.path).join(".") || "body";
    if (!faults.has(field)) faults.set(field, { field, detail: describe(error) });
  }
  return [...faults.values()];
}

/** The names in a JSON pointer (RFC 6901). */
function readPointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function describe({ type, schema, value, message }: ValueError): string {
  if (type === ValueErrorType.ObjectAdditionalProperties) return "is not known here: leave it out";
  const wanted = schema.description ? `must be ${schema.description}` : message;
  return value === undefined ? `is missing: it ${wanted}` : wanted;
}

/** The body as text, or 413 as soon as it is known to be too long: by its announced length, or by what has come. */
async function readText(request: Request): Promise<string | Response> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > BODY_LIMIT_BYTES) return tooLarge();
  if (!request.body) return "";
  try {
    // Of an announced length no more can come.
    if (announced > 0) return decodeUtf8(await request.bytes());
    return await readBody(request.body as ReadableStream<Uint8Array>);
  } catch (error) {
    // Nobody reads the answer.
    if (request.signal.aborted) return new Response(null, { status: 499 });
    throw error;
  }
}

async function readBody(body: ReadableStream<Uint8Array>): Promise<string | Response> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) return tooLarge();
    chunks.push(chunk);
  }
  return decodeUtf8(Buffer.concat(chunks));
}

function decodeUtf8(bytes: Uint8Array): string | Response {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return problem("malformed_json", { detail: "The body is not UTF-8: send JSON in UTF-8." });
  }
}

/** Some clients name no type: then what parses is JSON. */
function parseJson(text: string, contentType: string | null): unknown {
  if (contentType !== null && !/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType.trim())) return notJson();
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (contentType === null) return notJson();
    return problem("malformed_json", { detail: `The body does not parse as JSON (${String(error)}).` });
  }
}

function notJson(): Response {
  return problem("not_json");
}

function tooLarge(): Response {
  // The rest of the body is still on its way: this connection can't be used again.
  return problem("body_too_large", {
    detail: `The body must be at most ${BODY_LIMIT_BYTES} bytes.`,
    headers: { Connection: "close" },
  });
}
