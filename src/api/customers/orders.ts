/**
 * Owns the customers' routes of an order: place and wait, look and wait, cancel.
 *
 * **Invariants**
 * - A request is refused before anything is queued, or its order is queued.
 * - The customer of a queued order is notified of its end.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerChanged, answerClosing, answerFound, answerJson, damagedOrder } from "../../http/answers.ts";
import type { FindServer } from "../../http/listening.ts";
import { documented } from "../../http/documented.ts";
import type { HeldRequest } from "../../http/hold.ts";
import { idempotencyKeyHeader, readIdempotencyKey } from "../../http/idempotency.ts";
import { createBodyReader, createQueryReader, hasNoBody } from "../../http/input.ts";
import { readPreferences, WaitSeconds, type Preferences } from "../../http/prefer.ts";
import { MOST_PER_ORDER, type HeldPlace, type HeldRequests } from "../../limits/held.ts";
import type { Limiter, Verdict } from "../../limits/limiter.ts";
import { Tarpit } from "../../limits/tarpit.ts";
import type { PlaceOutcome, Placement } from "../../orders/operations/place.ts";
import { CANCELLED_EXAMPLE, Draft, isFinal, Order, QUEUED_EXAMPLE, READY_EXAMPLE } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/verbs.ts";
import { invalidInput } from "../../problem.ts";
import { Continuation } from "./endings.ts";
import {
  createHolding,
  type AnswerHeaders,
  type HeldCustomer,
  type HoldingDependencies,
  type Visit,
} from "./holding.ts";
import { KEY_OWNER, scopeToCustomer, tooManyOrders, type ClientOf } from "./limited.ts";
import { answerCrowd, answerMismatch, answerShopRefusal, SHOP_PROBLEMS } from "./refusals.ts";

const OrderParams = Type.Object({ id: Type.String({ format: "uuid", description: "the order's UUID" }) });

const WaitQuery = Type.Object({
  wait: Type.Optional(
    Type.Union([WaitSeconds, Type.Literal("")], {
      description: `${WaitSeconds.description}, or empty: as long as it takes`,
    }),
  ),
});

const Cancellation = Type.Object(
  { status: Type.Literal("cancelled", { description: '"cancelled"' }) },
  {
    $id: "Cancellation",
    additionalProperties: false,
    description: 'the object {"status":"cancelled"}',
    examples: [{ status: "cancelled" }],
  },
);

const PREFER = {
  name: "Prefer",
  description:
    "`respond-async`: answer 202 at once. `wait=N`: answer 202 if it is not final after N seconds (RFC 7240).",
};

const PREFER_OF_A_LOOK = {
  name: "Prefer",
  description: "`wait=N`: the same as `?wait=N`, which counts where both are there (RFC 7240).",
};

const IDEMPOTENCY_KEY = idempotencyKeyHeader({
  effect: "The same key with the same body joins the order first placed under it.",
  owner: KEY_OWNER,
});

/** The end of a held answer. */
const OrderOrContinuation = Type.Union([Order, Continuation], { examples: [READY_EXAMPLE] });

const LIMIT_HEADERS = {
  RateLimit: "orders left for this address",
  "RateLimit-Policy": "how many, and how they come back",
};

export interface OrderDependencies extends HoldingDependencies {
  readonly orders: HoldingDependencies["orders"] & Pick<Orders, "replica" | "place" | "find" | "cancel">;
  readonly limiter: Limiter;
  readonly held: HeldRequests;
  /** Customers whose order is being placed, and who are not held. */
  readonly passing: HeldRequests;
  /** Whether the server is stopping: nothing new begins. */
  readonly isClosing: () => boolean;
}

