/**
 * Owns one question to a Redis behind a unix socket, when it is not known whether anybody answers.
 *
 * **Invariants**
 * - Every question has a connection of its own, ends within its bound and leaves nothing open.
 */
import { Redis } from "ioredis";
import { within } from "../../within.ts";

/**
 * The outcome of a question. `nobody`: no process listens there. `closed`: the other side hung up, as it does on
 * SHUTDOWN. `silent`: no answer within the bound.
 */
export type Answer =
  | { readonly kind: "reply"; readonly reply: unknown }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "nobody" | "closed" | "silent" };

type Question = {
  readonly socketPath: string;
  readonly command: readonly [string, ...string[]];
  readonly boundMs: number;
};

/** Sends one command. Never throws. */
export async function ask({ socketPath, command, boundMs }: Question): Promise<Answer> {
  const client = new Redis({
    path: socketPath,
    lazyConnect: true,
    // Readiness is what is being asked, so the client may not wait for it.
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // A stopped process never hangs up on its side.
    disconnectTimeout: 50,
  });
  let connected = false;
  client.once("connect", () => (connected = true));
  // The answer says what went wrong.
  client.on("error", () => {});
  const [name, ...given] = command;
  const answer = client.call(name, ...given).then(
    (reply): Answer => ({ kind: "reply", reply }),
    (error: unknown): Answer => {
      if (error instanceof Error && error.name === "ReplyError") return { kind: "error", message: error.message };
      return { kind: connected ? "closed" : "nobody" };
    },
  );
  const answered = await within(boundMs, answer);
  client.disconnect();
  return answered ?? { kind: "silent" };
}
