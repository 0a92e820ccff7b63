/**
 * Owns what the routes of the work service take and answer, for their readers and for the OpenAPI document.
 *
 * **Invariants**
 * - What a route checks is what its description says.
 */
import { Type } from "@sinclair/typebox";
import { documented } from "../../http/documented.ts";
import { idempotencyKeyHeader } from "../../http/idempotency.ts";
import { BODY_PROBLEMS } from "../../http/input.ts";
import { NextCursor } from "../../orders/views.ts";
import { WorkDraft } from "../../work/input.ts";
import { DONE_EXAMPLE, OPEN_EXAMPLE, WorkRow } from "../../work/row.ts";
import { PageLimit } from "../parameters.ts";
import { ADDRESS_OWNER, LIMIT_HEADERS, ORDERING_PROBLEMS } from "./order-descriptions.ts";

/** The tag of the service in the description. */
export const WORK_TAG = "Work";

export const WorkParams = Type.Object({
  id: Type.String({ pattern: "^(0|[1-9]\\d{0,14})$", description: "a row's id: a whole number", examples: ["3"] }),
});

/** The end of the year 9999. */
const LAST_SECOND = 253_402_300_799;
const time = (description: string) =>
  Type.Optional(
    Type.Number({ minimum: 0, maximum: LAST_SECOND, description: `${description}: seconds since 1970, as created_on` }),
  );

export const WorkSearchQuery = Type.Object({
  work_code: Type.Optional(
    Type.String({ pattern: "^[A-Za-z0-9_-]{0,64}$", description: "how codes begin: letters, digits, _ or -" }),
  ),
  from: time("created at or after"),
  to: time("created before"),
  done: Type.Optional(Type.Union([Type.Literal("true"), Type.Literal("false")], { description: "true or false" })),
  cursor: Type.Optional(
    Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}\\.\\d{1,16}$", description: "the `cursor` of the page before" }),
  ),
  limit: Type.Optional(PageLimit),
});

const WorkPage = Type.Object(
  {
    rows: Type.Array(WorkRow),
    cursor: NextCursor,
  },
  { $id: "WorkPage" },
);

export const DEMAND_WORK = documented({
  tag: WORK_TAG,
  operationId: "placeWork",
  summary: "Demand work",
  description:
    "Answered at once, with the row. Without `add_up_to` that is a number from 1 to 99, drawn by chance; without " +
    "`work_code` that is `api-` and ten letters or digits.",
  headers: [
    idempotencyKeyHeader({
      effect: "The same key with the same body gets the row first made under it.",
      owner: ADDRESS_OWNER,
    }),
  ],
  body: { schema: WorkDraft, required: false },
  answers: {
    201: {
      description: "It is demanded.",
      schema: WorkRow,
      example: OPEN_EXAMPLE,
      headers: { ...LIMIT_HEADERS, Location: "where the row is" },
    },
  },
  problems: [
    "cross_site",
    ...BODY_PROBLEMS,
    "idempotency_mismatch",
    "order_unknown",
    "queue_unknown",
    "queue_full",
    ...ORDERING_PROBLEMS,
  ],
});

export const FIND_WORK = documented({
  params: WorkParams,
  tag: WORK_TAG,
  operationId: "findWork",
  summary: "Look at a row",
  answers: { 200: { description: "The row now.", schema: WorkRow, example: DONE_EXAMPLE } },
  problems: ["order_unknown", "invalid_input", "redis_away"],
});

export const SEARCH_WORK = documented({
  query: WorkSearchQuery,
  tag: WORK_TAG,
  operationId: "searchWork",
  summary: "Search rows",
  description:
    "With `work_code` those whose code begins so, by code; without it newest first. A page may have fewer rows than " +
    "`limit`, or none, and still a `cursor`: go on until that is null.",
  answers: {
    200: { description: "A page of rows.", schema: WorkPage, example: { rows: [DONE_EXAMPLE], cursor: null } },
  },
  problems: ["invalid_input", "redis_away", "closing"],
});
