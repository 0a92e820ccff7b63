/**
 * Owns the customers' routes of queues of machines: call and wait, and what queues there are.
 *
 * **Invariants**
 * - A call is refused before anything is queued, or its order is queued.
 */
import type { Static } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { readIdempotencyKey } from "../../http/idempotency.ts";
import { createParamsReader, createQueryReader, missingBody, readResult } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { readPreferences } from "../../http/prefer.ts";
import type { Orders } from "../../orders/orders.ts";
import type { MachineQueueMeasure } from "../../orders/queues.ts";
import { InvalidInputError, ProblemError } from "../../problem.ts";
import { shareReads } from "../../shared-reads.ts";
import type { CallQueue, CallQueues } from "../../service/call-queue.ts";
import type { Ordering } from "../../service/ordering.ts";
import type { OrderSurroundings, PlacingDependencies } from "./placing.ts";
import { CALL_QUEUE, CallParams, CallQuery, describeCall, LIST_QUEUES } from "./queue-descriptions.ts";
import { answerRefusal } from "../refusals.ts";

export interface QueueDependencies extends PlacingDependencies {
  readonly ordering: PlacingDependencies["ordering"] & Pick<Ordering, "refuseEarly">;
  readonly orders: Pick<Orders, "listQueues">;
  readonly callQueues: CallQueues;
}

interface Context {
  readonly request: Request;
  readonly params: Static<typeof CallParams>;
}

export function queueRoutes(dependencies: QueueDependencies, surroundings: OrderSurroundings) {
  const routes = new Elysia().get("/queue", createListQueues(dependencies), LIST_QUEUES);
  const call = createCallQueue(dependencies, surroundings);
  for (const { name, contract } of dependencies.callQueues.values()) {
    if (!contract) continue;
    routes.post(
      `/queue/${name}/`,
      ({ request }: { request: Request }) => call({ request, params: { queue: name } }),
      describeCall(name, contract),
    );
  }
  return routes.post("/queue/:queue/", call, CALL_QUEUE);
}

function createCallQueue(
  { ordering, callQueues, readTraceparent, checkCallback }: QueueDependencies,
  { clientOf, place }: Pick<OrderSurroundings, "clientOf" | "place">,
) {
  const readParams = createParamsReader(CallParams);
  const readQuery = createQueryReader(CallQuery);

  // No async function: a held call would be one promise more. Elysia waits for it, as a call stands behind a return.
  return ({ request, params }: Context): Promise<Response> | Response => {
    const queue = findQueue(callQueues, readParams(params).queue);
    const address = clientOf(request);
    const { headers } = request;
    const refusing = ordering.refuseEarly(address, headers.has("idempotency-key"), queue);
    if (refusing) return refusing.then((refusal) => answerRefusal(refusal, queue.limiter));
    const preferences = readPreferences(headers);
    const key = readIdempotencyKey(headers);
    const traceparent = readTraceparent(headers);
    const { not_before: notBefore, callback_url: callbackUrl } = readQuery(request);
    checkCallback(callbackUrl);
    return readResult.into(request, (body) => {
      const { input, label } = checkInput(queue, body);
      const wanted = { address, key, queue, input, notBefore, callbackUrl, label, traceparent };
      return place(request, preferences, wanted);
    });
  };
}

function findQueue(queues: CallQueues, name: string): CallQueue {
  const queue = queues.get(name);
  if (!queue) throw new ProblemError("queue_unknown");
  return queue;
}

/** The input as it goes on, and what its order is found by. */
function checkInput({ contract, labelOf }: CallQueue, input: string | undefined) {
  if (input === undefined) throw missingBody();
  if (!contract && !labelOf) return { input };
  const value: unknown = JSON.parse(input);
  const faults = contract?.checkInput(value) ?? [];
  if (faults.length > 0) throw new InvalidInputError(faults);
  return { input, label: labelOf?.(value) };
}

function createListQueues({ orders, callQueues }: QueueDependencies) {
  const names = [...callQueues.keys()].toSorted();
  const read = shareReads(() => orders.listQueues(names));

  return async (): Promise<Response> => answerJson(JSON.stringify({ queues: (await read()).map(toView) }));
}

function toView({ queue, depth, scheduled, brewing, oldestWaitingSeconds, workers }: MachineQueueMeasure) {
  return {
    queue,
    depth,
    scheduled,
    brewing,
    oldest_waiting_seconds: oldestWaitingSeconds,
    workers: workers.map(({ name, seenAt }) => ({ name, seen_at: seenAt })),
  };
}
