/**
 * Owns what the tests hear of subscriptions: by the client of a public library, and frame by frame.
 *
 * **Invariants**
 * - A wait ends also where the subscription fails.
 */
import { expect } from "bun:test";
import type { Client, ExecutionResult } from "graphql-sse";
import { until } from "../support/until.ts";

/** A subscription under way, and what came of it. */
export class Heard<View> {
  readonly results: ExecutionResult<Record<string, View>, unknown>[] = [];
  end: "complete" | "failed" | undefined;
  failure: unknown;
  readonly stop: () => void;

  constructor(client: Client, query: string, variables: Record<string, unknown> = {}) {
    this.stop = client.subscribe<Record<string, View>>(
      { query, variables },
      {
        next: (result) => this.results.push(result),
        complete: () => (this.end ??= "complete"),
        error: (failure) => {
          this.failure = failure;
          this.end ??= "failed";
        },
      },
    );
  }

  get views(): View[] {
    return this.results.flatMap(({ data }) => Object.values(data ?? {}));
  }

  untilHeard(count: number): Promise<void> {
    return until(() => this.results.length >= count || this.end === "failed", `${count} results are heard`);
  }

  untilOver(): Promise<void> {
    return until(() => this.end !== undefined, "the subscription is over");
  }
}

/** Resolves once as many listen as it says: what comes from now on is heard. */
export async function untilListening(listening: Heard<unknown>, move: () => Promise<unknown>): Promise<void> {
  await until(async () => {
    await move();
    return listening.results.length > 0;
  }, "the subscription listens");
}

/** Frames on the wire, with their ids. */
export interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
}

export function framesOf(text: string): Frame[] {
  return text
    .split("\n\n")
    .filter((block) => block.includes("event: "))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1];
      return { id: field("id"), event: field("event"), data: field("data") };
    });
}

/** Resolves once it listens: what comes from now on is heard. */
export async function openByGet(base: string, query: string, variables: object, after?: string): Promise<Response> {
  const asked = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const headers = { Accept: "text/event-stream", ...(after ? { "Last-Event-ID": after } : undefined) };
  const answer = await fetch(`${base}/graphql?${asked.toString()}`, { headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toStartWith("text/event-stream");
  return answer;
}

export async function listenByGet(base: string, query: string, variables: object, after?: string): Promise<string> {
  const answer = await openByGet(base, query, variables, after);
  return await answer.text();
}

/** What the one field of each result shows, in their order. */
export function viewsOf<View>(frames: readonly Frame[]): View[] {
  return frames
    .filter(({ event }) => event === "next")
    .flatMap(({ data }) => Object.values((JSON.parse(data ?? "") as { readonly data: Record<string, View> }).data));
}
