/**
 * Owns the baristas' route of searching orders: a page as JSON, or all of it as CSV.
 *
 * **Invariants**
 * - A page is bounded, and so is a CSV.
 * - A search changes nothing.
 */
import { Type, type Static } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE, DATE_TIME } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { oneOf, READY_EXAMPLE, Status } from "../../orders/order.ts";
import { DEFAULT_QUEUE, type Orders } from "../../orders/orders.ts";
import type { Search, SearchOutcome } from "../../orders/queries.ts";
import { SearchPage } from "../../orders/views.ts";
import { InvalidInputError } from "../../problem.ts";
import { CURSOR_GONE } from "../answers.ts";
import { readRange } from "../day.ts";
import { Cursor, PAGE_LIMIT, PageLimit } from "../parameters.ts";
import { csvHeaders } from "./csv.ts";
import { BaristaName, QueueName } from "./order-descriptions.ts";
import { CSV_HEAD, MAX_CSV_ORDERS, ordersCsv, toOrderLine } from "./orders-csv.ts";

const CustomerId = Type.String({ minLength: 1, maxLength: 64, description: "1 to 64 characters" });

const SearchQuery = Type.Object({
  queue: Type.Optional(QueueName),
  status: Type.Optional(Status),
  customer_id: Type.Optional(CustomerId),
  customerId: Type.Optional({ ...CustomerId, description: `${CustomerId.description}: customer_id spelled otherwise` }),
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  from: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T09:00:00Z" })),
  to: Type.Optional(Type.String({ format: DATE_TIME, description: "a time such as 2026-11-20T17:00:00Z" })),
  barista: Type.Optional({ ...BaristaName, description: `${BaristaName.description}: who brews or brewed it` }),
  text: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description:
        "1 to 100 characters: the order's number, or part of its drink, its note or its customer's name or id",
    }),
  ),
  sort: Type.Optional(oneOf(["oldest", "newest"])),
  format: Type.Optional(oneOf(["json", "csv"])),
  cursor: Type.Optional(Cursor),
  limit: Type.Optional(PageLimit),
});

/** As many as a page may have. */
const CSV_PAGE_LIMIT = 200;

const TWO_CUSTOMERS = { field: "customerId", detail: "is customer_id: give one of both" };

export interface SearchDependencies {
  readonly orders: Pick<Orders, "search">;
}

export function searchRoutes(dependencies: SearchDependencies) {
  return new Elysia().get("/order/", createSearchOrders(dependencies), SEARCH_ORDERS);
}

function createSearchOrders({ orders }: SearchDependencies) {
  const readSearch = createQueryReader(SearchQuery);

  return async ({ request }: { request: Request }): Promise<Response> => {
    const query = readSearch(request);
    const wanted = toSearch(query);
    const outcome = await orders.search(wanted);
    if (outcome.kind === "cursor_gone") throw new InvalidInputError([CURSOR_GONE]);
    if (query.format !== "csv") return answerPage(outcome);
    return new Response(ordersCsv(orders, wanted, outcome), { headers: csvHeaders("orders") });
  };
}

/** Throws a ProblemError where the filters don't go together. */
function toSearch(query: Static<typeof SearchQuery>): Search {
  const { queue: name, status, customer_id, customerId, barista, text, sort, format, ...rest } = query;
  const { cursor, limit = format === "csv" ? CSV_PAGE_LIMIT : PAGE_LIMIT, ...day } = rest;
  if (customer_id !== undefined && customerId !== undefined) throw new InvalidInputError([TWO_CUSTOMERS]);
  const queue = name === DEFAULT_QUEUE ? undefined : name;
  const customer = customer_id ?? customerId;
  if (queue !== undefined && customer !== undefined) {
    throw new InvalidInputError([{ field: "customer_id", detail: "must be left out: calls have none" }]);
  }
  const found = { queue, statuses: status && [status], customerId: customer, barista, text };
  return { ...found, isNewestFirst: sort === "newest", ...readRange(day), cursor, limit };
}

function answerPage({ orders, cursor }: Extract<SearchOutcome, { kind: "page" }>): Response {
  return answerJson(`{"orders":[${orders.join()}],"cursor":${JSON.stringify(cursor ?? null)}}`);
}

const SEARCH_ORDERS = documented({
  query: SearchQuery,
  tag: "Search",
  operationId: "searchOrders",
  summary: "Search orders",
  description:
    "By the time they were placed, oldest first, or newest first with `sort=newest`. Without `date`, `from` or `to`: today's (UTC). " +
    "`from` is included, `to` is not. With `queue`: those of that queue of machines. " +
    `With \`format=csv\` all of them as CSV, ${MAX_CSV_ORDERS} at most.`,
  answers: {
    200: {
      description: "A page of orders.",
      schema: SearchPage,
      example: { orders: [READY_EXAMPLE], cursor: null },
      texts: { "text/csv": `${CSV_HEAD}${toOrderLine(JSON.stringify(READY_EXAMPLE))}` },
    },
  },
  problems: ["unauthorized", "invalid_input", "redis_away", "closing"],
});
