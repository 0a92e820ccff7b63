/**
 * Owns which routes of a guarded port answer whom.
 *
 * **Invariants**
 * - A route is closed unless its own description opens it; what is no route is closed too.
 * - The gate decides by the route that was matched, never by the path again.
 * - Nothing of a request is validated before the gate let it pass.
 */
import type { Check } from "./edge.ts";

/** Marks a route in its `detail` as open to all: OpenAPI's word for "no credentials needed". */
export const OPEN = { security: [] as never[] };

/** The part of Elysia's record of a route that is used here. */
interface Route {
  readonly method: string;
  readonly path: string;
  readonly hooks?: { readonly detail?: { readonly security?: readonly unknown[] } };
}

/** The answer of a gate, on its way to the code that sends it. */
export class Refusal extends Error {
  readonly answer: Response;

  constructor(answer: Response) {
    super(`refused: ${answer.status}`);
    this.answer = answer;
  }
}

/** A path that is no route after all, such as a file that an open route has not got: the gate is asked first. */
export class Unrouted extends Error {
  readonly answer: Response;

  constructor(answer: Response) {
    super("no route");
    this.answer = answer;
  }
}

export interface Guard {
  /** For every route but the open ones, and where there is no route. */
  readonly check: Check;
  /** By path: the routes that have a check of their own. */
  readonly own?: ReadonlyMap<string, Check>;
}

/**
 * Makes the gate of a port: throws a Refusal unless the route is open or its check passes. Routes are read once, when
 * all are there.
 */
export function createGate(
  { check, own }: Guard,
  routes: () => readonly Route[],
): (request: Request, route: string) => void {
  let open: ReadonlySet<string> | undefined;
  return (request, route) => {
    open ??= new Set(
      routes()
        .filter(isOpen)
        .map(({ path }) => path),
    );
    if (open.has(route) && (request.method === "GET" || request.method === "HEAD")) return;
    const refusal = (own?.get(route) ?? check)(request);
    if (refusal) throw new Refusal(refusal);
  };
}

function isOpen({ method, hooks }: Route): boolean {
  return method === "GET" && hooks?.detail?.security?.length === 0;
}
