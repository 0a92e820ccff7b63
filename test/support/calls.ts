/**
 * Owns how the protocol tests speak to queues of machines: calls, and what comes of them.
 *
 * **Invariants**
 * - Input goes as it is: nothing in it is marked.
 */
import { ask, expectOrder, expectStatus, type Answer, type Asking, type Ports, type WireOrder } from "./http.ts";

type Customers = Pick<Ports, "customers">;

/** POST /queue/:queue/, held; `queue` may have a query behind it. */
export function call(
  { customers }: Customers,
  queue: string,
  input: unknown = {},
  { headers, ...asking }: Asking = {},
): Promise<Answer> {
  const [name = "", query] = queue.split("?");
  return ask(`${customers}/queue/${name}/${query ? `?${query}` : ""}`, {
    method: "POST",
    body: JSON.stringify(input),
    ...asking,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/** Queues a call without waiting for it. */
export async function placeCall(
  ports: Customers,
  queue: string,
  input?: unknown,
  { headers, ...asking }: Asking = {},
): Promise<WireOrder> {
  const answer = await call(ports, queue, input, { ...asking, headers: { Prefer: "respond-async", ...headers } });
  return expectOrder(answer, {}, 202);
}

interface ListedQueue {
  readonly queue: string;
  readonly depth: number;
  readonly scheduled: number;
  readonly brewing: number;
  readonly oldest_waiting_seconds: number | null;
  readonly workers: readonly { readonly name: string; readonly seen_at: string }[];
}

/** GET /queue on the customers' port. */
export async function listQueues({ customers }: Customers): Promise<readonly ListedQueue[]> {
  const answer = await ask(`${customers}/queue`);
  expectStatus(answer, 200);
  return (answer.body as { queues: readonly ListedQueue[] }).queues;
}

/** One queue of that list. */
export async function findQueue(ports: Customers, name: string): Promise<ListedQueue> {
  const found = (await listQueues(ports)).find(({ queue }) => queue === name);
  if (!found) throw new Error(`${name} is not listed`);
  return found;
}

/** A time so many milliseconds from now, as a query takes it. */
export const ahead = (ms: number): string => new Date(Date.now() + ms).toISOString();
