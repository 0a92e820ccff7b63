/**
 * Owns the file of rules that RULES_FILE names: its shape, its check, and the rules that it says.
 *
 * **Invariants**
 * - All faults are listed at once, each with the rule and the field. Then the server does not start.
 * - No fault shows a secret.
 */
import { FormatRegistry, Type, type Static, type TObject } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { HostList } from "../host-list.ts";
import type { Log } from "../log.ts";
import { wholeNumber } from "../numeric.ts";
import { faultsOf } from "../schema-faults.ts";
import { SettingsError } from "../settings-error.ts";
import { readSecrets } from "../webhook-secrets.ts";
import type { WebhookSender } from "../webhooks/sender.ts";
import { findUrlFault } from "../webhooks/url.ts";
import { isRecord } from "./operators.ts";
import { compilePattern, type Pattern } from "./pattern.ts";
import { RULE_NAME, type Rule } from "./rule.ts";
import { createTarget, type TargetDefinition } from "./targets.ts";

const MAX_RULES = 32;
const MAX_BYTES = 1_000_000;
/** As EventBridge tries. */
const RETRY_SECONDS = 86_400;
const TIMEOUT_SECONDS = 10;
/** Rules of the server itself. */
const OWN_NAMES = ["callbacks"];
const STREAM_TARGET = /^stream:([A-Za-z0-9_-]{1,64})$/;

FormatRegistry.Set("rule-name", (text) => new RegExp(RULE_NAME).test(text) && !OWN_NAMES.includes(text));
FormatRegistry.Set("secret-name", (text) => /^WEBHOOK_SECRET(_[A-Z0-9_]{1,64})?$/.test(text));

const RuleJson = Type.Object(
  {
    name: Type.String({
      format: "rule-name",
      description: "1 to 40 small letters, digits and -, not at an end, and no name of a rule of the server itself",
    }),
    // Both are checked by themselves.
    pattern: Type.Optional(Type.Unknown()),
    target: Type.Optional(Type.Unknown()),
    retry_for_seconds: Type.Optional(wholeNumber(1, 604_800)),
  },
  { additionalProperties: false },
);

const Webhook = Type.Object(
  {
    url: Type.String({ description: "a URL" }),
    secret_env: Type.Optional(
      Type.String({ format: "secret-name", description: "the name of a variable, WEBHOOK_SECRET or WEBHOOK_SECRET_…" }),
    ),
    secret_file: Type.Optional(Type.String({ minLength: 1, description: "a file" })),
    timeout_seconds: Type.Optional(wholeNumber(1, 60)),
  },
  { additionalProperties: false },
);
type Webhook = Static<typeof Webhook>;

/** What rules are made with. */
export interface RuleGround {
  readonly shop: string;
  readonly log: Log;
  readonly sender: WebhookSender;
  /** A final order as it is shown; undefined where it is no longer kept. */
  readonly findFinal: (orderId: string) => Promise<string | undefined>;
}

/** A rule of the file, checked: what is missing is what a server has once it is open. */
export type DefineRule = (ground: RuleGround) => Rule;

export interface FileSettings {
  readonly rulesFile: string | undefined;
  /** The variables of the environment that may hold secrets. */
  readonly webhookSecrets: Readonly<Record<string, string>>;
  readonly webhookAllow: HostList;
}

type Fault = (field: string, detail: string) => void;

/** The rules of the file; none where there is no file. Throws a SettingsError that lists every fault. */
export async function readRulesFile(settings: FileSettings): Promise<readonly DefineRule[]> {
  const { rulesFile: path } = settings;
  if (path === undefined) return [];
  const faults: string[] = [];
  const json = await readJson(path, faults);
  const listed = faults.length > 0 ? [] : readList(json, faults);
  const names = new Map<string, number>();
  const defined: DefineRule[] = [];
  for (const [index, rule] of listed.entries()) {
    const name = isRecord(rule) && typeof rule["name"] === "string" ? rule["name"] : "";
    const title = name === "" ? `rules[${index}]` : `rule ${JSON.stringify(name).slice(1, 60).replace(/"$/, "")}`;
    const fault: Fault = (field, detail) => void faults.push(`${title}: ${field} ${detail}`);
    const first = names.get(name);
    if (name !== "" && first !== undefined) fault("name", `is that of rules[${first}] too: give it another one`);
    names.set(name, first ?? index);
    const define = await readRule(rule, settings, fault);
    if (define) defined.push(define);
  }
  if (faults.length === 0) return defined;
  throw new SettingsError(faults.map((fault) => `RULES_FILE: ${path}: ${fault}`));
}

