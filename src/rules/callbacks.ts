/**
 * Owns the rule of callbacks: each final order is posted where its customer asked for it.
 *
 * **Invariants**
 * - What is posted is the order as it is shown, signed as Standard Webhooks says, under an id that stays the same.
 * - A host that is allowed no more gets nothing more.
 * - One customer's target ends nothing for others: what it does not want becomes a dead letter.
 */
import { FINAL_TYPES, type ShopEvent } from "../events/event.ts";
import { isRedisUnavailable } from "../redis/unavailable.ts";
import { SettingsError } from "../settings-error.ts";
import { readSecrets } from "../webhook-secrets.ts";
import { findCallbackFault, type CallbackSettings } from "../webhooks/callback-url.ts";
import { isRecord } from "./operators.ts";
import { post } from "./post.ts";
import type { DeliveryOutcome } from "./rule.ts";
import { readText, type DefineRule, type RuleGround } from "./rules-file.ts";

const TIMEOUT_MS = 10_000;
const RETRY_FOR_MS = 86_400_000;
/** Redis was away: nothing was sent. */
const LOOK_AGAIN_MS = 1000;

export interface CallbackConfig extends CallbackSettings {
  readonly callbackSecret: string | undefined;
  readonly callbackSecretFile: string | undefined;
}

/** The rule of callbacks; none where no host is allowed. Throws a SettingsError for secrets that are none. */
export async function defineCallbacks(config: CallbackConfig): Promise<readonly DefineRule[]> {
  if (config.callbackAllow.isEmpty) return [];
  const secrets = await readSigning(config);
  return [
    (ground) => ({
      name: "callbacks",
      pattern: { type: FINAL_TYPES, data: { callback_url: [{ exists: true }] } },
      target: { kind: "callback" },
      targetKey: "callback",
      types: FINAL_TYPES,
      texts: ['"callback_url":"'],
      needsData: true,
      retryForMs: RETRY_FOR_MS,
      matches: (event) => readUrl(event) !== undefined,
      deliver: (event, signal) => deliver(event, { ...ground, config, secrets, signal }),
    }),
  ];
}

async function readSigning(config: CallbackConfig): Promise<readonly string[]> {
  const { callbackSecret, callbackSecretFile: path } = config;
  const text = callbackSecret ?? (await readText(path ?? ""));
  if (text === undefined) throw new SettingsError([`CALLBACK_SECRET_FILE: ${path} can't be read`]);
  const reading = readSecrets(text);
  if (reading.kind === "secrets") return reading.secrets;
  const name = callbackSecret === undefined ? "CALLBACK_SECRET_FILE" : "CALLBACK_SECRET";
  throw new SettingsError([`${name}: must hold ${reading.fault}`]);
}

interface Delivering extends Pick<RuleGround, "sender" | "findFinal"> {
  readonly config: CallbackConfig;
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
}

async function deliver(
  event: ShopEvent,
  { config, sender, findFinal, secrets, signal }: Delivering,
): Promise<DeliveryOutcome> {
  const url = readUrl(event) ?? "";
  const fault = findCallbackFault(url, config);
  if (fault !== undefined) return { kind: "dead", why: `its URL ${fault}` };
  const { orderId, data } = event;
  try {
    // (An order that is no longer kept is posted as its last event has it.)
    const body = (await findFinal(orderId)) ?? `{"order_id":"${orderId}",${data.slice(1)}`;
    const message = { id: `callback_${orderId}`, body };
    return await post({ sender, target: { url, secrets, timeoutMs: TIMEOUT_MS }, message, data, signal, gone: "dead" });
  } catch (error) {
    if (!isRedisUnavailable(error)) throw error;
    return { kind: "held", why: "Redis does not answer", retryAfterMs: LOOK_AGAIN_MS };
  }
}

function readUrl({ data }: ShopEvent): string | undefined {
  if (!data.includes('"callback_url":"')) return undefined;
  const members: unknown = JSON.parse(data);
  const url = isRecord(members) ? members["callback_url"] : undefined;
  return typeof url === "string" ? url : undefined;
}
