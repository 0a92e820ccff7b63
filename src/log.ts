/**
 * Owns the log: JSON lines on standard output, or coloured lines on a terminal.
 *
 * **Invariants**
 * - One line a start, a stop, an outage, a summary of refusals.
 * - Of an error stand its type, message and stack: never what it carries beside them.
 * - Never a secret, never a customer's words; ids of orders as short hashes, at debug, or where a rule logs events.
 */
import pino from "pino";
import pretty from "pino-pretty";

/** One line: its fields and what happened. */
interface WriteLine {
  (fields: object, message: string): void;
  (message: string): void;
}

/** Where lines go that are no server's end. A logger of pino is one. */
export interface Log extends Readonly<Record<Level, WriteLine>> {
  isLevelEnabled(level: Level): boolean;
  /** A log whose lines have these fields too. */
  child(fields: object): Log;
}

/** The log of a process, which may end. */
export interface ProcessLog extends Log {
  readonly fatal: WriteLine;
}

const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

/** What takes lines of another program's log: its own logger, or `console`. */
export type LogTarget = Readonly<Record<Level, (fields: object, message: string) => void>>;

export interface LogOptions {
  /** One of pino's levels, or `silent`. */
  readonly level: string;
  /** Chooses the coloured form. */
  readonly terminal: boolean;
  /** The texts that are made unreadable in errors. */
  readonly secrets?: readonly string[];
}

export function createLog({ level, terminal, secrets = [] }: LogOptions): ProcessLog {
  const formatters = { level: (label: string) => ({ level: label }) };
  const serializers = { err: (error: unknown) => plainError(error, secrets) };
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters, serializers };
  return terminal
    ? pino(options, pretty({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss", sync: true }))
    : pino(options);
}

/** A log that hands its lines from `level` up to the target. What may not stand in them is taken out before. */
export function createLogTo(target: LogTarget, { level, secrets = [] }: Pick<LogOptions, "level" | "secrets">): Log {
  const rank = level === "trace" ? 0 : LEVELS.findIndex((known) => known === level);
  const isLevelEnabled = (asked: Level): boolean => rank >= 0 && LEVELS.indexOf(asked) >= rank;
  const makeLog = (base: object): Log => {
    const writeAs = (as: Level) => (fields: object | string, message?: string) => {
      if (!isLevelEnabled(as)) return;
      const own = typeof fields === "string" ? {} : fields;
      const error = "err" in own ? { err: plainError(own.err, secrets) } : undefined;
      target[as]({ ...base, ...own, ...error }, typeof fields === "string" ? fields : (message ?? ""));
    };
    const [debug, info, warn, error] = [writeAs("debug"), writeAs("info"), writeAs("warn"), writeAs("error")];
    return { debug, info, warn, error, isLevelEnabled, child: (fields) => makeLog({ ...base, ...fields }) };
  };
  return makeLog({});
}

/** The parts of an error that may be printed. */
export interface PlainError {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
}

/** Longer messages hold text that a client sent. */
const MAX_MESSAGE_CHARACTERS = 500;
/** A secret this short is none, and would be found everywhere. */
const MIN_SECRET_CHARACTERS = 3;

export function plainError(error: unknown, secrets: readonly string[]): PlainError {
  const { name, message, stack = "" } = error instanceof Error ? error : new TypeError(`${typeof error} was thrown`);
  // The stack begins with the message.
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const plain = withoutSecrets(withoutWords(message), secrets).slice(0, MAX_MESSAGE_CHARACTERS);
  return { type: name, message: plain, stack: withoutSecrets([`${name}: ${plain}`, ...frames].join("\n"), secrets) };
}

/** A message without what it repeats: the arguments of a Redis command, the text that is no JSON. */
export function withoutWords(message: string): string {
  return message
    .replace(/,? with args beginning with:.*/s, "")
    .replace(/(JSON Parse error: [^"'`]*).*/s, (_all, kept: string) => kept.trimEnd());
}

export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter(({ length }) => length >= MIN_SECRET_CHARACTERS)
    .toSorted((one, other) => other.length - one.length)
    .reduce((hidden, secret) => hidden.replaceAll(secret, "***"), text);
}
