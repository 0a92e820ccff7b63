/**
 * Owns what staff see of the deliveries of rules, and do about them.
 *
 * **Invariants**
 * - A dead letter that is replayed keeps its event's id: receivers drop what they have got.
 * - Every list is bounded.
 */
import { asInteger, asList, asText } from "../redis/reply.ts";
import { loadScript, type RunScript } from "../redis/script.ts";
import { decodeRecord } from "./delivery.ts";
import { inGroups } from "./ledger.ts";
import { timestampOf } from "./rule.ts";
import { MAX_PUT_BY } from "./tenure.ts";

/** As many as one request replays, and as one page lists. */
export const MAX_REPLAYED = 100;
/** No server has served such a rule for so long: it was taken out of all files. */
const FORGOTTEN_MS = 30 * 86_400_000;

export interface RuleMeasure {
  /** Events that it has yet to look at, entries that are in hand, and events to be tried again. */
  readonly lag: number;
  readonly retried: number;
  readonly dead: number;
  readonly lost: number;
  readonly ended: { readonly why: string; readonly at: string } | undefined;
  readonly last: LastDelivery | undefined;
  readonly failure: LastFailure | undefined;
}

interface LastDelivery {
  readonly event_id: string;
  readonly type: string;
  readonly at: string;
}

interface LastFailure {
  readonly why: string;
  readonly at: string;
}

interface DeadLetter {
  readonly event_id: string;
  readonly type: string;
  readonly order_id?: string;
  readonly timestamp: string;
  readonly died_at: string;
  readonly tries: number;
  readonly why: string;
  readonly data: unknown;
}

export interface Replayed {
  readonly replayed: number;
  /** Dead letters that stay. */
  readonly left: number;
  /** Of these, how many were to be tried again while as many as may be were tried already. */
  readonly refused: number;
}

export type DeadOutcome =
  | { readonly kind: "page"; readonly dead: readonly DeadLetter[]; readonly cursor: string | undefined }
  /** The event behind which the page was to begin is listed no more. */
  | { readonly kind: "cursor_gone" };

export type Deliveries = ReturnType<typeof createDeliveries>;

export function createDeliveries(run: RunScript) {
  const measureScript = loadScript("measure-rules");
  const listScript = loadScript("list-dead-deliveries");
  const replayScript = loadScript("replay-deliveries");
  const resumeScript = loadScript("resume-rule");
  const forgetScript = loadScript("forget-rules");

  return {
    /** Rejects when Redis does not answer. */
    measure: async (rules: readonly string[]): Promise<readonly RuleMeasure[]> =>
      asList(await run(measureScript, rules)).map((measure) => readMeasure(asList(measure))),

    /** The newest first. */
    listDead: async (rule: string, { after = "", most }: { after?: string; most: number }): Promise<DeadOutcome> => {
      const [isThere, flat, hasMore] = asList(await run(listScript, [rule, after, most]));
      if (isThere !== 1) return { kind: "cursor_gone" };
      const dead = inGroups(asList(flat), 3, readDead);
      return { kind: "page", dead, cursor: hasMore === 1 ? dead.at(-1)?.event_id : undefined };
    },

    /** Has these events tried again; none: those that died first. */
    replay: async (rule: string, events: readonly string[] = []): Promise<Replayed> => {
      const reply = await run(replayScript, [rule, MAX_REPLAYED, MAX_PUT_BY, ...events]);
      const [replayed = 0, left = 0, refused = 0] = asList(reply).map(asInteger);
      return { replayed, left, refused };
    },

    /** Whether it had ended. */
    resume: async (rule: string): Promise<boolean> => (await run(resumeScript, [rule])) === 1,

    /** Forgets the rules that are in no file any more. Resolves to their names. */
    forget: async (): Promise<string[]> => asList(await run(forgetScript, [FORGOTTEN_MS])).map(asText),
  };
}

function readMeasure([unread, inHand, retried, dead, lost, why, at, last, failure]: readonly unknown[]): RuleMeasure {
  return {
    lag: asInteger(unread) + asInteger(inHand) + asInteger(retried),
    retried: asInteger(retried),
    dead: asInteger(dead),
    lost: asInteger(lost),
    ended: at === "" ? undefined : { why: asText(why), at: asText(at) },
    last: readState(last) as LastDelivery | undefined,
    failure: readState(failure) as LastFailure | undefined,
  };
}

/** As `RuleLedger.state` wrote it. */
function readState(json: unknown): unknown {
  return json === "" ? undefined : JSON.parse(asText(json));
}

function readDead([id, diedMs, record]: readonly unknown[]): DeadLetter {
  const { event, tries, why } = decodeRecord(asText(id), asText(record));
  return {
    event_id: event.id,
    type: event.type,
    ...(event.orderId && { order_id: event.orderId }),
    timestamp: timestampOf(event.id),
    died_at: new Date(asInteger(diedMs)).toISOString(),
    tries,
    why,
    data: JSON.parse(event.data) as unknown,
  };
}
