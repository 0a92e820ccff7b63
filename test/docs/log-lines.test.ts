/** docs/operations.md explains each line that the server can print: no more, and no less. */
import { beforeAll, expect, test } from "bun:test";
import { OPERATIONS, ROOT } from "./documents.ts";
import { collectMessages, type Message } from "./messages.ts";

const LOG = "\n## The log\n";
const REFUSALS = "\n## When it does not start\n";
/** `- warn`, then the line as code; in the part about the start without a level. */
const LISTED = /^- (?:(trace|debug|info|warn|error|fatal) )?(`+)(.+?)\2[ :]/gm;

let printed: { readonly logged: Message[]; readonly refusals: Message[] };
let log: string;
let start: string;

beforeAll(async () => {
  printed = await collectMessages(ROOT);
  const [, logged = ""] = (await Bun.file(OPERATIONS).text()).split(LOG);
  [log = "", start = ""] = logged.split(REFUSALS);
});

/** What a document lists, each as `warn Redis is away…`. */
function listedIn(text: string): string[] {
  return Array.from(text.matchAll(LISTED), ([, level = "", , line = ""]) => `${level} ${line}`.trim()).toSorted();
}

/** Two locations may print the same line. */
function linesOf(messages: readonly Message[]): string[] {
  const lines = messages.map(({ level, text }) => `${level} ${text.replaceAll(/\s+/g, " ")}`.trim());
  return [...new Set(lines)].toSorted();
}

test("each line of the log is explained, under its level", () => {
  expect(listedIn(log)).toEqual(linesOf(printed.logged));
});

test("each message that ends the start is explained", () => {
  expect(listedIn(start)).toEqual(linesOf(printed.refusals));
});

test("what the source prints is found: each way to say it, and in whatever file its words stand", () => {
  const texts = [...printed.logged, ...printed.refusals].map(({ text }) => text);
  expect(printed.logged.length).toBeGreaterThan(30);
  expect(printed.refusals.length).toBeGreaterThan(25);
  // A constant, a template, a function with two answers, an error of another file.
  expect(texts).toContain("stopped");
  expect(texts).toContain("open: customers …, baristas …, Swagger UI …");
  expect(texts.filter((text) => text.startsWith("MAX_HELD is …"))).toHaveLength(2);
  expect(texts).toContain("… did not close");
});
