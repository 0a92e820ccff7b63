/**
 * Owns one question to a Redis behind a unix socket, when it is not known whether one answers.
 *
 * **Invariants**
 * - Every question has a connection of its own, ends within its bound and leaves nothing open.
 */
import { Redis } from "ioredis";
import { within } from "../../within.ts";

/**
 * The outcome of a question. `no_process`: none listens there. `closed`: the other side hung up, as it does on
 * SHUTDOWN. `silent`: no answer within the bound.
 */
export type Answer =
  | { readonly kind: "reply"; readonly reply: unknown }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "no_process" | "closed" | "silent" };

type Question = {
  readonly socketPath: string;
  readonly command: readonly [string, ...string[]];
  readonly timeoutMs: number;
};

/** Sends one command. Never throws. */
export async function ask({ socketPath, command, timeoutMs }: Question): Promise<Answer> {
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
      return { kind: connected ? "closed" : "no_process" };
    },
  );
  const answered = await within(timeoutMs, answer);
  client.disconnect();
  return answered ?? { kind: "silent" };
}
