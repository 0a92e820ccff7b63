/**
 * Owns the patterns of rules: which events a rule wants, in the language of EventBridge's event patterns.
 *
 * A pattern has the shape of the event: an object for an object, and for a value the list of those that are wanted. All
 * fields have to match, one value of each list, and one pattern of a `$or`. Of a list in an event one value has to.
 *
 * **Invariants**
 * - A pattern is compiled once, or all of its faults are listed, each with its path.
 * - Depth, alternatives and length are bounded, so matching is too.
 * - A pattern that no event can match, because it names what events do not have, is a fault.
 */
import { EVENT_TYPES, type ShopEvent } from "../events/event.ts";
import { OWN_EVENT_TYPE } from "../formats.ts";
import { timestampOf } from "./rule.ts";
import { compileValue, isLeaf, isRecord, type Fault, type Leaf } from "./operators.ts";

const MAX_DEPTH = 8;
/** As EventBridge bounds it: what the alternatives of all `$or` multiply to. */
const MAX_COMBINATIONS = 1000;
const MAX_CHARACTERS = 4096;
const MAX_TEXTS = 16;
/** What an event has, as it is delivered. */
const FIELDS = ["type", "timestamp", "event_id", "order_id", "data"];

export interface Pattern {
  readonly matches: (event: ShopEvent) => boolean;
  /** The only types that can match, such as `order.started` or `order.*`; undefined: any may. */
  readonly types: readonly string[] | undefined;
  /** Texts one of which is in the data of each event that matches, as JSON; undefined: none need be. */
  readonly texts: readonly string[] | undefined;
  /** Whether it looks into `data`. */
  readonly needsData: boolean;
}

interface PatternFault {
  /** Such as `data.price[0].numeric`; empty: the pattern itself. */
  readonly path: string;
  readonly detail: string;
}

export type PatternOutcome =
  | { readonly kind: "pattern"; readonly pattern: Pattern }
  | { readonly kind: "faults"; readonly faults: readonly PatternFault[] };

type Match = (value: unknown) => boolean;

export function compilePattern(json: unknown): PatternOutcome {
  const faults: PatternFault[] = [];
  const fault: Fault = (path, detail) => void faults.push({ path, detail });
  if (!isRecord(json)) return { kind: "faults", faults: [{ path: "", detail: "must be an object" }] };
  if (JSON.stringify(json).length > MAX_CHARACTERS) {
    return { kind: "faults", faults: [{ path: "", detail: `must be at most ${MAX_CHARACTERS} characters` }] };
  }
  const { test, combinations } = compileObject(json, "", 1, fault);
  checkFields(json, "", fault);
  if (combinations > MAX_COMBINATIONS) fault("$or", `makes more than ${MAX_COMBINATIONS} combinations`);
  if (faults.length > 0) return { kind: "faults", faults };
  const fields = new Set(fieldsIn(json));
  const needsData = fields.has("data");
  const isOfTypeAlone = fields.size === 0 || (fields.size === 1 && fields.has("type"));
  const matches = (event: ShopEvent): boolean =>
    test(isOfTypeAlone ? { type: event.type } : readEvent(event, needsData));
  return { kind: "pattern", pattern: { matches, types: typesOf(json), texts: textsOf(json), needsData } };
}

function readEvent({ id, type, orderId, data }: ShopEvent, needsData: boolean): unknown {
  return {
    type,
    timestamp: timestampOf(id),
    event_id: id,
    ...(orderId && { order_id: orderId }),
    ...(needsData && { data: JSON.parse(data) as unknown }),
  };
}

interface Compiled {
  readonly test: Match;
  readonly combinations: number;
}

function compileObject(json: Readonly<Record<string, unknown>>, path: string, depth: number, fault: Fault): Compiled {
  const parts = Object.entries(json).map(([name, wanted]) => {
    const at = path === "" ? name : `${path}.${name}`;
    if (depth > MAX_DEPTH) {
      fault(at, `is too deep: at most ${MAX_DEPTH} levels`);
      return { test: () => false, combinations: 1 };
    }
    return name === "$or" ? compileOr(wanted, at, depth, fault) : compileField(name, wanted, at, depth, fault);
  });
  if (parts.length === 0 && path !== "") fault(path, "must not be empty");
  return {
    test: (value) => parts.every(({ test }) => test(value)),
    combinations: parts.reduce((product, part) => product * part.combinations, 1),
  };
}

