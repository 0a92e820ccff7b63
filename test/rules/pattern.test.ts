/** Patterns as EventBridge's documentation describes them, by its own examples where it has one. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compilePattern } from "../../src/rules/pattern.ts";

type Event = Parameters<Extract<ReturnType<typeof compilePattern>, { kind: "pattern" }>["pattern"]["matches"]>[0];

const eventOf = (data: object, type = "order.started", orderId = "01938a5e"): Event => ({
  id: "1763631000120-17",
  type,
  orderId,
  data: JSON.stringify(data),
});

function compiled(pattern: unknown) {
  const outcome = compilePattern(pattern);
  if (outcome.kind !== "pattern") throw new Error(JSON.stringify(outcome.faults));
  return outcome.pattern;
}

/** Whether a pattern of `data.value` matches an event that has this value there; undefined: it has none. */
function matchesValue(wanted: readonly unknown[], value: unknown): boolean {
  return compiled({ data: { value: wanted } }).matches(eventOf({ value }));
}

describe("operators", () => {
  test.each<[name: string, wanted: readonly unknown[], yes: readonly unknown[], no: readonly unknown[]]>([
    ["equals", ["New York"], ["New York", ["Paris", "New York"]], ["new york", "", undefined, 1]],
    ["one of several", ["Credit", "Debit", 3], ["Credit", "Debit", 3], ["Cash", "3"]],
    ["true and false", [true], [true], [false, "true", 1]],
    ["null", [null], [null], ["", 0, undefined, "null"]],
    ["empty", [""], [""], [null, " ", undefined]],
    ["prefix", [{ prefix: "us-" }], ["us-", "us-east-1"], ["eu-us-", "US-east", 1, undefined]],
    ["prefix, ignoring case", [{ prefix: { "equals-ignore-case": "EventB" } }], ["eventbridge", "EVENTB"], ["event"]],
    ["suffix", [{ suffix: ".png" }], [".png", "a.png"], ["a.PNG", "png"]],
    [
      "suffix, ignoring case",
      [{ suffix: { "equals-ignore-case": "tBridge" } }],
      ["eventbridge", "TBRIDGE"],
      ["bridges"],
    ],
    ["equals-ignore-case", [{ "equals-ignore-case": "alice" }], ["Alice", "ALICE"], ["alicia", undefined]],
    ["anything-but", [{ "anything-but": "initializing" }], ["running", 1, null], ["initializing", undefined]],
    ["anything-but a number", [{ "anything-but": 123 }], [124, "123"], [123, undefined]],
    ["anything-but a list", [{ "anything-but": ["a", 2] }], ["b", 3], ["a", 2, undefined]],
    ["anything-but prefix", [{ "anything-but": { prefix: "us-" } }], ["eu-1"], ["us-1", undefined]],
    ["anything-but prefixes", [{ "anything-but": { prefix: ["us-", "eu-"] } }], ["ap-1"], ["us-1", "eu-1"]],
    ["anything-but suffix", [{ "anything-but": { suffix: ".png" } }], ["a.jpg"], ["a.png"]],
    ["anything-but, ignoring case", [{ "anything-but": { "equals-ignore-case": ["a", "b"] } }], ["c"], ["A", "b"]],
    ["anything-but wildcard", [{ "anything-but": { wildcard: "*/lib/*" } }], ["a/bin/b"], ["a/lib/b"]],
    ["numeric equal", [{ numeric: ["=", 100] }], [100, 1e2], [101, "100", undefined]],
    ["numeric range", [{ numeric: [">", 10, "<=", 20] }], [10.5, 20], [10, 20.1, "15"]],
    ["numeric below", [{ numeric: ["<", -3.5] }], [-4], [-3.5, 0]],
    ["exists", [{ exists: true }], ["", 0, null, false, ["a"]], [undefined, [], { a: 1 }]],
    ["does not exist", [{ exists: false }], [undefined, [], { a: 1 }], ["", null]],
    ["absent or a value", ["a", { exists: false }], ["a", undefined], ["b"]],
    [
      "wildcard",
      [{ wildcard: "dir/*.png" }],
      ["dir/a.png", "dir/.png", "dir/b/a.png"],
      ["dir/a.jpg", "xdir/a.png", "dir/png"],
    ],
    ["wildcard at both ends", [{ wildcard: "*a*b*" }], ["ab", "xaxbx"], ["ba", "a"]],
    ["wildcard that may not overlap", [{ wildcard: "ab*ba" }], ["abba", "abxba"], ["aba"]],
    ["wildcard alone", [{ wildcard: "*" }], ["", "a"], [1, undefined]],
    ["wildcard, escaped", [{ wildcard: String.raw`a\*\\*` }], [String.raw`a*\b`], [String.raw`ab\b`]],
  ])("%s", (_name, wanted, yes, no) => {
    for (const value of yes) expect([value, matchesValue(wanted, value)]).toEqual([value, true]);
    for (const value of no) expect([value, matchesValue(wanted, value)]).toEqual([value, false]);
  });

  test("a wildcard matches what a regular expression matches", () => {
    const pattern = fc.array(fc.constantFrom("a", "b", "*", String.raw`\*`), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab*]{0,10}$/), (parts, text) => {
        const wildcard = parts.join("").replaceAll(/\*\*+/g, "*");
        const outcome = compilePattern({ data: { value: [{ wildcard }] } });
        fc.pre(outcome.kind === "pattern");
        const regExp = wildcard.replaceAll(/\\\*|\*/g, (part) => (part === "*" ? ".*" : String.raw`\*`));
        return matchesValue([{ wildcard }], text) === new RegExp(`^${regExp}$`).test(text);
      }),
    );
  });
});

