/**
 * Owns the log: JSON lines on standard output, or coloured lines on a terminal.
 * Always holds: one line a start, a stop, an outage, a summary of refusals; never a token, never a customer's words.
 */
import pino, { type Logger } from "pino";
import pretty from "pino-pretty";

export type Log = Logger;

/** `level` is one of pino's levels or `silent`; `terminal` chooses the coloured form. */
export function createLog({ level, terminal }: { level: string; terminal: boolean }): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters };
  return terminal
    ? pino(options, pretty({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss", sync: true }))
    : pino(options);
}
