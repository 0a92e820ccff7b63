/** Owns the tests of where webhooks go: which addresses, by which names, under which certificates. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { HostList } from "../../src/host-list.ts";
import { WebhookSender, type Lookup } from "../../src/webhooks/sender.ts";
import { Authority, type Pair } from "../support/certificates.ts";
import { NameServer } from "../support/name-server.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";

setDefaultTimeout(60_000);

const SECRET = newSecret();
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Reaching {
  /** WEBHOOK_ALLOW */
  readonly allow?: string;
  readonly lookup?: Lookup;
  readonly ca?: string;
}

function send(url: string, { allow = "", ...options }: Reaching = {}) {
  const sender = new WebhookSender({ allowed: HostList.of(allow), ...options });
  closers.push(() => sender.close());
  const target = { url, secrets: [SECRET], timeoutMs: 20_000 };
  return sender.send(target, { id: "msg_1", body: "{}" }, new AbortController().signal);
}

function createReceiver(options: Partial<ConstructorParameters<typeof WebhookReceiver>[0]> = {}): WebhookReceiver {
  const receiver = new WebhookReceiver({ secret: SECRET, ...options });
  closers.push(() => receiver.stop());
  return receiver;
}

describe("addresses that are not public", () => {
  test.each([
    "127.0.0.1",
    "127.9.9.9",
    "2130706433",
    "0x7f.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[fd00::1]",
    "[ff02::1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[4000::1]",
    "localhost",
    "localhost.",
    "shop.localhost",
  ])("%s is not reached, whatever its port", async (host) => {
    for (const port of ["", ":8443"]) expect((await send(`https://${host}${port}/hook`)).kind).toBe("forbidden");
  });

  test.each(["127.0.0.1", "10.0.0.5", "::1", "::ffff:10.0.0.5", "fd00::7", "169.254.169.254", "64:ff9b::a00:5"])(
    "a name that resolves to %s is not reached",
    async (address) => {
      const outcome = await send("https://hooks.example.test/hook", { lookup: async () => [address] });
      const why = `${address} is not a public address: WEBHOOK_ALLOW has to name it`;
      expect(outcome).toEqual({ kind: "forbidden", why });
    },
  );

  test("one such address among public ones is enough", async () => {
    const lookup = async () => ["8.8.8.8", "127.0.0.1"];
    expect((await send("https://hooks.example.test/", { lookup })).kind).toBe("forbidden");
  });

  test("nothing comes to a receiver that is forbidden", async () => {
    const receiver = createReceiver();
    expect((await send(receiver.url())).kind).toBe("forbidden");
    expect(
      (await send(`http://hooks.example.test:${receiver.port}/`, { lookup: async () => ["127.0.0.1"] })).kind,
    ).toBe("forbidden");
    expect(receiver.got).toEqual([]);
  });

  test.each(["127.0.0.1", "127.0.0.1:PORT", "127.0.0.0/8", "hooks.example.test", "*.example.test:PORT", "*"])(
    "%s in the list opens it",
    async (entry) => {
      const receiver = createReceiver();
      const allow = entry.replace("PORT", String(receiver.port));
      const url = `http://hooks.example.test:${receiver.port}/hook`;
      expect((await send(url, { allow, lookup: async () => ["127.0.0.1"] })).kind).toBe("delivered");
      expect(receiver.got[0]?.host).toBe(`hooks.example.test:${receiver.port}`);
    },
  );

  test.each(["127.0.0.2", "127.0.0.1:1", "10.0.0.0/8", "example.test", "*.hooks.example.test", "fd00::/8"])(
    "%s in the list does not",
    async (allow) => {
      const receiver = createReceiver();
      const url = `http://hooks.example.test:${receiver.port}/hook`;
      expect((await send(url, { allow, lookup: async () => ["127.0.0.1"] })).kind).toBe("forbidden");
      expect(receiver.got).toEqual([]);
    },
  );
});

