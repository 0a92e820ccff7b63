/**
 * Owns where the events of a rule of the file go: a line of the log, a stream in Redis, or a webhook.
 *
 * **Invariants**
 * - A line of the log holds ids, types and states: never a customer's words.
 * - The id of a webhook is the same over tries, replicas and replays.
 * - What is shown of a target holds no secret, and no path or query of a URL.
 */
import type { ShopEvent } from "../events/event.ts";
import type { Log } from "../log.ts";
import type { WebhookSender, WebhookTarget } from "../webhooks/sender.ts";
import { isRecord } from "./operators.ts";
import { post } from "./post.ts";
import { encodeEvent, type DeliveryOutcome, type Rule } from "./rule.ts";

export type TargetDefinition =
  | { readonly kind: "log" }
  | { readonly kind: "stream"; readonly stream: string }
  | { readonly kind: "webhook"; readonly target: WebhookTarget };

interface TargetGround {
  readonly shop: string;
  readonly log: Log;
  readonly sender: WebhookSender;
  /** Whether the pattern looks into `data`. */
  readonly needsData: boolean;
}

type TargetParts = Pick<Rule, "target" | "targetKey" | "needsData" | "isOneLine" | "deliver">;

export function createTarget(rule: string, definition: TargetDefinition, ground: TargetGround): TargetParts {
  const { kind } = definition;
  if (kind === "log") return createLogTarget(rule, ground);
  const parts =
    kind === "stream"
      ? createStreamTarget(definition.stream, ground)
      : createWebhookTarget(rule, definition.target, ground);
  return { ...parts, needsData: true };
}

const STATE = /^[a-z_]{1,40}$/;

function createLogTarget(rule: string, { log, needsData }: TargetGround): TargetParts {
  const deliver = async ({ id, type, orderId, data }: ShopEvent): Promise<DeliveryOutcome> => {
    log.info({ rule, event: id, type, ...(orderId && { order_id: orderId }), ...statesIn(data) }, "an event");
    return { kind: "delivered" };
  };
  return { target: { kind: "log" }, targetKey: "log", needsData, isOneLine: true, deliver };
}

/** What may stand in a log, of the members of an event. (What a machine says stands deeper: it is no state.) */
function statesIn(data: string): object {
  const { status, reason } = readMembers(data);
  const isState = (value: unknown): boolean => typeof value === "string" && STATE.test(value);
  return { ...(isState(status) && { status }), ...(isState(reason) && { reason }) };
}

function readMembers(data: string): Readonly<Record<string, unknown>> {
  try {
    const members: unknown = JSON.parse(data);
    return isRecord(members) ? members : {};
  } catch {
    return {};
  }
}

function createStreamTarget(stream: string, { shop }: TargetGround): Omit<TargetParts, "needsData"> {
  return {
    target: { kind: "stream", stream: `{${shop}}:out:${stream}` },
    targetKey: `stream ${stream}`,
    isOneLine: true,
    deliver: async (event) => ({ kind: "delivered", append: { stream, event: encodeEvent(event) } }),
  };
}

function createWebhookTarget(
  rule: string,
  target: WebhookTarget,
  { sender }: TargetGround,
): Omit<TargetParts, "needsData"> {
  const key = new Bun.CryptoHasher("sha256").update(target.url).digest("hex");
  return {
    target: { kind: "webhook", url: new URL(target.url).origin },
    targetKey: `webhook ${key}`,
    deliver: (event, signal) => {
      const message = { id: `${rule}_${event.id}`, body: encodeEvent(event) };
      return post({ sender, target, message, data: event.data, signal, gone: "ended" });
    },
  };
}
