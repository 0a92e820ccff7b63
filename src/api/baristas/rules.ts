/**
 * Owns the baristas' routes of rules: how each goes, its dead letters, and trying them again.
 *
 * **Invariants**
 * - No secret of a target is shown, nor the path or query of its URL.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { DATE_TIME } from "../../formats.ts";
import { documented } from "../../http/documented.ts";
import { createParamsReader, createQueryReader } from "../../http/input.ts";
import { answerJson } from "../../http/json.ts";
import { InvalidInputError, ProblemError } from "../../problem.ts";
import { MAX_REPLAYED } from "../../rules/deliveries.ts";
import { RULE_NAME, TargetView } from "../../rules/rule.ts";
import type { Rules, RuleState } from "../../rules/rules.ts";
import { PAGE_LIMIT, PageLimit } from "../parameters.ts";

const RuleName = Type.String({ pattern: RULE_NAME, description: "a rule's name: GET /rules lists them" });
const EVENT = { pattern: "^\\d{1,15}-\\d{1,15}$", description: "an event's id, such as 1763631000120-17" };

const RuleParams = Type.Object({ name: RuleName });
const DeadQuery = Type.Object({
  cursor: Type.Optional(Type.String({ ...EVENT, description: "the `cursor` of the page before" })),
  limit: Type.Optional(PageLimit),
});
const ReplayQuery = Type.Object({ event_id: Type.Optional(Type.String(EVENT)) });

const Time = (description: string) => Type.String({ format: DATE_TIME, description });
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const RuleView = Type.Object(
  {
    name: RuleName,
    state: Type.Union([Type.Literal("on"), Type.Literal("ended")], { description: "ended: its target wants no more" }),
    pattern: Type.Object({}, { additionalProperties: true, description: "as the file has it" }),
    target: TargetView,
    lag: Count("events that it has yet to deal with"),
    retrying: Count("of these, events whose delivery failed, and those of the same orders behind them"),
    dead: Count("dead letters"),
    lost: Count("events that were no longer kept when their turn came"),
    last_delivery: orNull(
      Type.Object({ event_id: Type.String(), type: Type.String(), at: Time("when it was delivered") }),
      "null: none yet",
    ),
    last_failure: orNull(Type.Object({ why: Type.String(), at: Time("when it failed") }), "null: none yet"),
    ended_at: orNull(Time("when it ended"), "null: it has not ended"),
  },
  { $id: "Rule", additionalProperties: false },
);

const RULE_EXAMPLE = {
  name: "order-started",
  state: "on",
  pattern: { type: ["order.started"] },
  target: { kind: "webhook", url: "https://hooks.example.org" },
  lag: 0,
  retrying: 0,
  dead: 1,
  lost: 0,
  last_delivery: { event_id: "1763631000120-17", type: "order.started", at: "2025-11-20T09:30:00.162Z" },
  last_failure: { why: "it answered 500", at: "2025-11-20T09:12:41.007Z" },
  ended_at: null,
};

const DeadView = Type.Object(
  {
    event_id: Type.String(EVENT),
    type: Type.String(),
    order_id: Type.Optional(Type.String({ description: "absent: it is the shop's own" })),
    timestamp: Time("when it happened"),
    died_at: Time("when it was given up"),
    tries: Count("how often it was sent"),
    why: Type.String({ description: "why the last try failed" }),
    data: Type.Object({}, { additionalProperties: true, description: "as in the event" }),
  },
  { $id: "DeadDelivery", additionalProperties: false },
);

const DEAD_EXAMPLE = {
  event_id: "1763631000120-17",
  type: "order.started",
  order_id: "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59",
  timestamp: "2025-11-20T09:30:00.120Z",
  died_at: "2025-11-21T09:30:00.402Z",
  tries: 301,
  why: "it answered 500",
  data: { number: 42, item: "espresso", status: "brewing", barista: "Grace" },
};

export interface RuleDependencies {
  readonly rules: Pick<Rules, "list" | "has" | "listDead" | "replay" | "resume">;
}

interface RuleContext {
  readonly request: Request;
  readonly params: { readonly name: string };
}

export function ruleRoutes({ rules }: RuleDependencies) {
  const readParams = createParamsReader(RuleParams);
  const readDead = createQueryReader(DeadQuery);
  const readReplay = createQueryReader(ReplayQuery);

  /** The rule that a path names. Throws a ProblemError where this server has none of that name. */
  const findRule = (params: RuleContext["params"]): string => {
    const { name } = readParams(params);
    if (rules.has(name)) return name;
    throw new ProblemError("rule_unknown");
  };

  const listRules = async (): Promise<Response> =>
    answerJson(JSON.stringify({ rules: (await rules.list()).map(viewOf) }));

  const listDead = async ({ params, request }: RuleContext): Promise<Response> => {
    const name = findRule(params);
    const { cursor, limit = PAGE_LIMIT } = readDead(request);
    const outcome = await rules.listDead(name, { ...(cursor && { after: cursor }), most: limit });
    if (outcome.kind === "cursor_gone") {
      const detail = "points at a dead letter that is no longer listed: begin again without it";
      throw new InvalidInputError([{ field: "cursor", detail }]);
    }
    return answerJson(JSON.stringify({ dead: outcome.dead, cursor: outcome.cursor ?? null }));
  };

  const replay = async ({ params, request }: RuleContext): Promise<Response> => {
    const name = findRule(params);
    const { event_id: event } = readReplay(request);
    const { replayed, left, refused } = await rules.replay(name, event === undefined ? [] : [event]);
    if (event !== undefined && replayed + refused === 0) throw new ProblemError("delivery_unknown");
    return answerJson(JSON.stringify({ replayed, left }), { status: 202 });
  };

  const resume = async ({ params }: RuleContext): Promise<Response> => {
    const name = findRule(params);
    await rules.resume(name);
    const found = (await rules.list()).find(({ rule }) => rule.name === name);
    if (!found) throw new ProblemError("rule_unknown");
    return answerJson(JSON.stringify(viewOf(found)));
  };

  return new Elysia()
    .get("/rules", listRules, LIST_RULES)
    .get("/rules/:name/dead", listDead, LIST_DEAD_DELIVERIES)
    .post("/rules/:name/replay", replay, REPLAY_DELIVERIES)
    .post("/rules/:name/resume", resume, RESUME_RULE);
}

