/**
 * Owns the customers' routes of an order: place and wait, look and wait, cancel.
 * Always holds: a request is refused before anything is queued, or its order is queued and the customer is told its end.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { answerChanged, answerClosing, answerFound, answerJson, damagedOrder } from "../http/answers.ts";
import type { FindServer } from "../http/app.ts";
import { documented } from "../http/documented.ts";
import { holdOpen } from "../http/hold.ts";
import { idempotencyKeyHeader, readIdempotencyKey } from "../http/idempotency.ts";
import { createBodyReader, createQueryReader } from "../http/input.ts";
import { readPreferences, WaitSeconds, type Preferences } from "../http/prefer.ts";
import { Tarpit } from "../limits/tarpit.ts";
import type { Seat } from "../longpoll/room.ts";
import {
  CANCELLED_EXAMPLE,
  Draft,
  isFinal,
  Order,
  QUEUED_EXAMPLE,
  READY_EXAMPLE,
  type OrderJson,
} from "../orders/order.ts";
import { DEFAULT_QUEUE } from "../orders/verbs.ts";
import { invalidInput } from "../problem.ts";
import type { CustomerDependencies } from "./app.ts";
import { Continuation } from "./endings.ts";
import { createHolding } from "./holding.ts";
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

const IDEMPOTENCY_KEY = idempotencyKeyHeader({
  effect: "The same key with the same body joins the order first placed under it.",
  owner: KEY_OWNER,
});

/** What a held answer ends with. */
const OrderOrContinuation = Type.Union([Order, Continuation], { examples: [READY_EXAMPLE] });

const LIMIT_HEADERS = {
  RateLimit: "orders left for this address",
  "RateLimit-Policy": "how many, and how they come back",
};