describe("patterns", () => {
  const matches = (pattern: unknown, event = eventOf({ item: "latte", price: 450, to: { city: "Rome" } })) =>
    compiled(pattern).matches(event);

  test("all fields have to match, at every depth; an empty pattern matches all", () => {
    expect(matches({})).toBe(true);
    expect(matches({ type: ["order.started"], data: { item: ["latte"], to: { city: ["Rome"] } } })).toBe(true);
    expect(matches({ type: ["order.started"], data: { item: ["latte"], to: { city: ["Oslo"] } } })).toBe(false);
    expect(matches({ type: ["order.placed"], data: { item: ["latte"] } })).toBe(false);
  });

  test("of what every event has, time and ids can be asked for too", () => {
    expect(matches({ timestamp: [{ prefix: "2025-11-20T09:30" }], event_id: [{ suffix: "-17" }] })).toBe(true);
    expect(matches({ order_id: ["01938a5e"] })).toBe(true);
    expect(matches({ order_id: [{ exists: false }] })).toBe(false);
    expect(matches({ order_id: [{ exists: false }] }, eventOf({}, "menu.changed", ""))).toBe(true);
  });

  test("$or: one of its patterns, at every depth, beside other fields", () => {
    const or = { data: { $or: [{ item: ["mocha"] }, { price: [{ numeric: [">", 400] }] }] } };
    expect(matches(or)).toBe(true);
    expect(matches(or, eventOf({ item: "mocha", price: 100 }))).toBe(true);
    expect(matches(or, eventOf({ item: "latte", price: 100 }))).toBe(false);
    expect(matches({ $or: [{ type: ["order.placed"] }, { data: { item: ["latte"] } }], data: { price: [450] } })).toBe(
      true,
    );
  });

  test("of a list of objects one has to match whole", () => {
    const event = eventOf({
      items: [
        { id: "a", size: 1 },
        { id: "b", size: 2 },
      ],
    });
    expect(matches({ data: { items: { id: ["a"], size: [1] } } }, event)).toBe(true);
    expect(matches({ data: { items: { id: ["a"], size: [2] } } }, event)).toBe(false);
  });

  test("names that objects inherit are no fields", () => {
    expect(matches({ data: { constructor: [{ exists: true }] } })).toBe(false);
    expect(matches({ data: { ["__proto__"]: { toString: [{ exists: false }] } } })).toBe(true);
  });

  test.each<[pattern: unknown, types: readonly string[] | undefined, needsData: boolean]>([
    [{}, undefined, false],
    [{ type: ["order.started", { prefix: "payment." }] }, ["order.started", "payment.*"], false],
    [{ type: [{ suffix: ".started" }] }, undefined, false],
    [{ type: ["order.started"], data: { item: ["latte"] } }, ["order.started"], true],
    [{ $or: [{ type: ["order.started"] }, { type: ["order.placed"] }] }, ["order.started", "order.placed"], false],
    [{ $or: [{ type: ["order.started"] }, { data: { item: ["latte"] } }] }, undefined, true],
    [{ data: { item: ["latte"] } }, undefined, true],
  ])("%j: what of an event is read", (pattern, types, needsData) => {
    const { types: found, needsData: needs } = compiled(pattern);
    expect([found, needs]).toEqual([types, needsData]);
  });

  test("data that is not asked for is not read", () => {
    const garbled = { ...eventOf({}), data: "{" };
    expect(compiled({ type: ["order.started"] }).matches(garbled)).toBe(true);
    expect(compiled({ order_id: ["01938a5e"] }).matches(garbled)).toBe(true);
    expect(() => compiled({ data: { a: [1] } }).matches(garbled)).toThrow();
  });
});