function compileOr(wanted: unknown, path: string, depth: number, fault: Fault): Compiled {
  if (!Array.isArray(wanted) || wanted.length < 2 || !wanted.every(isRecord)) {
    fault(path, "must be a list of two patterns or more");
    return { test: () => false, combinations: 1 };
  }
  const parts = wanted.map((each, index) => compileObject(each, `${path}[${index}]`, depth + 1, fault));
  return {
    test: (value) => parts.some(({ test }) => test(value)),
    combinations: parts.reduce((sum, part) => sum + part.combinations, 0),
  };
}

function compileField(name: string, wanted: unknown, path: string, depth: number, fault: Fault): Compiled {
  if (isRecord(wanted)) {
    const { test, combinations } = compileObject(wanted, path, depth + 1, fault);
    // Of a list of objects one has to match it whole; where there is none, only what asks for absence matches.
    return {
      combinations,
      test: (value) => {
        const found = fieldOf(value, name);
        return Array.isArray(found) ? found.some(test) : test(found);
      },
    };
  }
  if (!Array.isArray(wanted) || wanted.length === 0) {
    fault(path, "must be a list of wanted values, or an object");
    return { test: () => false, combinations: 1 };
  }
  const values = wanted.map((each, index) => compileValue(each, `${path}[${index}]`, fault));
  return {
    combinations: 1,
    test: (value) => {
      const leaves = leavesOf(fieldOf(value, name));
      return values.some((each) => (each.kind === "absent" ? leaves.length === 0 : leaves.some(each.test)));
    },
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** The value, or those of the list; none where it is an object, or not there. */
function leavesOf(value: unknown): readonly Leaf[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  return isLeaf(value) ? [value] : [];
}

/** The fields of an event that a pattern names, in all alternatives. */
function fieldsIn(json: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(json).flatMap(([name, wanted]) =>
    name === "$or" && Array.isArray(wanted) ? wanted.filter(isRecord).flatMap(fieldsIn) : [name],
  );
}

/** Finds fields and types that no event has. */
function checkFields(json: Readonly<Record<string, unknown>>, path: string, fault: Fault): void {
  for (const [name, wanted] of Object.entries(json)) {
    const at = path === "" ? name : `${path}.${name}`;
    if (name === "$or" && Array.isArray(wanted)) {
      for (const [index, each] of wanted.entries()) if (isRecord(each)) checkFields(each, `${at}[${index}]`, fault);
    } else if (name !== "$or" && !FIELDS.includes(name)) fault(at, `is no field of events: ${FIELDS.join(", ")} are`);
    else if (name === "type" && Array.isArray(wanted)) checkTypes(wanted, at, fault);
  }
}

function checkTypes(wanted: readonly unknown[], path: string, fault: Fault): void {
  const isType = (text: string): boolean =>
    (EVENT_TYPES as readonly string[]).includes(text) || new RegExp(`^${OWN_EVENT_TYPE}$`).test(text);
  for (const [index, each] of wanted.entries()) {
    if (typeof each === "string" && !isType(each)) fault(`${path}[${index}]`, "is no type of events");
  }
}

/** What Redis may leave out. A prefix has a star at its end. */
function typesOf({ type, $or }: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  if (Array.isArray(type)) {
    const types = type.map(typeToken);
    return types.every((token) => token !== undefined) ? types : undefined;
  }
  if (!Array.isArray($or)) return undefined;
  const all = $or.map((each: unknown) => (isRecord(each) ? typesOf(each) : undefined));
  return all.every((types) => types !== undefined) ? [...new Set(all.flat())] : undefined;
}

function typeToken(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const start = isRecord(value) ? value["prefix"] : undefined;
  return typeof start === "string" ? `${start}*` : undefined;
}

/** JSON spells such a text in one way. */
const PLAIN = /^[\w .:-]*$/;

/** What Redis may look for before it hands an event out: a member of `data` with one of few values. */
function textsOf({ data }: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  for (const [name, wanted] of isRecord(data) ? Object.entries(data) : []) {
    if (!PLAIN.test(name) || !Array.isArray(wanted) || wanted.length > MAX_TEXTS) continue;
    const isPlain = (value: unknown): value is string => typeof value === "string" && PLAIN.test(value);
    // A list in an event may hold one, too.
    if (wanted.every(isPlain)) return [...wanted.map((value) => `"${name}":"${value}"`), `"${name}":[`];
  }
  return undefined;
}