export function orderRoutes(dependencies: CustomerDependencies, findServer: FindServer, clientOf: ClientOf) {
  const { orders, room, limiter, held, passing, isClosing } = dependencies;
  const tarpit = new Tarpit();
  const readDraft = createBodyReader(Draft);
  const holdUntilFinal = createHolding(dependencies);
  const readWait = createQueryReader(WaitQuery);
  const readCancellation = createBodyReader(Cancellation);

  /** Places the order. Nothing of the answer has begun: a refusal has its own status, however late it comes. */
  const placeOrRefuse = async (
    { draft, idempotencyKey, preferences }: Wish,
    { address, orderId, holder }: { address: string; orderId: string; holder: string | undefined },
  ): Promise<Placed | Response> => {
    const bucket = limiter.bucketOf(address);
    const placed = await orders.place({ orderId, queue: DEFAULT_QUEUE, draft, idempotencyKey, bucket, holder });
    if (placed.kind === "damaged") return damagedOrder();
    const limits = limiter.headers(limiter.note(address, placed.kind !== "denied", placed.tokens));
    if (placed.kind === "denied") return tooManyOrders(limits);
    if (placed.kind === "mismatch") return answerMismatch(limits);
    if (placed.kind === "refused") return answerShopRefusal(placed, limits);
    const isNew = placed.kind === "placed";
    return { orderId: placed.orderId, isNew, headers: { ...limits, ...preferenceApplied(preferences) } };
  };

  /** 202 with the order as it is now; joined by its key, it may be final already. */
  const answerAccepted = async (orderId: string, headers: Headers): Promise<Response> => {
    const found = await orders.find(orderId);
    if (found.kind === "found" && isFinal(found.status)) return answerJson(found.order, { headers });
    return answerFound(found, { status: 202, headers: { ...headers, Location: `/order/${orderId}` } });
  };

  return new Elysia()
    .post(
      "/order/",
      async ({ request }) => {
        if (isClosing()) return answerClosing();
        const address = clientOf(request);
        const recalled = limiter.recall(address, request.headers.has("idempotency-key"));
        if (recalled) {
          await tarpit.wait();
          return tooManyOrders(limiter.headers(recalled));
        }
        const asked = await readWish(request, address);
        if (asked instanceof Response) return asked;

        const { waitSeconds, respondAsync } = asked.preferences;
        const seconds = waitSeconds ?? (respondAsync ? 0 : undefined);

        // Who is not held is counted as well while their order is placed, but among themselves.
        const entry = seconds === 0 ? passing.enter(address) : held.enter(address);
        if (entry.kind !== "entered") return answerCrowd(entry.kind);
        using stay = new DisposableStack();
        const place = stay.use(entry.place);
        const connection = { server: findServer(), request };
        const newId = Bun.randomUUIDv7();
        // Taken before the order is placed, so that no end of it is missed.
        const { signal } = request;
        const newSeat = seconds === 0 ? undefined : room.sit({ id: newId, isNew: true, seconds, signal });
        const leaving = stay.use(leavingOnDispose(newSeat));
        const holder = newSeat && orders.replica;
        const placed = await holdOpen(connection, () => placeOrRefuse(asked, { address, orderId: newId, holder }));
        if (placed instanceof Response) return placed;

        const { orderId, isNew, headers } = placed;
        const accept = (): Promise<Response> => answerAccepted(orderId, headers);
        if (!newSeat) return await accept();
        if (!place.holdOn(orderId)) return answerCrowd("too_many_for_order", headers);
        if (!isNew) leaving[Symbol.dispose]();
        const seat = isNew ? newSeat : room.sit({ id: orderId, seconds, signal });
        return holdUntilFinal({
          orderId,
          isNew,
          seconds,
          seat,
          connection,
          headers,
          timeOver: accept,
          stay: stay.move(),
        });
      },
      documented({
        tag: "Orders",
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
        if (wanted instanceof Response) return wanted;
        const orderId = id.toLowerCase();
        const preferences = readPreferences(request.headers);
        if (preferences instanceof Response) return preferences;
        const asked = wanted.wait ?? preferences.waitSeconds;
        const show = async (): Promise<Response> =>
          answerFound(await orders.find(orderId), { headers: preferenceApplied(preferences) });
        if (asked === undefined || asked === 0) return await show();

        const seconds = asked === "" ? undefined : asked;
        const connection = { server: findServer(), request };
        const headers = preferenceApplied(preferences);
        const entry = held.enterAgain(clientOf(request), orderId);
        if (entry.kind !== "entered") return answerCrowd(entry.kind);
        using stay = new DisposableStack();
        stay.use(entry.place);
        return holdUntilFinal({
          orderId,
          isNew: false,
          seconds,
          seat: room.sit({ id: orderId, seconds, signal: request.signal }),
          connection,
          headers,
          timeOver: show,
          stay: stay.move(),
        });
      },
      {
        params: OrderParams,
        ...documented({
          params: OrderParams,
          query: WaitQuery,
          tag: "Orders",
          summary: "Look at an order, or wait for it",
          description:
            "With `wait` (or `Prefer: wait=N`) it is held until the order is final, N seconds at most; `?wait` alone: for ever.",
          headers: [PREFER],
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
        if (asked instanceof Response) return asked;
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
          summary: "Cancel an order while it is queued or reserved",
          body: { schema: Cancellation, required: true },
          answers: {
            200: {
              description: "The order is cancelled; whoever waits for it is told.",
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

  /** All that a request to order says, or the problem with it. */
  async function readWish(request: Request, address: string): Promise<Wish | Response> {
    const preferences = readPreferences(request.headers);
    if (preferences instanceof Response) return preferences;
    const key = readIdempotencyKey(request.headers);
    if (key instanceof Response) return key;
    const draft = (await readDraft(request)) ?? {};
    if (draft instanceof Response) return draft;
    const idempotencyKey = scopeToCustomer(key, { customerId: draft.customer_id, address });
    return { preferences, idempotencyKey, draft };
  }
}

type Headers = Record<string, string>;

/** What a customer asks for. */
interface Wish {
  readonly draft: Draft;
  readonly idempotencyKey: string | undefined;
  readonly preferences: Preferences;
}

/** An order that is queued, and what to say of it in any answer. */
interface Placed {
  readonly orderId: string;
  /** Placed by this request, not by one before under the same key. */
  readonly isNew: boolean;
  readonly headers: Headers;
}

/** Leaving a seat that has had its outcome does nothing. */
function leavingOnDispose(seat: Seat<OrderJson> | undefined): Disposable {
  return { [Symbol.dispose]: () => seat?.leave() };
}

function preferenceApplied({ respondAsync, waitSeconds }: Preferences): Headers | undefined {
  if (waitSeconds !== undefined) return { "Preference-Applied": `wait=${waitSeconds}` };
  return respondAsync ? { "Preference-Applied": "respond-async" } : undefined;
}