function viewOf({ rule, lag, retried, dead, lost, last, failure, ended }: RuleState) {
  return {
    name: rule.name,
    state: ended ? "ended" : "on",
    pattern: rule.pattern,
    target: rule.target,
    lag,
    retrying: retried,
    dead,
    lost,
    last_delivery: last ?? null,
    last_failure: ended ? { why: ended.why, at: ended.at } : (failure ?? null),
    ended_at: ended?.at ?? null,
  };
}

const TAG = "Rules";

const LIST_RULES = documented({
  tag: TAG,
  operationId: "listRules",
  summary: "How the rules go",
  description:
    "Each rule that this server has, and how far the shop's servers are with it. A target is shown without its " +
    "secrets, and without the path of its URL.",
  answers: {
    200: {
      description: "All rules, in the order of the file.",
      schema: Type.Object({ rules: Type.Array(RuleView) }, { $id: "RuleList" }),
      example: { rules: [RULE_EXAMPLE] },
    },
  },
  problems: ["unauthorized", "redis_away"],
});

const LIST_DEAD_DELIVERIES = documented({
  params: RuleParams,
  query: DeadQuery,
  tag: TAG,
  operationId: "listDeadDeliveries",
  summary: "Events that could not be delivered",
  description: "Those that were given up last come first. The newest 10,000 of a rule are kept, for 400 days.",
  answers: {
    200: {
      description: "A page of dead letters.",
      schema: Type.Object(
        { dead: Type.Array(DeadView), cursor: orNull(Type.String(EVENT), "of the next page; null: this is the last") },
        { $id: "DeadDeliveryPage" },
      ),
      example: { dead: [DEAD_EXAMPLE], cursor: null },
    },
  },
  problems: ["unauthorized", "rule_unknown", "invalid_input", "redis_away"],
});

const REPLAY_DELIVERIES = documented({
  params: RuleParams,
  query: ReplayQuery,
  tag: TAG,
  operationId: "replayDeliveries",
  summary: "Deliver dead letters again",
  description:
    `With \`event_id\` that one, else those that were given up first, at most ${MAX_REPLAYED} a request; \`left\` says ` +
    "how many stay. They are tried as new ones are, under the same `webhook-id`; what fails again is a dead letter " +
    "again. While 2,000 events of a rule are being tried again, none is added to them.",
  answers: {
    202: {
      description: "They are on their way.",
      schema: Type.Object(
        { replayed: Count("how many are tried again"), left: Count("how many dead letters are left") },
        { $id: "Replayed" },
      ),
      example: { replayed: 1, left: 0 },
    },
  },
  problems: ["unauthorized", "rule_unknown", "delivery_unknown", "invalid_input", "redis_away"],
});

const RESUME_RULE = documented({
  params: RuleParams,
  tag: TAG,
  operationId: "resumeRule",
  summary: "Go on with a rule that ended",
  description:
    "A webhook that answers 410 ends its rule. It goes on where it was, with the events that are still kept. Of a " +
    "rule that has not ended nothing changes.",
  answers: { 200: { description: "The rule.", schema: RuleView, example: RULE_EXAMPLE } },
  problems: ["unauthorized", "rule_unknown", "invalid_input", "redis_away"],
});
