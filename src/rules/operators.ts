/**
 * Owns what a pattern may ask of one value: the comparison operators of EventBridge's event patterns.
 *
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 *
 * **Invariants**
 * - An operator is compiled once. What it costs then is bounded by the length of pattern and value.
 * - Every fault names its place in the pattern.
 */

/** A leaf of an event: text, number, true, false or null. */
export type Leaf = string | number | boolean | null;
type Test = (leaf: Leaf) => boolean;

/** Says a fault of the pattern. */
export type Fault = (path: string, detail: string) => void;

/** What one value of a list asks for. `isAbsent`: that the field is not there. */
export type Wanted = { readonly kind: "leaf"; readonly test: Test } | { readonly kind: "absent" };

const NEVER: Test = () => false;

/** Numbers beyond it are not exact in EventBridge either. */
const MAX_NUMBER = 5_000_000_000;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isLeaf(value: unknown): value is Leaf {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** Compiles one value of a list. */
export function compileValue(value: unknown, path: string, fault: Fault): Wanted {
  if (isLeaf(value)) return { kind: "leaf", test: (leaf) => leaf === value };
  const [operator, ...more] = isRecord(value) ? Object.entries(value) : [];
  if (!operator || more.length > 0) {
    fault(path, `must be text, a number, true, false, null or one operator: ${OPERATOR_NAMES}`);
    return { kind: "leaf", test: NEVER };
  }
  const [name, operand] = operator;
  if (name === "exists") return compileExists(operand, `${path}.exists`, fault);
  const compile = OPERATORS[name];
  if (!compile) fault(`${path}.${name}`, `is no operator: there are ${OPERATOR_NAMES}`);
  return { kind: "leaf", test: compile?.(operand, `${path}.${name}`, fault) ?? NEVER };
}

function compileExists(operand: unknown, path: string, fault: Fault): Wanted {
  if (typeof operand !== "boolean") fault(path, "must be true or false");
  return operand === false ? { kind: "absent" } : { kind: "leaf", test: () => true };
}

type Compile = (operand: unknown, path: string, fault: Fault) => Test;

const compileText =
  (make: (text: string) => (leaf: string) => boolean): Compile =>
  (operand, path, fault) => {
    if (typeof operand !== "string" || operand === "") {
      fault(path, "must be text, not empty");
      return NEVER;
    }
    const test = make(operand);
    return (leaf) => typeof leaf === "string" && test(leaf);
  };

const caseless = compileText((text) => {
  const wanted = text.toLowerCase();
  return (leaf) => leaf.toLowerCase() === wanted;
});

/** `{"prefix": "a"}`, or `{"prefix": {"equals-ignore-case": "a"}}`. */
const compileEnd =
  (compares: (leaf: string, end: string) => boolean): Compile =>
  (operand, path, fault) => {
    if (!isRecord(operand)) return compileText((end) => (leaf) => compares(leaf, end))(operand, path, fault);
    const [name, ...more] = Object.keys(operand);
    if (name !== "equals-ignore-case" || more.length > 0) {
      fault(path, "must be text, or equals-ignore-case of text");
      return NEVER;
    }
    const ignoring = compileText((end) => {
      const lower = end.toLowerCase();
      return (leaf) => compares(leaf.toLowerCase(), lower);
    });
    return ignoring(operand[name], `${path}.${name}`, fault);
  };

/** `*` stands for any characters; `\*` and `\\` for themselves. */
const wildcard: Compile = (operand, path, fault) => {
  if (typeof operand === "string" && /\*\*|\\(?![*\\])|^(?:[^\\]|\\.)*\\$/.test(operand)) {
    fault(path, String.raw`must not have * beside *, and \ only before * or \ `.trim());
    return NEVER;
  }
  return compileText(compileWildcard)(operand, path, fault);
};

/** The parts between the stars, each looked for behind the one before: no backtracking. */
function compileWildcard(text: string): (leaf: string) => boolean {
  const parts = Array.from(text.matchAll(/(?:[^*\\]|\\.)+|\*/g), ([part]) => part);
  const isOpenAtStart = parts[0] === "*";
  const isOpenAtEnd = parts.at(-1) === "*";
  const texts = parts.filter((part) => part !== "*").map((part) => part.replaceAll(/\\(.)/g, "$1"));
  const last = isOpenAtEnd ? undefined : texts.pop();
  return (leaf) => {
    const end = leaf.length - (last?.length ?? 0);
    if (last !== undefined && !leaf.endsWith(last)) return false;
    if (last !== undefined && texts.length === 0 && !isOpenAtStart) return leaf === last;
    let at = 0;
    for (const [index, part] of texts.entries()) {
      const found = index === 0 && !isOpenAtStart ? (leaf.startsWith(part) ? 0 : -1) : leaf.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

const COMPARISONS: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  "=": (value, bound) => value === bound,
  "<": (value, bound) => value < bound,
  "<=": (value, bound) => value <= bound,
  ">": (value, bound) => value > bound,
  ">=": (value, bound) => value >= bound,
};

/** `["=", 5]`, `[">", 0, "<=", 5]` */
const numeric: Compile = (operand, path, fault) => {
  const parts: readonly unknown[] = Array.isArray(operand) ? operand : [];
  const tests: ((value: number) => boolean)[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [sign, bound] = [parts[at], parts[at + 1]];
    const compares = typeof sign === "string" ? COMPARISONS[sign] : undefined;
    if (compares && typeof bound === "number" && Math.abs(bound) <= MAX_NUMBER) {
      tests.push((value) => compares(value, bound));
    }
  }
  if (tests.length !== parts.length / 2 || tests.length === 0 || tests.length > 2) {
    fault(path, `must be one or two comparisons such as [">", 0, "<=", 5], with =, <, <=, > or >=`);
    return NEVER;
  }
  return (leaf) => typeof leaf === "number" && tests.every((test) => test(leaf));
};

/** Of a value, a list of values, or one operator of a text or of a list of texts. */
const anythingBut: Compile = (operand, path, fault) => {
  const isNot =
    (test: Test): Test =>
    (leaf) =>
      !test(leaf);
  if (isRecord(operand)) {
    const [name = "", ...more] = Object.keys(operand);
    const compile = BUT_OPERATORS[name];
    if (!compile || more.length > 0) {
      fault(path, `must be a value, a list of values, or one of ${Object.keys(BUT_OPERATORS).join(", ")}`);
      return NEVER;
    }
    const operands: readonly unknown[] = Array.isArray(operand[name]) ? operand[name] : [operand[name]];
    if (operands.length === 0) fault(`${path}.${name}`, "must not be an empty list");
    const tests = operands.map((each) => compile(each, `${path}.${name}`, fault));
    return isNot((leaf) => tests.some((test) => test(leaf)));
  }
  const values: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  if (values.length === 0 || !values.every((each) => typeof each === "string" || typeof each === "number")) {
    fault(path, "must be text or a number, or a list of them");
    return NEVER;
  }
  const unwanted = new Set<unknown>(values);
  return (leaf) => !unwanted.has(leaf);
};

const prefix = compileEnd((leaf, end) => leaf.startsWith(end));
const suffix = compileEnd((leaf, end) => leaf.endsWith(end));

const BUT_OPERATORS: Readonly<Record<string, Compile>> = { prefix, suffix, "equals-ignore-case": caseless, wildcard };
const OPERATORS: Readonly<Record<string, Compile>> = { ...BUT_OPERATORS, "anything-but": anythingBut, numeric };
const OPERATOR_NAMES = [...Object.keys(OPERATORS), "exists"].join(", ");
