/**
 * Owns the tests of how every command is used: help with an example, one line for wrong usage, and the exit codes.
 *
 * **Invariants**
 * - The commands are those of the program: a new one is tested at once.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SETTINGS } from "../../src/config.ts";
import { lookAtProgram } from "../docs/commands.ts";
import { freePort } from "../support/redis.ts";
import { run } from "./program.ts";

setDefaultTimeout(60_000);

const NAMES = lookAtProgram().commands.map((command) => command.name());

describe.each(NAMES)("longpour %s", (name) => {
  test("has help with an example, and takes --json", async () => {
    const { exitCode, stdout, stderr } = await run(name, "--help");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toStartWith(`Usage: longpour ${name} `);
    expect(stdout).toMatch(/^ +--json /m);
    expect(stdout).toMatch(new RegExp(String.raw`^Examples:\n(  \$ .*\n)*  \$ (\S+=\S+ )?longpour ${name}\b`, "m"));
  });

  test("says in one line what is wrong with an option that it does not have, and ends with 2", async () => {
    const { exitCode, stdout, stderr } = await run(name, "--nonsense");
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(new RegExp(String.raw`^longpour( ${name})?: [^\n]+; --help lists the options\n$`));
  });
});

test("the program lists every command, and ends with 2 for none and for an unknown one", async () => {
  const help = await run("--help");
  expect(help.exitCode).toBe(0);
  for (const name of NAMES) expect(help.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(await run()).toEqual({ exitCode: 2, stdout: "", stderr: help.stdout });
  const unknown = await run("zzzzzzzz");
  expect(unknown).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: "longpour: unknown command 'zzzzzzzz'; --help lists the options\n",
  });
});

test("each setting of the server is a flag of serve", async () => {
  const { stdout } = await run("serve", "--help");
  for (const { name } of SETTINGS) expect(stdout).toContain(`--${name.toLowerCase().replaceAll("_", "-")} <value>`);
});

const ID = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

test.each([
  [["show"], "missing required argument 'id'"],
  [["show", ID, "--wait", "--redis", "redis://127.0.0.1"], "--wait needs a server"],
  [["show", ID, "--redis", "http://127.0.0.1"], "must begin with redis://"],
  [["show", ID, "--redis"], "has to say where Redis is"],
  [["show", ID, "--url", "ftp://here"], "It must be an http:// or https:// address"],
  [["call", "thumbs", "{"], "It must be JSON"],
  [["call", "thumbs", '{"size":1e400}'], "It must have no number beyond 1.7e308"],
  [["order", "latte", "--modifier", "oat"], "must be name=option"],
  [["start", "--wait", "1.5"], "It must be a whole number from 0 to 60"],
  [["finish", ID, "--result", "oops"], "It must be JSON"],
  [["fail", ID], "missing required argument 'why'"],
  [["search", "--limit", "0"], "It must be a whole number from 1 to"],
  [["retry"], "an id, or --queue and --reason"],
  [["retry", ID, "--queue", "thumbs"], "an id, or --queue and --reason"],
  [["produce", "work", "--redis", "redis://127.0.0.1"], "required option '--every <time>'"],
  [["produce", "coffee", "--every", "4s"], "Allowed choices are work"],
  [["produce", "work", "--every", "soon"], "It must be a time such as"],
  [["produce", "work", "--every", "0s", "--redis", "redis://127.0.0.1"], "--count has to say how many"],
  [["start", "--token", "a secret"], "must be visible ASCII characters"],
])("%p is wrong usage", async (argv, words) => {
  const { exitCode, stdout, stderr } = await run(...argv);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toContain(words);
  expect(stderr).not.toContain("a secret");
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("wrong settings of serve are named as settings, and end with 2", async () => {
  const { exitCode, stderr } = await run("serve", "--customer-port", "eighty");
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: 'longpour: wrong setting: CUSTOMER_PORT: must be a whole number from 0 to 65535, not "eighty"\n',
  });
});

test.each([
  [["show", ID], "--url, or LONGPOUR_URL,", "--url"],
  [["order"], "--url, or LONGPOUR_URL,", "--url"],
  [["start"], "--staff-url, or LONGPOUR_STAFF_URL,", "--staff-url"],
  [["raw", "GET /livez"], "no exchange with", "--url"],
])("where nothing answers, %p says so and ends with 1", async (argv, words, flag) => {
  const url = `http://127.0.0.1:${freePort()}`;
  const { exitCode, stdout, stderr } = await run(...argv, flag, url);
  expect(exitCode).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain(url);
  expect(stderr).toContain(words);
});