describe("names", () => {
  test("a name that means another address each time it is asked for: the address that was checked is connected to", async () => {
    const receiver = createReceiver();
    // Of the test's own DNS: first an address that may be reached, then one that may not.
    const names = await NameServer.open([["127.0.0.1"], ["127.0.0.2"]]);
    closers.push(() => names.close());
    const stranger = createReceiver({ hostname: "127.0.0.2", port: receiver.port });
    const reaching = { allow: "127.0.0.1", lookup: names.lookup };
    const url = `http://rebinding.example.test:${receiver.port}/hook`;
    expect((await send(url, reaching)).kind).toBe("delivered");
    expect([names.asked, receiver.got.length, stranger.got.length]).toEqual([1, 1, 0]);
    // The next try asks again, and gets what is forbidden now.
    expect((await send(url, reaching)).kind).toBe("forbidden");
    expect([names.asked, receiver.got.length, stranger.got.length]).toEqual([2, 1, 0]);
  });

  test("a name without an address is a failure, to be tried again", async () => {
    const names = await NameServer.open([[]]);
    closers.push(() => names.close());
    const outcome = await send("https://none.example.test/", { lookup: names.lookup });
    expect(outcome.kind).toBe("failed");
    expect(JSON.stringify(outcome)).toContain("no address of its host");
  });

  test("a name server that does not answer costs the time of the try, not more", async () => {
    const sender = new WebhookSender({
      allowed: HostList.of(""),
      lookup: () => new Promise(() => {}),
    });
    closers.push(() => sender.close());
    const target = { url: "https://slow.example.test/", secrets: [SECRET], timeoutMs: 50 };
    const outcome = await sender.send(target, { id: "msg_1", body: "{}" }, new AbortController().signal);
    expect(outcome.kind).toBe("failed");
  });

  test("of several addresses, the next one is taken where nothing listens", async () => {
    const receiver = createReceiver({ hostname: "127.0.0.1" });
    const lookup = async () => ["127.0.0.3", "127.0.0.1"];
    const url = `http://two.example.test:${receiver.port}/`;
    expect((await send(url, { allow: "127.0.0.0/8", lookup })).kind).toBe("delivered");
  });

  test("IPv6, by address and by name", async () => {
    const receiver = createReceiver({ hostname: "::1" });
    expect((await send(receiver.url(), { allow: "::1" })).kind).toBe("delivered");
    const url = `http://six.example.test:${receiver.port}/`;
    expect((await send(url, { allow: "[::1]", lookup: async () => ["::1"] })).kind).toBe("delivered");
    expect(receiver.got.map(({ host }) => host)).toEqual([
      `[::1]:${receiver.port}`,
      `six.example.test:${receiver.port}`,
    ]);
  });
});

describe("certificates", () => {
  const authority = new Authority("hooks-authority");
  const named = authority.issue("named", { extensions: "subjectAltName=DNS:hooks.example.test" });
  const addressed = authority.issue("addressed", { extensions: "subjectAltName=IP:127.0.0.1" });
  const pemOf = ({ cert, key }: Pair) => ({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });
  const lookup = async () => ["127.0.0.1"];

  test("the certificate has to be of the URL's name, also where a connection to its address is kept", async () => {
    const receiver = createReceiver({ tls: pemOf(named) });
    const reaching = { allow: "127.0.0.1", lookup, ca: authority.pem };
    const right = `https://hooks.example.test:${receiver.port}/`;
    expect((await send(right, reaching)).kind).toBe("delivered");
    const wrong = await send(`https://other.example.test:${receiver.port}/`, reaching);
    expect(wrong).toEqual({ kind: "failed", why: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await send(receiver.url(), reaching)).toMatchObject({ kind: "failed" });
    expect((await send(right, reaching)).kind).toBe("delivered");
    expect([receiver.got.length, receiver.connections.size]).toEqual([2, 1]);
  });

  test("one of an address is good for the address", async () => {
    const receiver = createReceiver({ tls: pemOf(addressed) });
    expect((await send(receiver.url(), { allow: "127.0.0.1", ca: authority.pem })).kind).toBe("delivered");
  });

  test("one of an unknown authority is none", async () => {
    const receiver = createReceiver({ tls: pemOf(named) });
    const outcome = await send(`https://hooks.example.test:${receiver.port}/`, { allow: "127.0.0.1", lookup });
    expect(outcome).toEqual({ kind: "failed", why: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    expect(receiver.got).toEqual([]);
  });

  test("plain HTTP goes to hosts that the list names, and to no other", async () => {
    const outcome = await send("http://hooks.example.test/", { allow: "10.0.0.0/8", lookup: async () => ["8.8.8.8"] });
    expect(outcome).toEqual({ kind: "forbidden", why: "plain http: WEBHOOK_ALLOW has to name the host" });
    expect((await send("http://hooks.example.test/")).kind).toBe("forbidden");
  });
});
