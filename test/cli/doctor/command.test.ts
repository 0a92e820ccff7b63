/** Owns the tests of the doctor's command line: what it takes, what it prints, and its exit codes. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { startDoctor } from "../../support/doctor.ts";
import { sharedRedis } from "../../support/redis.ts";

setDefaultTimeout(60_000);

test.each([
  [[], "give --url, --staff-url or --redis"],
  [["--url", "coffee.example.org"], "--url"],
  [["--url", "http://127.0.0.1:8000/shop"], "without a path"],
  [["--redis", "http://hush-hush@127.0.0.1"], "must begin with redis://"],
  [["--redis", "redis://127.0.0.1", "--lanes", "0"], "--lanes"],
  [["--redis", "redis://127.0.0.1", "--max-seconds", "soon"], "--max-seconds"],
  [["--everything"], "--everything"],
] as const)("%p is wrong usage: exit code 2, and a line that says why", async (args, why) => {
  const { exitCode, stdout, stderr } = await startDoctor(args).ended;
  expect(stderr).toContain(why);
  expect(stderr).not.toContain("hush");
  expect([exitCode, stdout]).toEqual([2, ""]);
});

test("a line a finding, what to do below it, and a summary", async () => {
  const { url } = await sharedRedis();
  const { exitCode, stdout, stderr } = await startDoctor(["--servers", "200"], { REDIS_URL: url }).ended;
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^ok +master +Redis is a master, and answers a PING in /);
  const at = lines.findIndex((line) => line.startsWith("fault    connections"));
  expect(lines[at + 1]).toMatch(/^ +do: set maxclients to \d+ or more/);
  expect(lines.at(-1)).toMatch(/^1 fault, \d warnings?, \d+ ok, \d+ skipped$/);
  expect([exitCode, stderr]).toEqual([1, ""]);
});

test("--help has examples and the exit codes", async () => {
  const { exitCode, stdout } = await startDoctor(["--help"]).ended;
  expect(stdout).toContain("$ longpour doctor --url https://");
  expect(stdout).toContain("Exit codes: 0 no fault, 1 a fault, 2 wrong usage.");
  expect(exitCode).toBe(0);
});
