/**
 * Owns the files of tools that a port serves beside its own pages: made ready when they are first asked for.
 *
 * **Invariants**
 * - A file is made once; after a failure, the next request tries again.
 */
import { answerReady, makeReady, type ReadyFile } from "./ready-file.ts";

export type FindFile = () => Promise<ReadyFile>;

/** Answers with a file that is made ready when it is first asked for. */
export function serving(find: FindFile) {
  return async ({ request }: { request: Request }): Promise<Response> => answerReady(await find(), request);
}

interface PageOptions {
  readonly type: string;
  /** The Content-Security-Policy. */
  readonly policy: string;
}

export function page(
  read: () => Promise<ReadyFile["plain"]> | ReadyFile["plain"],
  { type, policy }: PageOptions,
): FindFile {
  return once(async () => {
    return await makeReady(await read(), {
      "Content-Type": type,
      "Content-Security-Policy": policy,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    });
  });
}

/** Requests that come meanwhile wait for the same file; after a failure, the next request tries again. */
export function once(make: () => Promise<ReadyFile>): FindFile {
  let making: Promise<ReadyFile> | undefined;
  return () => {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  };
}