describe("faults", () => {
  const deep = (levels: number): unknown => (levels === 0 ? ["a"] : { a: deep(levels - 1) });
  const or = (count: number) => ({ $or: Array.from({ length: count }, (_, n) => ({ a: [n] })) });

  test.each<[name: string, pattern: unknown, faults: readonly [path: string, detail: string][]]>([
    ["no object", [], [["", "must be an object"]]],
    [
      "a field of no event",
      { detail: {} },
      [
        ["detail", "is no field of events"],
        ["detail", "must not be empty"],
      ],
    ],
    ["a type of no event", { type: ["order.stated"] }, [["type[0]", "is no type of events"]]],
    ["a value in no list", { data: { item: "latte" } }, [["data.item", "must be a list of wanted values"]]],
    ["an empty list", { data: { item: [] } }, [["data.item", "must be a list of wanted values"]]],
    ["an unknown operator", { data: { item: [{ like: "a" }] } }, [["data.item[0].like", "is no operator"]]],
    ["two operators", { data: { item: [{ prefix: "a", suffix: "b" }] } }, [["data.item[0]", "or one operator"]]],
    ["a list in a list", { data: { item: [["a"]] } }, [["data.item[0]", "must be text"]]],
    ["a wrong prefix", { data: { item: [{ prefix: 1 }] } }, [["data.item[0].prefix", "must be text"]]],
    ["wrong numbers", { data: { n: [{ numeric: [">", "1"] }] } }, [["data.n[0].numeric", "one or two comparisons"]]],
    ["odd numbers", { data: { n: [{ numeric: [">"] }] } }, [["data.n[0].numeric", "one or two comparisons"]]],
    ["too large numbers", { data: { n: [{ numeric: [">", 5e9 + 1] }] } }, [["data.n[0].numeric", "comparisons"]]],
    ["exists of no truth", { data: { n: [{ exists: "yes" }] } }, [["data.n[0].exists", "must be true or false"]]],
    ["stars side by side", { data: { n: [{ wildcard: "a**" }] } }, [["data.n[0].wildcard", "must not have *"]]],
    ["a stray backslash", { data: { n: [{ wildcard: "a\\b" }] } }, [["data.n[0].wildcard", "must not have *"]]],
    ["anything-but nothing", { data: { n: [{ "anything-but": [] }] } }, [["data.n[0].anything-but", "must be text"]]],
    ["anything-but true", { data: { n: [{ "anything-but": true }] } }, [["data.n[0].anything-but", "must be text"]]],
    [
      "anything-but what",
      { data: { n: [{ "anything-but": { numeric: [] } }] } },
      [["data.n[0].anything-but", "one of"]],
    ],
    ["a lonely $or", { $or: [{ type: ["order.placed"] }] }, [["$or", "two patterns or more"]]],
    [
      "faults in $or",
      { $or: [{ detail: [1] }, { type: ["x"] }] },
      [
        ["$or[0].detail", "is no field"],
        ["$or[1].type[0]", "is no type"],
      ],
    ],
    ["too deep", { data: deep(8) }, [["data.a.a.a.a.a.a.a.a", "is too deep"]]],
    ["too long", { data: { a: ["x".repeat(4096)] } }, [["", "at most 4096 characters"]]],
    ["too many combinations", { data: { a: or(40), b: or(40) } }, [["$or", "more than 1000 combinations"]]],
    [
      "several",
      { type: ["x"], data: { a: [{ prefix: "" }] } },
      [
        ["data.a[0].prefix", "must be text"],
        ["type[0]", "is no type"],
      ],
    ],
  ])("%s", (_name, pattern, wanted) => {
    const outcome = compilePattern(pattern);
    if (outcome.kind !== "faults") throw new Error("it has no fault");
    const found = outcome.faults.toSorted((one, other) => one.path.localeCompare(other.path));
    expect(found.map(({ path }) => path)).toEqual(wanted.map(([path]) => path).toSorted((a, b) => a.localeCompare(b)));
    for (const [path, detail] of wanted) {
      expect(
        found
          .filter((fault) => fault.path === path)
          .map((fault) => fault.detail)
          .join(),
      ).toContain(detail);
    }
  });
});
