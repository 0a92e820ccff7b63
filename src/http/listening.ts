/** Owns the type of a port that listens. */
import type { Elysia } from "elysia";

export type Server = NonNullable<Elysia["server"]>;

/**
 * The server of a port, once it listens. (Elysia's own `server` in a handler's context costs a getter defined per
 * request.)
 */
export type FindServer = () => Server | null;
