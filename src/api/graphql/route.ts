/**
 * Owns the route of GraphQL on a port, and the loading of what is behind it.
 *
 * **Invariants**
 * - Nothing of it is loaded before the first request of `/graphql`.
 */
import { Elysia } from "elysia";
import { graphiqlRoutes } from "../../http/graphiql.ts";
import type { FindServer } from "../../http/listening.ts";
import type { Serve } from "./serve.ts";

/** Its own schema describes it. */
const HIDDEN = { detail: { hide: true } };

interface Surroundings {
  readonly findServer: FindServer;
  /** A request's address, as limits count it. */
  readonly addressOf: (request: Request) => string;
}

/** `load` is called with the first request. */
export function graphqlRoutes(load: () => Promise<Serve>, { findServer, addressOf }: Surroundings) {
  let loading: Promise<Serve> | undefined;
  /** After a failure, the next request tries again. */
  const findServe = (): Promise<Serve> => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const answer = async ({ request }: { request: Request }): Promise<Response> => {
    const address = addressOf(request);
    const serve = await findServe();
    return await serve({ server: findServer(), request }, address);
  };
  return new Elysia().get("/graphql", answer, HIDDEN).post("/graphql", answer, HIDDEN).use(graphiqlRoutes());
}
