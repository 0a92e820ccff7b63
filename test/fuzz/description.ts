/**
 * Owns what a port says of itself: its OpenAPI document, read from the running server, with a validator for each
 * schema.
 *
 * **Invariants**
 * - Nothing about a route is written down here: all of it comes from `/swagger/json`.
 * - A schema that can't be compiled fails the run.
 */
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { resolveReferences } from "../support/openapi.ts";

export type Schema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}

interface DescribedResponse {
  readonly headers?: Readonly<Record<string, { readonly required?: boolean; readonly schema: Schema }>>;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, DescribedResponse>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** A route as it is described. */
export interface Route {
  readonly method: string;
  /** Such as `/order/{id}`. */
  readonly path: string;
  readonly operation: Operation;
  /** The schema of its JSON body, where it takes one. */
  readonly body: Schema | undefined;
}

export interface Description {
  readonly routes: readonly Route[];
  /** The route of a method and a path; undefined where none is described. HEAD counts as GET. */
  find(method: string, path: string): Route | undefined;
  /** What is wrong with a value; undefined when it fits. */
  faultOf(schema: Schema, value: unknown): string | undefined;
}

/** Reads the description that the port at `base` serves. */
export async function readDescription(base: string, headers: Record<string, string> = {}): Promise<Description> {
  const answer = await fetch(`${base}/swagger/json`, { headers });
  if (!answer.ok) throw new Error(`${base}/swagger/json answered ${answer.status}`);
  const { paths } = resolveReferences(await answer.json()) as OpenApi;
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
      body: operation.requestBody?.content["application/json"]?.schema,
    })),
  );
  return {
    routes,
    find: (method, path) => {
      const wanted = method === "HEAD" ? "GET" : method;
      const fitting = routes.filter((route) => route.method === wanted && fits(route.path, path));
      // A path without parameters is the closer one.
      return fitting.find((route) => !route.path.includes("{")) ?? fitting[0];
    },
    faultOf: createValidator(),
  };
}

function createValidator(): Description["faultOf"] {
  const ajv = new Ajv({ strict: false, allErrors: false });
  addFormats(ajv);
  // JSON Schema's maxLength counts code points already; TypeBox's does not, so the server names a format of its own.
  ajv.addFormat("at-most-200-characters", (text: string) => Array.from(text).length <= 200);
  ajv.addFormat("1-to-500-characters", (text: string) => text !== "" && Array.from(text).length <= 500);
  const compiled = new Map<Schema, ValidateFunction>();
  return (schema, value) => {
    const check = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, check);
    return check(value) ? undefined : ajv.errorsText(check.errors);
  };
}

function fits(template: string, path: string): boolean {
  const parts = (text: string): string[] => text.replace(/\/$/, "").split("/");
  const wanted = parts(template);
  const given = parts(path);
  return (
    wanted.length === given.length &&
    wanted.every((part, index) => (part.startsWith("{") ? given[index] !== "" : part === given[index]))
  );
}