async function readJson(path: string, faults: string[]): Promise<unknown> {
  const file = Bun.file(path);
  try {
    if (file.size > MAX_BYTES) faults.push(`is larger than ${MAX_BYTES} bytes`);
    else return JSON.parse(await file.text()) as unknown;
  } catch (error) {
    faults.push(error instanceof SyntaxError ? "is no JSON" : "can't be read");
  }
  return undefined;
}

function readList(json: unknown, faults: string[]): readonly unknown[] {
  const { rules, ...more } = isRecord(json) ? json : {};
  for (const name of Object.keys(more)) faults.push(`${name} is not known here: leave it out`);
  if (Array.isArray(rules) && rules.length <= MAX_RULES) return rules;
  faults.push(`rules must be a list of at most ${MAX_RULES} rules`);
  return [];
}

async function readRule(json: unknown, settings: FileSettings, fault: Fault): Promise<DefineRule | undefined> {
  const isWhole = check(RuleJson, json, "", fault);
  if (!isRecord(json)) return undefined;
  const pattern = readPattern(json["pattern"], fault);
  const target = await readTarget(json["target"], settings, fault);
  if (!isWhole || !pattern || !target) return undefined;
  const { name, pattern: shown, retry_for_seconds: retryForSeconds = RETRY_SECONDS } = json;
  const { types, texts, needsData, matches } = pattern;
  return (ground) => ({
    name,
    pattern: shown as object,
    types,
    texts,
    matches,
    retryForMs: retryForSeconds * 1000,
    ...createTarget(name, target, { ...ground, needsData }),
  });
}

function readPattern(json: unknown, fault: Fault): Pattern | undefined {
  const compiled = compilePattern(json);
  if (compiled.kind === "pattern") return compiled.pattern;
  for (const { path, detail } of compiled.faults) fault(path === "" ? "pattern" : `pattern.${path}`, detail);
  return undefined;
}

async function readTarget(json: unknown, settings: FileSettings, fault: Fault): Promise<TargetDefinition | undefined> {
  if (json === "log") return { kind: "log" };
  const stream = typeof json === "string" ? STREAM_TARGET.exec(json)?.[1] : undefined;
  if (stream !== undefined) return { kind: "stream", stream };
  const { webhook, ...more } = isRecord(json) ? json : {};
  if (webhook === undefined || Object.keys(more).length > 0) {
    fault("target", `must be "log", "stream:<name>" or {"webhook": {…}}`);
    return undefined;
  }
  return check(Webhook, webhook, "target.webhook", fault) ? await readWebhook(webhook, settings, fault) : undefined;
}

async function readWebhook(
  { url, secret_env: secretEnv, secret_file: secretFile, timeout_seconds: seconds = TIMEOUT_SECONDS }: Webhook,
  { webhookSecrets, webhookAllow }: FileSettings,
  fault: Fault,
): Promise<TargetDefinition | undefined> {
  const urlFault = findUrlFault(url, webhookAllow);
  if (urlFault !== undefined) fault("target.webhook.url", urlFault);
  if ((secretEnv === undefined) === (secretFile === undefined)) {
    fault("target.webhook", "needs secret_env or secret_file, and not both");
    return undefined;
  }
  const field = secretEnv === undefined ? "target.webhook.secret_file" : "target.webhook.secret_env";
  const text = secretEnv === undefined ? await readText(secretFile ?? "") : webhookSecrets[secretEnv];
  if (text === undefined) {
    fault(field, secretEnv === undefined ? "can't be read" : `${secretEnv} is not set`);
    return undefined;
  }
  const reading = readSecrets(text);
  if (reading.kind === "fault") fault(field, `must hold ${reading.fault}`);
  if (reading.kind === "fault" || urlFault !== undefined) return undefined;
  return { kind: "webhook", target: { url, secrets: reading.secrets, timeoutMs: seconds * 1000 } };
}

export async function readText(path: string): Promise<string | undefined> {
  return await Bun.file(path)
    .text()
    .catch(() => undefined);
}

/** Whether a value has a shape; says what it lacks. */
function check<Schema extends TObject>(
  schema: Schema,
  json: unknown,
  path: string,
  fault: Fault,
): json is Static<Schema> {
  if (Value.Check(schema, json)) return true;
  const whole = path || "it";
  for (const { field, detail } of faultsOf(Value.Errors(schema, json), whole)) {
    fault(path === "" || field === whole ? field : `${path}.${field}`, detail);
  }
  return false;
}
