/** Owns the tests of what is said of URLs, lists of hosts and secrets before they are used. */
import { describe, expect, test } from "bun:test";
import { HostList } from "../../src/host-list.ts";
import { readSecrets } from "../../src/webhook-secrets.ts";
import { findUrlFault } from "../../src/webhooks/url.ts";

describe("URLs", () => {
  const none = HostList.of("");
  test.each([
    ["https://example.org/hook?to=me", undefined],
    ["https://8.8.8.8:8443/", undefined],
    ["https://exa\nmple.org/", "must be a URL such as https://example.org/hook"],
    [" https://example.org/", "must be a URL such as https://example.org/hook"],
    ["https://example.org/a b", "must be a URL such as https://example.org/hook"],
    ["example.org/hook", "must be a URL such as https://example.org/hook"],
    [`https://example.org/${"x".repeat(2000)}`, "must be a URL of at most 2000 characters"],
    [`https://example.org/${"é".repeat(700)}`, "must be a URL of at most 2000 characters"],
    ["http://example.org/", "must begin with https://"],
    ["ftp://example.org/", "must begin with https://"],
    ["file:///etc/passwd", "must begin with https://"],
    ["https://user@example.org/", "must be a URL without user name and password"],
    ["https://:word@example.org/", "must be a URL without user name and password"],
    ["https://example.org/#part", "must be a URL without a fragment (#…)"],
    ["https://example.org/#", "must be a URL without a fragment (#…)"],
    ["https://127.1/", "must not lead to an address inside a network"],
    ["https://[::1]/", "must not lead to an address inside a network"],
    ["https://localhost/", "must not lead to an address inside a network"],
  ])("%s", (url, fault) => expect(findUrlFault(url, none)).toBe(fault));

  test("what a list names may be inside, and plain HTTP; the rest is wanted of it, too", () => {
    const list = HostList.of("localhost, hooks.test:8080");
    expect(findUrlFault("http://localhost:1234/", list)).toBeUndefined();
    expect(findUrlFault("http://hooks.test:8080/", list)).toBeUndefined();
    expect(findUrlFault("http://hooks.test/", list)).toBe("must begin with https://");
    expect(findUrlFault("http://me@localhost/", list)).toBe("must be a URL without user name and password");
  });
});

test("plain HTTP to a name may be meant where a list names networks: its addresses say so", () => {
  const fault = (list: string) => findUrlFault("http://hooks.test/", HostList.of(list));
  expect(fault("10.0.0.0/8")).toBeUndefined();
  expect(fault("hooks.test:8080")).toBe("must begin with https://");
});

describe("lists of hosts", () => {
  test.each(["a b", "http://example.org", "example.org/path", "10.0.0.0/33", "example.org:0", "example.org:70000"])(
    "%s is none",
    (text) => expect(HostList.isList(text)).toBe(false),
  );
  test.each(["*.", "a*.org", "[::1", "::ffff:10.0.0.0/104", "me@example.org", ":80"])("%s is none", (text) =>
    expect(HostList.isList(text)).toBe(false),
  );

  test.each([
    ["example.org", "https://example.org/", true],
    ["Example.ORG", "https://example.org./", true],
    ["example.org", "https://sub.example.org/", false],
    ["*.example.org", "https://a.b.example.org/", true],
    ["*.example.org", "https://example.org/", false],
    ["*.example.org", "https://badexample.org/", false],
    ["example.org:443", "https://example.org/", true],
    ["example.org:443", "http://example.org/", false],
    ["10.0.0.0/8", "https://10.9.8.7/", true],
    ["10.0.0.0/8", "https://[::ffff:10.9.8.7]/", true],
    ["10.0.0.1:99", "https://10.0.0.1:99/", true],
    ["[fd00::1]:99", "https://[fd00::1]:99/", true],
    ["fd00::/8", "https://[fd00::1]/", true],
    ["10.0.0.0/8", "https://example.org/", false],
    ["*", "https://example.org:7/", true],
  ])("%s and %s: %p", (list, url, isNamed) => expect(HostList.of(list).hasHost(new URL(url))).toBe(isNamed));
});

describe("secrets", () => {
  const secret = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;

  test("one, or two apart by commas, spaces or lines", () => {
    expect(readSecrets(secret(24))).toEqual({ kind: "secrets", secrets: [secret(24)] });
    for (const gap of [",", " ", ", ", "\n"]) {
      const both = [secret(24), secret(64)];
      expect(readSecrets(`${both.join(gap)}\n`)).toEqual({ kind: "secrets", secrets: both });
    }
  });

  test.each(["", "abc", "whsec_", "whsec_###", secret(23), secret(65), secret(24).slice(6), `${secret(24)}=`])(
    "%p is a fault that does not show it",
    (text) => {
      const reading = readSecrets(text);
      expect(reading).toEqual({
        kind: "fault",
        fault: "one or two secrets: each whsec_ and base64 of 24 to 64 bytes",
      });
    },
  );

  test("three are too many", () => {
    expect(readSecrets(Array(3).fill(secret(24)).join(",")).kind).toBe("fault");
  });
});
