/** Owns the tests of sender.ts: what receivers get, and what becomes of their answers. Receivers are real servers. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { HostList } from "../../src/host-list.ts";
import { WebhookSender, type SenderOptions, type WebhookMessage } from "../../src/webhooks/sender.ts";
import { soon, until } from "../support/until.ts";
import { newSecret, WebhookReceiver } from "../support/webhook-receiver.ts";

setDefaultTimeout(60_000);

const SECRET = newSecret();
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function createSender(options: Partial<SenderOptions> = {}): WebhookSender {
  const sender = new WebhookSender({ allowed: HostList.of("127.0.0.1"), ...options });
  closers.push(() => sender.close());
  return sender;
}

function createReceiver(options: Partial<ConstructorParameters<typeof WebhookReceiver>[0]> = {}): WebhookReceiver {
  const receiver = new WebhookReceiver({ secret: SECRET, ...options });
  closers.push(() => receiver.stop());
  return receiver;
}

/** A server that speaks what it likes; the sockets that are open are counted. */
async function createRawServer(speak: (socket: Socket) => void) {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/hook`, open };
}

const message = (more: Partial<WebhookMessage> = {}): WebhookMessage => ({ id: "msg_1", body: '{"one":1}', ...more });
const forever = new AbortController().signal;

function send(sender: WebhookSender, url: string, more: { secrets?: string[]; timeoutMs?: number } = {}) {
  return sender.send({ url, secrets: [SECRET], timeoutMs: 20_000, ...more }, message(), forever);
}

describe("what a receiver gets", () => {
  test("a message that the library verifies, with its id, its host and its other headers", async () => {
    let traced: string | null = null;
    const receiver = createReceiver({
      answer: (_got, _count, { headers }) => {
        traced = headers.get("traceparent");
        return new Response("thanks", { status: 202 });
      },
    });
    const target = { url: receiver.url("/hook?to=me"), secrets: [SECRET], timeoutMs: 20_000 };
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const sent = message({ body: '{"text":"größer ☕"}', headers: { traceparent } });
    expect(await createSender().send(target, sent, forever)).toEqual({ kind: "delivered", status: 202 });
    const host = `127.0.0.1:${receiver.port}`;
    const body = { text: "größer ☕" };
    expect(receiver.got).toEqual([{ id: "msg_1", path: "/hook?to=me", host, body, isVerified: true }]);
    expect(traced as string | null).toBe(traceparent);
  });

  test("two signatures while a secret is changed: either secret verifies, another does not", async () => {
    const [old, next] = [newSecret(), newSecret()];
    for (const secret of [old, next]) {
      const receiver = createReceiver({ secret });
      const outcome = await send(createSender(), receiver.url(), { secrets: [next, old] });
      expect(outcome).toEqual({ kind: "delivered", status: 204 });
    }
    const stranger = createReceiver({ secret: newSecret() });
    const outcome = await send(createSender(), stranger.url(), { secrets: [next, old] });
    expect(outcome).toEqual({ kind: "failed", why: "it answered 400" });
  });

  test("a timestamp of the try, not of the message", async () => {
    const seen: number[] = [];
    const receiver = createReceiver({
      answer: (_got, _count, { headers }) => {
        seen.push(Number(headers.get("webhook-timestamp")));
        return new Response(null, { status: 204 });
      },
    });
    const before = Math.floor(Date.now() / 1000);
    await send(createSender(), receiver.url());
    expect(seen[0]).toBeGreaterThanOrEqual(before);
    expect(seen[0]).toBeLessThanOrEqual(Date.now() / 1000);
  });
});

describe("what becomes of answers", () => {
  const cases = [
    [200, {}, { kind: "delivered", status: 200 }],
    [410, {}, { kind: "gone" }],
    [500, {}, { kind: "failed", why: "it answered 500" }],
    [429, { "Retry-After": "7" }, { kind: "failed", why: "it answered 429", retryAfterMs: 7000 }],
    [503, { "Retry-After": "999999" }, { kind: "failed", why: "it answered 503", retryAfterMs: 3_600_000 }],
    [503, { "Retry-After": "soon" }, { kind: "failed", why: "it answered 503" }],
    [404, {}, { kind: "failed", why: "it answered 404" }],
  ] as const;

  test.each(cases)("%i %o", async (status, headers, outcome) => {
    const receiver = createReceiver({ answer: () => new Response("words", { status, headers }) });
    expect(await send(createSender(), receiver.url())).toEqual(outcome);
  });

  test("a date in Retry-After is waited for, by the clock of the one that answers", async () => {
    const nowMs = Date.now() - 3_600_000;
    const timeOf = (ms: number): string => new Date(ms).toUTCString();
    const headers = { Date: timeOf(nowMs), "Retry-After": timeOf(nowMs + 60_000) };
    const receiver = createReceiver({ answer: () => new Response(null, { status: 503, headers }) });
    const outcome = await send(createSender(), receiver.url());
    expect(outcome).toEqual({ kind: "failed", why: "it answered 503", retryAfterMs: 60_000 });
  });

  test("a redirect loop is one request, and no address that it names is asked", async () => {
    const elsewhere = createReceiver();
    const loop = createReceiver({
      answer: () => new Response(null, { status: 307, headers: { Location: elsewhere.url() } }),
    });
    const outcome = await send(createSender(), loop.url());
    expect(outcome).toEqual({ kind: "failed", why: "it answered 307, and no redirect is followed" });
    expect([loop.got.length, elsewhere.got.length]).toEqual([1, 0]);
  });
});

describe("receivers that take their time", () => {
  test("one that never answers is left after the time, and its connection closed", async () => {
    const server = await createRawServer(() => {});
    const outcome = await send(createSender(), server.url, { timeoutMs: 100 });
    expect(outcome).toEqual({ kind: "failed", why: "it took longer than 0.1 s" });
    await until(() => server.open.size === 0, "the connection is closed");
  });

  test("one that drips its headers, too", async () => {
    const server = await createRawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const dripping = setInterval(() => socket.write("x-drip: 1\r\n"), 20);
      socket.on("close", () => clearInterval(dripping));
    });
    const outcome = await send(createSender(), server.url, { timeoutMs: 200 });
    expect(outcome.kind).toBe("failed");
    await until(() => server.open.size === 0, "the connection is closed");
  });

  test("an endless answer ends: its status counts, the rest is left", async () => {
    let sentBytes = 0;
    const server = await createRawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
      const flooding = setInterval(() => {
        if (socket.write(chunk)) sentBytes += 1024;
      }, 1);
      socket.on("close", () => clearInterval(flooding));
    });
    expect(await send(createSender(), server.url)).toEqual({ kind: "delivered", status: 200 });
    await until(() => server.open.size === 0, "the connection is closed");
    expect(sentBytes).toBeLessThan(50_000_000);
  });

  test("a body that drips is left, too", async () => {
    const server = await createRawServer((socket) => {
      socket.write("HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n");
      const dripping = setInterval(() => socket.write("x"), 50);
      socket.on("close", () => clearInterval(dripping));
    });
    expect(await send(createSender(), server.url)).toEqual({ kind: "failed", why: "it answered 503" });
    await until(() => server.open.size === 0, "the connection is closed");
  });

  test("giving up ends a try: there is no outcome, and no connection", async () => {
    const server = await createRawServer(() => {});
    const [sender, givingUp] = [createSender(), new AbortController()];
    const target = { url: server.url, secrets: [SECRET], timeoutMs: 60_000 };
    const first = sender.send(target, message(), givingUp.signal).catch((error: unknown) => error);
    await until(() => server.open.size === 1, "it is connected");
    givingUp.abort(new Error("enough"));
    expect(await soon(first, "the try ends")).toEqual(new Error("enough"));
    const second = sender.send(target, message(), forever).catch((error: unknown) => error);
    await until(() => server.open.size === 1, "it is connected");
    sender.close();
    expect(await soon(second, "the try ends")).toBeInstanceOf(Error);
    await until(() => server.open.size === 0, "the connections are closed");
  });
});

describe("receivers that are not there", () => {
  test("a closed port, and a connection that is closed at once", async () => {
    const gone = createReceiver();
    const url = gone.url();
    await gone.stop();
    expect(await send(createSender(), url)).toEqual({ kind: "failed", why: "ECONNREFUSED" });
    const hangsUp = await createRawServer((socket) => socket.destroy());
    const outcome = await send(createSender(), hangsUp.url);
    expect(outcome.kind).toBe("failed");
    expect(JSON.stringify(outcome)).not.toContain("/hook");
  });

  test("garbage for an answer is a failure", async () => {
    const server = await createRawServer((socket) => socket.end("who are you?\r\n\r\n"));
    expect((await send(createSender(), server.url)).kind).toBe("failed");
  });

  test("after failures in a row its host is held, others are not", async () => {
    const down = createReceiver({ answer: () => new Response(null, { status: 500 }) });
    const [up, sender] = [createReceiver(), createSender()];
    for (let count = 0; count < 5; count += 1) expect((await send(sender, down.url())).kind).toBe("failed");
    const held = await send(sender, down.url("/other"));
    expect(held).toMatchObject({ kind: "held", why: "its host keeps failing: it is left alone" });
    expect(down.got.length).toBe(5);
    expect((await send(sender, up.url())).kind).toBe("delivered");
  });
});
