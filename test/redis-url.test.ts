/** Owns the tests of redis-url.ts. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { readRedisUrl, secretsOf } from "../src/redis-url.ts";

const DEFAULTS = { port: 6379, family: 0, isTls: false, database: 0 };

test.each([
  ["redis://coffee.test", { host: "coffee.test" }],
  ["redis://coffee.test/", { host: "coffee.test" }],
  ["rediss://coffee.test:6380/2", { host: "coffee.test", port: 6380, isTls: true, database: 2 }],
  ["redis://[fd00::1]:7000/0?family=6", { host: "fd00::1", port: 7000, family: 6 }],
  ["redis://192.0.2.7?family=0", { host: "192.0.2.7" }],
  ["redis://:word@h", { host: "h", password: "word" }],
  ["redis://Grace:oat%20milk@h", { host: "h", username: "Grace", password: "oat milk" }],
  ["redis://Grace@h", { host: "h", username: "Grace", password: "" }],
  ["redis://:a:b@h", { host: "h", password: "a:b" }],
])("%s is read", (url, server) => {
  expect(readRedisUrl(url)).toEqual({ kind: "server", server: { ...DEFAULTS, ...server } } as ReturnType<
    typeof readRedisUrl
  >);
});

test.each([
  ["http://:hushhush@h", /must begin with redis:\/\/ or rediss:\/\//],
  ["redis://:hush#hush@h:1", /write % as %25, # as %23/],
  ["redis://:hush/hush@h:1", /\/ as %2F/],
  ["redis://:hush@hush@h:1", /@ as %40/],
  ["redis://:hush%whush@h:1", /a % .* that encodes nothing/],
  ["redis://localhost:hushhush", /port must be a number from 1 to 65535/],
  ["redis://h:0", /port must be a number/],
  ["redis://h:65536", /port must be a number/],
  ["redis://:hushhush@", /names no host/],
  ["redis://h/hushhush", /database/],
  ["redis://h/0?password=hushhush", /family/],
  ["redis://h/0#hushhush", /is not of the form/],
  ["redis://::1:6379", /names no host/],
])("%s is refused, and nothing of it is repeated", (url, why) => {
  const read = readRedisUrl(url);
  if (read.kind !== "fault") throw new Error("it was read");
  expect(read.fault).toMatch(why);
  expect(read.fault).not.toContain("hush");
  expect(read.fault).not.toContain("\n");
});

test("any user and password is read as it was encoded, and none is forgotten among the secrets", () => {
  const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(word, word, (username, password) => {
      const url = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h:1/3`;
      expect(readRedisUrl(url)).toMatchObject({
        kind: "server",
        server: { username, password, host: "h", database: 3 },
      });
      expect(secretsOf(url)).toContain(password);
    }),
  );
});

test("whatever is set, it is read or refused, without a word of its password", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (tail) => {
      const read = readRedisUrl(`redis://:Sw0rdfish${tail}`);
      if (read.kind === "fault") expect(read.fault).not.toContain("Sw0rdfish");
    }),
    { numRuns: 2000 },
  );
});