export function orderRoutes(dependencies: OrderDependencies, findServer: FindServer, clientOf: ClientOf) {
  const { orders, room, limiter, held, passing, isClosing } = dependencies;
  const tarpit = new Tarpit();
  const readDraft = createBodyReader(Draft);
  const takeSeat = createHolding(dependencies);
  const readWait = createQueryReader(WaitQuery);
  const readCancellation = createBodyReader(Cancellation);

  const placementOf = ({ key, address }: Asked, draft: Draft, orderId: string, holder?: string): Placement => ({
    orderId,
    queue: DEFAULT_QUEUE,
    draft,
    idempotencyKey: scopeToCustomer(key, { customerId: draft.customer_id, address }),
    bucket: limiter.bucketOf(address),
    holder,
  });

  /**
   * Reads what came of the placing. Nothing of the answer has begun: a refusal has its own status, however late.
   */
  const readPlacing = (placing: PlaceOutcome, { preferences, address }: Asked): Placed | Response => {
    if (placing.kind === "damaged") return damagedOrder();
    const limits = limiter.headers(limiter.note(address, placing.kind !== "denied", placing.tokens));
    if (placing.kind === "denied") return tooManyOrders(limits);
    if (placing.kind === "mismatch") return answerMismatch(limits);
    if (placing.kind === "refused") return answerShopRefusal(placing, limits);
    const applied = preferenceApplied(preferences);
    const headers = applied ? { ...limits, ...applied } : limits;
    return { orderId: placing.orderId, isNew: placing.kind === "placed", headers };
  };

  /** 202 with the order as it is now; joined by its key, it may be final already. */
  const answerAccepted = async (orderId: string, headers: AnswerHeaders): Promise<Response> => {
    const found = await orders.find(orderId);
    if (found.kind === "found" && isFinal(found.status)) return answerJson(found.order, { headers });
    return answerFound(found, { status: 202, headers: { ...headers, Location: `/order/${orderId}` } });
  };

  const answerNow = async (orderId: string, headers: AnswerHeaders): Promise<Response> =>
    answerFound(await orders.find(orderId), { headers });

  /** Places the order, and answers at once. */
  const accept = async (asked: Asked, draft: Draft, place: HeldPlace): Promise<Response> => {
    using _ = place;
    const placed = readPlacing(await orders.place(placementOf(asked, draft, Bun.randomUUIDv7())), asked);
    return placed instanceof Response ? placed : await answerAccepted(placed.orderId, placed.headers);
  };

  /**
   * Takes a seat, places the order, and holds its customer. (A held order keeps one promise, and nothing of how it
   * came.)
   */
  const placeAndHold = (
    asked: Asked,
    draft: Draft,
    { place, seconds }: Pick<Visit, "place" | "seconds">,
  ): Promise<Response> => {
    const orderId = Bun.randomUUIDv7();
    const { connection } = asked;
    const customer = takeSeat({ orderId, isNew: true, seconds, connection, place, answerTimeOver: answerAccepted });
    const placing = orders.place.into(placementOf(asked, draft, orderId, orders.replica), (outcome) => {
      const placed = readPlacing(outcome, asked);
      if (placed instanceof Response) customer.refuse(placed);
      else if (placed.isNew) customer.hold(placed.headers);
      else joinFirst(customer, placed, asked);
    });
    placing.catch((error: unknown) => customer.fail(error));
    return customer.answer;
  };

  /** Holds who used their key again for the order first placed under it. */
  const joinFirst = (customer: HeldCustomer, { orderId, headers }: Placed, { address }: Asked): void =>
    customer.moveOn((visit) => hold({ ...visit, orderId }, address, headers));

  /** Holds who comes back to an order. */
  const hold = (visit: Omit<Visit, "isNew">, address: string, headers: AnswerHeaders): Promise<Response> | Response => {
    if (room.countFor(visit.orderId) < MOST_PER_ORDER) {
      const customer = takeSeat({ ...visit, isNew: false });
      customer.hold(headers);
      return customer.answer;
    }
    visit.place.leave();
    held.noteRefusal("too_many_for_order", address);
    return answerCrowd("too_many_for_order", headers);
  };

  const refuseLater = async (verdict: Verdict): Promise<Response> => {
    await tarpit.wait();
    return tooManyOrders(limiter.headers(verdict));
  };

  const order = (asked: Asked, draft: Draft): Promise<Response> | Response => {
    const { address, preferences } = asked;
    const seconds = preferences.waitSeconds ?? (preferences.respondAsync ? 0 : undefined);
    // A customer who is not held is counted as well while their order is placed, but among others like them.
    const entry = seconds === 0 ? passing.enter(address) : held.enter(address);
    if (entry.kind !== "entered") return answerCrowd(entry.kind);
    const { place } = entry;
    return seconds === 0 ? accept(asked, draft, place) : placeAndHold(asked, draft, { place, seconds });
  };

  return new Elysia()
    .post(
      "/order/",
      // No async function: a held order would be one promise more. Elysia waits for it, as a call stands behind a
      // return.
      ({ request }) => {
        if (isClosing()) return answerClosing();
        const address = clientOf(request);
        const { headers } = request;
        const recalled = limiter.recall(address, headers.has("idempotency-key"));
        if (recalled) return refuseLater(recalled);
        const preferences = readPreferences(headers);
        const key = readIdempotencyKey(headers);
        const asked = { preferences, key, address, connection: { server: findServer(), request } };
        if (hasNoBody(request)) return order(asked, {});
        return readDraft(request).then((draft = {}) => order(asked, draft));
      },
      documented({
        tag: "Orders",
        operationId: "placeOrder",
        summary: "Order, and wait for the coffee",
        description:
          "Held until the order is final, for ever: 200 with the order, also when it was cancelled (`status` says so). " +
          "The body is optional: without one it is an americano. To finish it, use the baristas' port.",
        headers: [PREFER, IDEMPOTENCY_KEY],
        body: { schema: Draft, required: false },
        answers: {
          200: { description: "The order is final.", schema: OrderOrContinuation, headers: LIMIT_HEADERS },
          202: {
            description: "The order is queued or brewing; look at Location.",
            schema: Order,
            example: QUEUED_EXAMPLE,
            headers: {
              ...LIMIT_HEADERS,
              Location: "where the order is",
              "Preference-Applied": "the preference obeyed",
            },
          },
          303: { description: "The server is stopping: Location holds on.", headers: { Location: "/order/…?wait" } },
        },
        problems: [
          "cross_site",
          "malformed_json",
          "body_too_large",
          "not_json",
          "invalid_input",
          "idempotency_mismatch",
          "order_damaged",
          "code_required",
          "order_unknown",
          ...SHOP_PROBLEMS,
          "too_many_orders",
          "too_many_held",
          "room_full",
          "redis_away",
          "closing",
        ],
      }),
    )
    .get(
      "/order/:id",
      async ({ params: { id }, request }) => {
        const wanted = readWait(request);
        const orderId = id.toLowerCase();
        const preferences = readPreferences(request.headers);
        const asked = wanted.wait ?? preferences.waitSeconds;
        const headers = preferenceApplied(preferences);
        if (asked === undefined || asked === 0) return await answerNow(orderId, headers);

        const address = clientOf(request);
        const entry = held.enterAgain(address);
        if (entry.kind !== "entered") return answerCrowd(entry.kind);
        const seconds = asked === "" ? undefined : asked;
        const connection = { server: findServer(), request };
        const visit = { orderId, seconds, connection, place: entry.place, answerTimeOver: answerNow };
        return hold(visit, address, headers);
      },
      {
        params: OrderParams,
        ...documented({
          params: OrderParams,
          query: WaitQuery,
          tag: "Orders",
          operationId: "findOrder",
          summary: "Look at an order, or wait for it",
          description:
            "With `wait` (or `Prefer: wait=N`) it is held until the order is final, N seconds at most; `?wait` alone: for ever.",
          headers: [PREFER_OF_A_LOOK],
          answers: {
            200: { description: "The order as it is now.", schema: OrderOrContinuation },
            303: { description: "The server is stopping: Location holds on.", headers: { Location: "/order/…?wait" } },
          },
          problems: ["order_unknown", "invalid_input", "too_many_held", "room_full", "redis_away"],
        }),
      },
    )
    .patch(
      "/order/:id",
      async ({ params: { id }, request }) => {
        const asked = await readCancellation(request);
        if (!asked)
          return invalidInput([{ field: "body", detail: `is missing: it must be ${Cancellation.description}` }]);
        const outcome = await orders.cancel({ orderId: id.toLowerCase(), canceller: "customer", reason: "customer" });
        return answerChanged(outcome, "cancelled by its customer");
      },
      {
        params: OrderParams,
        ...documented({
          params: OrderParams,
          tag: "Orders",
          operationId: "cancelOrder",
          summary: "Cancel an order while it is queued or reserved",
          body: { schema: Cancellation, required: true },
          answers: {
            200: {
              description: "The order is cancelled; each request that waits for it is notified.",
              schema: Order,
              example: CANCELLED_EXAMPLE,
            },
          },
          problems: [
            "cross_site",
            "malformed_json",
            "order_unknown",
            "order_conflict",
            "body_too_large",
            "not_json",
            "invalid_input",
            "redis_away",
          ],
        }),
      },
    );
}

type Headers = Record<string, string>;

/** The fields of an order request beside its body, and the address that sent it. */
interface Asked {
  readonly preferences: Preferences;
  /** The Idempotency-Key as it was sent. */
  readonly key: string | undefined;
  readonly address: string;
  readonly connection: HeldRequest;
}

/** An order that is queued, and what to say of it in any answer. */
interface Placed {
  readonly orderId: string;
  /** Placed by this request, not by one before under the same key. */
  readonly isNew: boolean;
  readonly headers: Headers;
}

function preferenceApplied({ respondAsync, waitSeconds }: Preferences): Headers | undefined {
  if (waitSeconds !== undefined) return { "Preference-Applied": `wait=${waitSeconds}` };
  return respondAsync ? { "Preference-Applied": "respond-async" } : undefined;
}
