/**
 * Owns the tests of the simulators' pure parts: what they say at the end has to be right before anyone believes it.
 *
 * **Invariants**
 * - Nothing here needs a server.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loopbackAddresses } from "../../src/cli/addresses.ts";
import { Quota } from "../../src/cli/barista.ts";
import { onOff, readOptions, server, staffToken, usage, whole } from "../../src/cli/options.ts";
import { formatSummary, formatWaits, quantile } from "../../src/cli/summary.ts";
import { CustomerTally } from "../../src/cli/tally.ts";
import { run } from "./program.ts";

describe("quantiles", () => {
  test("are values of the sample, by nearest rank", () => {
    const sample = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([quantile(sample, 0), quantile(sample, 0.5), quantile(sample, 0.99), quantile(sample, 1)]).toEqual([
      1, 100, 198, 200,
    ]);
    expect(quantile([], 0.5)).toBeUndefined();
  });

  test("leave at most the rest of the sample above them", () => {
    const samples = fc.array(fc.nat(), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (sample, q) => {
        const value = quantile(sample, q) ?? NaN;
        expect(sample).toContain(value);
        expect(sample.filter((other) => other <= value).length).toBeGreaterThanOrEqual(Math.floor(q * sample.length));
      }),
    );
  });

  test("are shown in seconds, and a dash when none waited", () => {
    expect(formatWaits([12, 1500, 61_000])).toBe("median 1.5 s, p99 61.0 s, max 61.0 s");
    expect(formatWaits([])).toBe("-");
  });
});

test("a summary is a title and two columns", () => {
  expect(
    formatSummary("customers", [
      ["served", "2 of 2"],
      ["lost", 0],
    ]),
  ).toBe("customers\n  served  2 of 2\n  lost    0");
});

describe("a customer tally", () => {
  test("finds an order that was answered to two customers, also across tallies", () => {
    const answeredTo = new Map<string, string>();
    const [first, second] = [new CustomerTally(answeredTo), new CustomerTally(answeredTo)];
    expect([first.claim("order", "ada"), first.claim("order", "ada"), second.claim("order", "bob")]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("counts who ended, and who is still waiting", () => {
    const tally = new CustomerTally();
    tally.arrived = 4;
    tally.end("served", { waitedMs: 1200 });
    tally.end("failed", { waitedMs: 5, fault: "answered 500" });
    tally.end("lost", { waitedMs: 9000 });
    expect([tally.ended, tally.waiting, tally.mistakes]).toEqual([3, 1, 1]);
    expect(tally.counters()).toMatchObject({ served: 1, waiting: 1, problems: 2 });
    expect(tally.summary("customers")).toContain("median 1.2 s, p99 1.2 s, max 1.2 s");
  });
});

test("regulars have an address each, none of them the delusional customer's", () => {
  const addresses = loopbackAddresses(1000, "127.0.0.3");
  expect(new Set(addresses).size).toBe(1000);
  expect(addresses.slice(0, 2)).toEqual(["127.0.0.2", "127.0.0.4"]);
  expect(addresses).not.toContain("127.0.0.3");
});

test("a quota gives out no more than it has", () => {
  const quota = new Quota(2);
  const taken = [quota.take(), quota.take(), quota.take()];
  quota.giveBack();
  expect([...taken, quota.take(), quota.take()]).toEqual([true, true, false, true, false]);
});

describe("options", () => {
  const spec = {
    groupMin: whole({ fallback: 100, min: 1, max: 200, help: "at least" }),
    url: server("http://127.0.0.1:8000", "where"),
  };

  test("become typed values, or their fallbacks", () => {
    const parsed = readOptions(spec, ["--group-min", "7"]);
    expect(parsed).toEqual({ kind: "values", values: { groupMin: 7, url: new URL("http://127.0.0.1:8000") } });
  });

  test.each([
    [["--group-min", "0"], "--group-min must be a whole number from 1 to 200"],
    [["--group-min", "1.5"], "--group-min must be a whole number from 1 to 200"],
    [["--group-min=-1"], "--group-min must be a whole number from 1 to 200"],
    [["--url", "ftp://here"], "--url must be an http:// or https:// address"],
  ])("refuse %p", (argv, message) => {
    expect(readOptions(spec, argv)).toEqual({ kind: "fault", message });
  });

  test("are switches, too: given or not", () => {
    const read = (argv: readonly string[]) => readOptions({ quick: onOff("small") }, argv);
    expect(read([])).toEqual({ kind: "values", values: { quick: false } });
    expect(read(["--quick"])).toEqual({ kind: "values", values: { quick: true } });
    expect(read(["--quick=yes"])).toMatchObject({ kind: "fault" });
  });

  test("never show a token", () => {
    const withToken = { token: staffToken() };
    expect(JSON.stringify(readOptions(withToken, ["--token", "a secret"]))).not.toContain("a secret");
    expect(usage(withToken)).not.toContain(process.env["STAFF_TOKEN"] ?? "a secret");
  });

  test("take the token of the environment where none is given", () => {
    const environment = { STAFF_TOKEN: "theirs" };
    const read = (argv: readonly string[]) => readOptions({ token: staffToken() }, argv, environment);
    expect(read([])).toEqual({ kind: "values", values: { token: "theirs" } });
    expect(read(["--token", "mine"])).toEqual({ kind: "values", values: { token: "mine" } });
  });
});

describe("each command", () => {
  const commands = ["customers", "baristas", "flood"];

  test.each(commands)("%s refuses wrong arguments with one line and exit code 2", async (name) => {
    for (const argv of [["--nonsense"], ["--seconds", "soon"], ["--seconds", "-1"], ["stray"]]) {
      const { exitCode, stdout, stderr } = await run(name, ...argv);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toMatch(new RegExp(`^longpour ${name}: [^\\n]+; --help lists the options\\n$`));
    }
  });

  test.each(commands)("%s prints its usage", async (name) => {
    const { exitCode, stdout, stderr } = await run(name, "--help");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toStartWith(`Usage: longpour ${name} [options]\n`);
  });

  const named: Readonly<Record<string, string>> = { customers: "--url", baristas: "--staff-url" };

  test.each(Object.keys(named))("%s says that nothing answers, and ends with exit code 1", async (name) => {
    // A port that was free a moment ago.
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const url = `http://127.0.0.1:${probe.port}`;
    probe.stop(true);
    const { exitCode, stdout, stderr } = await run(name, "--url", url);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe(
      `longpour ${name}: nothing answers at ${url}: is the server running? ${named[name]} names another\n`,
    );
  });

  test("values that contradict each other are refused", async () => {
    expect((await run("customers", "--group-min", "9", "--group-max", "8")).exitCode).toBe(2);
    expect((await run("baristas", "--brew-min-seconds", "9", "--brew-max-seconds", "8")).exitCode).toBe(2);
    expect((await run("flood", "--url", "http://example.com")).exitCode).toBe(2);
  });
});
