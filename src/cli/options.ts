/**
 * Owns the arguments of commands: a table of options becomes typed values, a usage text, or one line that says what is
 * wrong.
 *
 * **Invariants**
 * - Values are in range, and neither a fault nor the usage text repeats a value that was given.
 */
import { isIP } from "node:net";
import { parseArgs } from "node:util";

/**
 * One option. `read` answers undefined for a text that it can't take; `fallback` is text too, so that the usage can
 * show it.
 */
export type Option<Value> = {
  readonly help: string;
  /** The variable of the environment that counts where the option is not given. */
  readonly variable?: string;
  /** A name that it had before, which still counts. */
  readonly formerly?: string;
  readonly fallback: string;
  readonly expects: string;
  /** It takes no value; `read` is given whether it is there, as text. */
  readonly isSwitch?: boolean;
  readonly read: (text: string) => Value | undefined;
};

/** Options by their names in camelCase; on the command line `groupMin` is `--group-min`. */
export type Spec = Readonly<Record<string, Option<unknown>>>;

export type Values<S extends Spec> = {
  readonly [Name in keyof S]: S[Name] extends Option<infer Value> ? Value : never;
};

type Parsed<S extends Spec> =
  | { readonly kind: "values"; readonly values: Values<S> }
  | { readonly kind: "help" }
  | { readonly kind: "fault"; readonly message: string };

type Range = { readonly fallback: number; readonly min: number; readonly max: number; readonly help: string };

/** A whole number in `min`…`max`. */
export function whole({ fallback, min, max, help }: Range): Option<number> {
  const read = (text: string) => inRange(/^\d+$/.test(text) ? Number(text) : NaN, min, max);
  return { help, fallback: String(fallback), expects: `a whole number from ${min} to ${max}`, read };
}

/** A number in `min`…`max`, fractions allowed. */
export function amount({ fallback, min, max, help }: Range): Option<number> {
  const read = (text: string) => inRange(/^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN, min, max);
  return { help, fallback: String(fallback), expects: `a number from ${min} to ${max}`, read };
}

/** Given, or not. */
export function onOff(help: string): Option<boolean> {
  return { help, fallback: "", expects: "given without a value", isSwitch: true, read: (text) => text === "true" };
}

/** Where a server is. */
export function server(
  fallback: string,
  help: string,
  own: Pick<Option<URL>, "variable" | "formerly"> = {},
): Option<URL> {
  const read = (text: string) => {
    const url = URL.parse(text);
    return url && /^https?:$/.test(url.protocol) ? url : undefined;
  };
  return { help, fallback, expects: "an http:// or https:// address", read, ...own };
}

/** An IP address of this machine; whether it is one is for the command to find out. */
export function address(fallback: string, help: string): Option<string> {
  return { help, fallback, expects: "an IP address", read: (text) => (isIP(text) ? text : undefined) };
}

/** The baristas' token, or else `STAFF_TOKEN` of the environment; empty means none. */
export function staffToken(): Option<string> {
  return {
    variable: "STAFF_TOKEN",
    help: "token for the baristas' port",
    fallback: "",
    expects: "visible ASCII characters",
    read: (text) => /^[\x21-\x7e]*$/.exec(text)?.[0],
  };
}

/** `--seconds`, which every simulator has. */
export function seconds(fallback: number): Option<number> {
  return amount({ fallback, min: 0, max: 86_400, help: "end after so long; 0 = no limit" });
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads `argv` (without program and script) by `spec`. */
export function readOptions<const S extends Spec>(
  spec: S,
  argv: readonly string[],
  environment: Environment = {},
): Parsed<S> {
  const given = parse(spec, argv);
  if (typeof given === "string") return { kind: "fault", message: given };
  if (given["help"]) return { kind: "help" };
  return readValues(spec, given, environment);
}

/** What was given or left out of each option, by its flag. */
export type Given = Readonly<Record<string, string | boolean | undefined>>;

/** Reads what was given by `spec`. */
export function readValues<const S extends Spec>(
  spec: S,
  given: Given,
  environment: Environment,
): Exclude<Parsed<S>, { readonly kind: "help" }> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(spec)) {
    const inherited = option.variable === undefined ? undefined : environment[option.variable];
    const value = option.read(String(given[flag(name)] ?? (inherited || option.fallback)));
    if (value === undefined) return { kind: "fault", message: `--${flag(name)} must be ${option.expects}` };
    values[name] = value;
  }
  return { kind: "values", values: values as Values<S> };
}

/** One line an option, for `--help`. */
export function usage(spec: Spec): string {
  return Object.entries(spec)
    .map(([name, { help, fallback }]) => `  --${flag(name).padEnd(18)} ${help}${fallback ? ` (${fallback})` : ""}`)
    .join("\n");
}

/** What was given, by flag; or, as text, the first line of what parseArgs says is wrong. */
function parse(spec: Spec, argv: readonly string[]): Given | string {
  const flags = Object.entries(spec).map(([name, { isSwitch }]) => {
    return [flag(name), { type: isSwitch ? "boolean" : "string" }] as const;
  });
  try {
    return {
      ...parseArgs({
        args: [...argv],
        options: { ...Object.fromEntries(flags), help: { type: "boolean", short: "h" } },
      }).values,
    };
  } catch (cause) {
    const [line = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    return line.replace(/^./, (first) => first.toLowerCase()).replace(/\.$/, "");
  }
}

/** `groupMin` → `group-min`. */
export function flag(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function inRange(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}
