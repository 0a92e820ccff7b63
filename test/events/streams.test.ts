/**
 * Streams of events on real sockets: what a client gets, and what becomes of one that reads too slowly, or not at all.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import type { Following, Subscription } from "../../src/events/feed.ts";
import { createEventStreams, readLastEventId, type StreamEvents } from "../../src/http/events.ts";
import { InvalidInputError } from "../../src/problem.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

/** What the kernel holds for a client that does not read is some MB. */
const MEBIBYTE = new Uint8Array(1024 * 1024).fill(97);

/** A server whose every answer is a stream, and what a feed would know of each. */
class Desk implements AsyncDisposable {
  readonly followed: Following[] = [];
  left = 0;
  over = 0;
  requests = 0;
  hungUp = 0;
  /** What each answer waits for. */
  gate: Promise<void> = Promise.resolve();
  readonly #server: Bun.Server<undefined>;

  constructor(streamEvents: StreamEvents = createEventStreams()) {
    const makeSubscription = (): Subscription => {
      let isTaken = true;
      return {
        follow: (following) => this.followed.push(following),
        unsubscribe: () => {
          if (isTaken) this.left += 1;
          isTaken = false;
        },
      };
    };
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 10,
      development: false,
      fetch: async (request, server) => {
        this.requests += 1;
        request.signal.addEventListener("abort", () => (this.hungUp += 1));
        await this.gate;
        const connection = { server, request };
        const onOver = (): void => void (this.over += 1);
        return streamEvents({ connection, subscription: makeSubscription(), wanted: {}, after: "5-0", onOver });
      },
    });
  }

  /** Asks for a stream; resolves once it is followed. */
  async open(): Promise<{ client: Client; listener: Following["listener"] }> {
    const client = this.call();
    const before = this.followed.length;
    await until(() => this.followed.length > before, "the stream is followed");
    const following = this.followed[before];
    if (!following) throw new Error("there is no listener");
    return { client, listener: following.listener };
  }

  call(): Client {
    return new Client(this.#server.port ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

class Client {
  readonly socket: Socket;
  got = "";
  isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (bytes: Buffer) => (this.got += bytes.toString()));
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.isClosed = true));
    this.socket.write("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Sends until the client is behind; resolves to how much it took. */
async function fill(listener: Following["listener"]): Promise<number> {
  for (let sent = 1; sent < 200; sent += 1) {
    listener.send(MEBIBYTE);
    if (listener.caughtUp()) return sent;
    // The kernel moves it on.
    await Bun.sleep(1);
  }
  throw new Error("a client that reads nothing is never behind");
}

describe("a stream", () => {
  test("says how to come back, then what it is given", async () => {
    await using desk = new Desk();
    const { client, listener } = await desk.open();
    expect(desk.followed[0]).toMatchObject({ wanted: {}, after: "5-0" });
    listener.send(bytes("id: 1-0\ndata: a\n\n"));
    await until(() => client.got.includes("data: a\n\n"), "the event is there");
    const [head = "", body = ""] = client.got.split("\r\n\r\n", 2);
    expect(head).toStartWith("HTTP/1.1 200 OK");
    for (const line of ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"]) {
      expect(head.toLowerCase()).toContain(line);
    }
    expect(body).toMatch(/retry: [12]\d{3}\n\n/);
    expect(listener.caughtUp()).toBeUndefined();
  });

  test("ends cleanly, and its connection serves on", async () => {
    await using desk = new Desk();
    const { client, listener } = await desk.open();
    listener.end();
    listener.end();
    listener.send(bytes("data: too late\n\n"));
    await until(() => client.got.endsWith("0\r\n\r\n"), "the body has its end");
    expect(desk).toMatchObject({ left: 1, over: 1 });
    client.socket.write("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
    await until(() => desk.followed.length === 2, "the next one is followed");
    expect(client.got).not.toContain("too late");
  });

  test("ends its subscription when the client hangs up, before the answer or after", async () => {
    await using desk = new Desk();
    const { client, listener } = await desk.open();
    client.socket.destroy();
    await until(() => desk.left === 1, "the subscription is over");
    listener.send(bytes("data: to nobody\n\n"));
    listener.end();

    const gate = Promise.withResolvers<void>();
    desk.gate = gate.promise;
    const hasty = desk.call();
    await until(() => desk.requests === 2, "it asks");
    hasty.socket.destroy();
    await until(() => desk.hungUp === 2, "it has hung up");
    gate.resolve();
    await until(() => desk.left === 2, "the subscription is over");
    expect(desk).toMatchObject({ over: 2, followed: [{}] });
  });

  test.concurrent("that has ended leaves a connection that is idle again, and is closed", async () => {
    await using desk = new Desk();
    const { client, listener } = await desk.open();
    listener.end();
    await until(() => client.isClosed, "the connection is closed", 25_000);
  });

  test.concurrent("outlives the idle timeout of its server in silence", async () => {
    await using desk = new Desk(createEventStreams({ heartbeatMs: 600_000 }));
    const { client, listener } = await desk.open();
    await Bun.sleep(15_000);
    listener.send(bytes("data: still here\n\n"));
    await until(() => client.got.includes("still here"), "the event is there");
  });
});

describe("a heartbeat", () => {
  test.concurrent("comes by itself, though nothing happens", async () => {
    await using desk = new Desk();
    const { client } = await desk.open();
    await until(() => /\r\n:\n\n|\n:\n\n/.test(client.got), "a comment has come", 30_000);
    expect(client.got).not.toContain("data:");
    expect(client.isClosed).toBe(false);
  });

  test("is a comment to all, until they are gone", async () => {
    await using desk = new Desk(createEventStreams({ heartbeatMs: 60 }));
    const clients = Array.from({ length: 40 }, () => desk.call());
    const comments = ({ got }: Client): number =>
      got.split("\n:\n\n").length - 1 + (got.match(/\r\n:\n\n/g)?.length ?? 0);
    await until(() => clients.every((client) => comments(client) >= 3), "three comments have come to each");
    for (const { socket } of clients) socket.destroy();
    await until(() => desk.left === 40, "all places are given back");
  });
});

describe("a client that reads nothing", () => {
  test("is cut off once too much waits for it; others get everything", async () => {
    await using desk = new Desk();
    const { client: idle, listener: behind } = await desk.open();
    const { client: busy, listener } = await desk.open();
    idle.socket.pause();
    await fill(behind);
    const chunk = new Uint8Array(1000).fill(98);
    let sent = 0;
    while (desk.left === 0 && sent < 10_000) {
      behind.send(chunk);
      listener.send(chunk);
      sent += 1;
    }
    // 256 KiB, and the one too many.
    expect(sent).toBe(263);
    await until(() => busy.got.length >= sent * chunk.length, "the other one has everything");
    expect({ left: desk.left, over: desk.over }).toEqual({ left: 1, over: 1 });
    idle.socket.resume();
    await until(() => idle.isClosed, "the connection is cut");
    expect(busy.isClosed).toBe(false);
  });

  test("is cut off when it takes nothing from one heartbeat to the next", async () => {
    await using desk = new Desk(createEventStreams({ heartbeatMs: 150 }));
    const { client, listener } = await desk.open();
    client.socket.pause();
    await fill(listener);
    await until(() => desk.left === 1, "the stream is cut");
    client.socket.resume();
    await until(() => client.isClosed, "the connection is cut");
  });

  test("and reads on gets everything, in order, and stays", async () => {
    await using desk = new Desk(createEventStreams({ heartbeatMs: 600_000 }));
    const { client, listener } = await desk.open();
    client.socket.pause();
    const mebibytes = await fill(listener);
    let isDrained = false;
    void listener.caughtUp()?.then(() => (isDrained = true));
    for (let n = 0; n < 100; n += 1) listener.send(bytes(`<${n}>`));
    expect(isDrained).toBe(false);
    client.socket.resume();
    await until(() => client.got.includes("<99>"), "the last one has come");
    expect(isDrained).toBe(true);
    expect(listener.caughtUp()).toBeUndefined();
    const received = Array.from({ length: 100 }, (_, n) => `<${n}>`).join("");
    expect(client.got.match(/<\d+>/g)?.join("")).toBe(received);
    expect(client.got.match(/a{1000}/g)?.length).toBeGreaterThanOrEqual(mebibytes * 1000);
    expect(desk.left).toBe(0);
  });

  test("is cut off at once when the stream is to end", async () => {
    await using desk = new Desk();
    const { client, listener } = await desk.open();
    client.socket.pause();
    await fill(listener);
    listener.end();
    expect(desk).toMatchObject({ left: 1, over: 1 });
    client.socket.resume();
    await until(() => client.isClosed, "the connection is cut");
    expect(client.got).not.toEndWith("0\r\n\r\n");
  });
});

describe("Last-Event-ID", () => {
  test("is absent, or an id", () => {
    expect(readLastEventId(new Headers())).toBeUndefined();
    expect(readLastEventId(new Headers({ "Last-Event-ID": "" }))).toBeUndefined();
    expect(readLastEventId(new Headers({ "Last-Event-ID": "1795225048814-3" }))).toBe("1795225048814-3");
  });

  test.each(["0", "-", "$", "12-", "abc", "1-0, 2-0", "9".repeat(20) + "-0"])("%p is refused", (given) => {
    expect(() => readLastEventId(new Headers({ "Last-Event-ID": given }))).toThrow(InvalidInputError);
  });
});
