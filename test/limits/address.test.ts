/** Owns the tests of address.ts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createAddressReader, type ProxyHeader } from "../../src/limits/address.ts";

const TRUSTED = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"];
const PROXY = "10.1.2.3";

interface Reading {
  readonly trustedProxies?: readonly string[];
  readonly proxyHeader?: ProxyHeader;
}

/** The address of a request from `peer`, with these headers. */
function read(peer: string, headers: Record<string, string> = {}, reading: Reading = {}): string {
  const trust = { trustedProxies: TRUSTED, proxyHeader: "x-forwarded-for", ...reading } as const;
  return createAddressReader(trust)({ peer, headers: new Headers(headers) });
}

const xff = (list: string) => read(PROXY, { "X-Forwarded-For": list });
const forwarded = (list: string) => read(PROXY, { Forwarded: list }, { proxyHeader: "forwarded" });

describe("the socket's peer", () => {
  test("counts as it is", () => {
    expect(read("203.0.113.5")).toBe("203.0.113.5");
    expect(read(PROXY)).toBe(PROXY);
  });

  test("of IPv6 counts by its /64", () => {
    expect(read("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
    expect(read("2001:db8:1:2::1")).toBe(read("2001:0db8:0001:0002:ffff:ffff:ffff:ffff"));
    expect(read("2001:db8:1:3::1")).not.toBe(read("2001:db8:1:2::1"));
    expect(read("::1")).toBe("::/64");
  });

  test("of IPv4 in IPv6 counts as IPv4, also to be trusted", () => {
    expect(read("::ffff:203.0.113.5")).toBe("203.0.113.5");
    expect(read("::ffff:cb00:7105")).toBe("203.0.113.5");
    expect(read("::ffff:10.1.2.3", { "X-Forwarded-For": "203.0.113.5" })).toBe("203.0.113.5");
  });

  test("that is no address (a Unix socket) counts as one", () => {
    expect(read("")).toBe("");
    expect(read("unix", { "X-Forwarded-For": "203.0.113.5" })).toBe("unix");
  });
});

describe("a header", () => {
  test("from who is not trusted is ignored", () => {
    expect(read("203.0.113.5", { "X-Forwarded-For": "198.51.100.1", Forwarded: "for=198.51.100.1" })).toBe(
      "203.0.113.5",
    );
    expect(read(PROXY, { "X-Forwarded-For": "198.51.100.1" }, { trustedProxies: [] })).toBe(PROXY);
    expect(read("192.0.2.8", { "X-Forwarded-For": "198.51.100.1" })).toBe("192.0.2.8");
  });

  test("is believed from a trusted network, a single address, and over IPv6", () => {
    for (const peer of [PROXY, "192.0.2.7", "fd00::1"]) {
      expect(read(peer, { "X-Forwarded-For": "203.0.113.5" })).toBe("203.0.113.5");
    }
  });

  test("counts up to its rightmost hop that is not trusted, whatever a client wrote before", () => {
    expect(xff("203.0.113.5")).toBe("203.0.113.5");
    expect(xff("6.6.6.6, 203.0.113.5")).toBe("203.0.113.5");
    expect(xff("6.6.6.6, 203.0.113.5, 10.9.9.9, 192.0.2.7")).toBe("203.0.113.5");
    expect(xff("10.0.0.1, 203.0.113.5, 10.9.9.9")).toBe("203.0.113.5");
  });

  test("whose hops are all trusted counts by the first of them", () => {
    expect(xff("10.0.0.1, 10.0.0.2")).toBe("10.0.0.1");
    expect(xff("")).toBe(PROXY);
    expect(read(PROXY)).toBe(PROXY);
  });

  test("counts up to garbage, and never beyond it", () => {
    expect(xff("6.6.6.6, garbage")).toBe(PROXY);
    expect(xff("6.6.6.6, garbage, 10.0.0.2")).toBe("10.0.0.2");
    expect(xff("6.6.6.6, , 10.0.0.2")).toBe("10.0.0.2");
    expect(xff("garbage, 203.0.113.5")).toBe("203.0.113.5");
    expect(xff("6.6.6.6, 203.0.113.500")).toBe(PROXY);
    expect(forwarded("for=6.6.6.6, for=unknown")).toBe(PROXY);
    expect(forwarded("for=6.6.6.6, for=_hidden, for=10.0.0.2")).toBe("10.0.0.2");
    expect(forwarded("for=6.6.6.6, proto=https")).toBe(PROXY);
  });

  test("may name ports, brackets and spaces", () => {
    expect(xff("203.0.113.5:4711")).toBe("203.0.113.5");
    expect(xff("  203.0.113.5  ")).toBe("203.0.113.5");
    expect(xff("[2001:db8:1:2::3]")).toBe("2001:db8:1:2::/64");
    expect(xff("[2001:db8:1:2::3]:4711")).toBe("2001:db8:1:2::/64");
    expect(xff("2001:db8:1:2::3")).toBe("2001:db8:1:2::/64");
    expect(xff("::ffff:203.0.113.5")).toBe("203.0.113.5");
  });

  test("given several times counts as one list", () => {
    const headers = new Headers({ "X-Forwarded-For": "6.6.6.6" });
    headers.append("X-Forwarded-For", "203.0.113.5");
    expect(
      createAddressReader({ trustedProxies: TRUSTED, proxyHeader: "x-forwarded-for" })({ peer: PROXY, headers }),
    ).toBe("203.0.113.5");
  });

  test("is read to 32 hops", () => {
    const proxies = (count: number) => Array.from({ length: count }, (_, index) => `10.0.1.${index}`);
    expect(xff(["203.0.113.5", ...proxies(31)].join(", "))).toBe("203.0.113.5");
    expect(xff(["203.0.113.5", ...proxies(32)].join(", "))).toBe("10.0.1.0");
  });
});

describe("Forwarded (RFC 7239)", () => {
  test("names the client in `for`, among other parameters, in any case", () => {
    expect(forwarded("for=203.0.113.5")).toBe("203.0.113.5");
    expect(forwarded("proto=https;for=203.0.113.5;by=10.0.0.1")).toBe("203.0.113.5");
    expect(forwarded("For=203.0.113.5; Proto=https")).toBe("203.0.113.5");
    expect(forwarded("for=6.6.6.6, for=203.0.113.5, for=10.0.0.2")).toBe("203.0.113.5");
  });

  test("may quote it, as it must with brackets and ports", () => {
    expect(forwarded('for="203.0.113.5:4711"')).toBe("203.0.113.5");
    expect(forwarded('for="[2001:db8:1:2::3]";proto=http')).toBe("2001:db8:1:2::/64");
    expect(forwarded('for="[2001:db8:1:2::3]:4711"')).toBe("2001:db8:1:2::/64");
  });

  test("is not misled by what stands in quotes: a proxy may repeat there what the client wrote", () => {
    expect(forwarded('for=203.0.113.5;host="a,for=6.6.6.6"')).toBe("203.0.113.5");
    expect(forwarded('host="a;for=6.6.6.6";for=203.0.113.5')).toBe("203.0.113.5");
  });
});

describe("the header that the proxy does not set is the client's own", () => {
  const both = { "X-Forwarded-For": "198.51.100.1", Forwarded: "for=203.0.113.5" };

  test("and is ignored beside the other", () => {
    expect(read(PROXY, both, { proxyHeader: "x-forwarded-for" })).toBe("198.51.100.1");
    expect(read(PROXY, both, { proxyHeader: "forwarded" })).toBe("203.0.113.5");
  });

  test("and is ignored alone", () => {
    expect(read(PROXY, { Forwarded: "for=6.6.6.6" }, { proxyHeader: "x-forwarded-for" })).toBe(PROXY);
    expect(read(PROXY, { "X-Forwarded-For": "6.6.6.6" }, { proxyHeader: "forwarded" })).toBe(PROXY);
  });
});

test("of one reader, each request has its own address, however many came before", () => {
  const readAddress = createAddressReader({ trustedProxies: TRUSTED, proxyHeader: "x-forwarded-for" });
  const ask = (peer: string, list: string): string =>
    readAddress({ peer, headers: new Headers({ "X-Forwarded-For": list }) });
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 11_000; index += 1) {
      const client = `203.${index >> 8}.113.${index & 255}`;
      expect(ask(PROXY, client)).toBe(client);
    }
    expect(ask("203.0.113.5", "203.1.113.5")).toBe("203.0.113.5");
    expect(ask(PROXY, "6.6.6.6, 203.1.113.5")).toBe("203.1.113.5");
    expect(ask(PROXY, `${"6.6.6.6,".repeat(100)}203.1.113.7`)).toBe("203.1.113.7");
  }
});

test("whatever a client writes before the proxies, it counts as itself", () => {
  const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[ -+\--~]{0,20}$/), fc.constant("10.0.0.1"));
  fc.assert(
    fc.property(fc.array(hop, { maxLength: 40 }), fc.nat(5), (written, proxies) => {
      const chain = [...written, "203.0.113.5", ...Array.from({ length: proxies }, () => "10.0.0.9")];
      expect(xff(chain.join(","))).toBe("203.0.113.5");
    }),
  );
});
