/** The connection of a staff page, against a server of server-sent events that is cut, silent, locked or away. */
import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from "bun:test";
import { Live, type Connection, type LiveOptions } from "../../src/web/shared/live.ts";
import { until } from "../support/until.ts";

/** Each request that came, and the way to write to it. */
interface Guest {
  readonly lastEventId: string | null;
  readonly write: (text: string) => void;
  readonly cut: () => void;
  hasLeft: boolean;
}

let server: ReturnType<typeof Bun.serve>;
let guests: Guest[];
let live: Live | undefined;
let heard: string[];
let connections: Connection[];
let loads: number;

beforeEach(() => {
  guests = [];
  heard = [];
  connections = [];
  loads = 0;
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: receive });
});

afterEach(async () => {
  mock.restore();
  live?.stop();
  await server.stop(true);
});

function receive(request: Request): Response {
  const encoder = new TextEncoder();
  let guest: Guest | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      guest = {
        lastEventId: request.headers.get("last-event-id"),
        write: (text) => controller.enqueue(encoder.encode(text)),
        cut: () => controller.close(),
        hasLeft: false,
      };
      guests.push(guest);
      // Without a first chunk, Bun keeps back the answer's head.
      guest.write(": hello\n\n");
    },
    cancel() {
      if (guest) guest.hasLeft = true;
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function open(options: Partial<LiveOptions> = {}): void {
  live = new Live({
    open: async (lastEventId, signal) => {
      const headers = lastEventId === undefined ? undefined : { "Last-Event-ID": lastEventId };
      const response = await fetch(server.url, { signal, ...(headers ? { headers } : undefined) });
      return response.body ? { kind: "open", body: response.body } : { kind: "unreachable" };
    },
    load: async () => {
      loads += 1;
      return true;
    },
    onEvent: ({ id, type }) => heard.push(`${id} ${type}`),
    onConnection: (connection) => connections.push(connection),
    backOff: { firstMs: 5, maxMs: 5000 },
    ...options,
  });
  live.start();
}

function frame(id: string, type = "order.placed"): string {
  const event = { specversion: "1.0", id, type, time: "2026-11-20T09:00:00.000Z", data: {} };
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const untilGuests = (count: number) => until(() => guests.length === count, `${count} connections`);
const untilHeard = (count: number) => until(() => heard.length === count, `${count} events`);

test("events are heard, whatever pieces they come in", async () => {
  open();
  await untilGuests(1);
  const text = frame("1-0") + ": still here\n\n" + frame("2-0", "shop.changed");
  for (const piece of text.match(/[^]{1,7}/g) ?? []) {
    guests[0]?.write(piece);
    await Bun.sleep(0);
  }
  await untilHeard(2);
  expect(heard).toEqual(["1-0 order.placed", "2-0 shop.changed"]);
  expect(connections).toEqual(["connecting", "live"]);
});

test("a cut connection goes on after the last event, with a new snapshot", async () => {
  open();
  await untilGuests(1);
  expect(guests[0]?.lastEventId).toBeNull();
  guests[0]?.write(frame("1-0"));
  await untilHeard(1);
  guests[0]?.cut();
  await untilGuests(2);
  expect(guests[1]?.lastEventId).toBe("1-0");
  guests[1]?.write(frame("2-0"));
  await untilHeard(2);
  expect(loads).toBe(2);
  expect(connections).toEqual(["connecting", "live", "lost", "live"]);
});

test("a silent connection is taken for lost; a comment is not silence", async () => {
  open({ silenceMs: 1000 });
  await untilGuests(1);
  // Longer than the silence in all, with much less between two of them.
  for (let comments = 0; comments < 6; comments += 1) {
    guests[0]?.write(": still here\n\n");
    await Bun.sleep(200);
  }
  expect(guests).toHaveLength(1);
  await untilGuests(2);
  await until(() => guests[0]?.hasLeft === true, "the silent one is let go");
});

test("a connection that is cut again and again is opened again soon, each time", async () => {
  // Every pause is as long as it may be: 20 ms each time, or growing to 40 s.
  spyOn(Math, "random").mockReturnValue(1);
  open({ backOff: { firstMs: 20, maxMs: 60_000 } });
  for (let count = 1; count <= 12; count += 1) {
    await until(
      () => connections.filter((connection) => connection === "live").length === count,
      `live ${count} times`,
    );
    guests.at(-1)?.cut();
  }
});

test("without a snapshot a connection is no good", async () => {
  open({ load: async () => (loads += 1) >= 3 });
  await until(() => connections.at(-1) === "live", "it is live");
  expect(connections).toEqual(["connecting", "lost", "lost", "live"]);
  await until(() => guests.filter(({ hasLeft }) => hasLeft).length === 2, "the others are let go");
});

describe("a server that is away", () => {
  test("is asked again and again, and at once by who hurries", async () => {
    let requests = 0;
    open({
      open: async () => {
        requests += 1;
        return { kind: "unreachable" };
      },
      backOff: { firstMs: 60_000, maxMs: 60_000 },
    });
    await until(() => requests === 1, "it was asked");
    // Once it is waiting.
    await until(() => connections.at(-1) === "lost", "it is lost");
    live?.hurry();
    await until(() => requests === 2, "it was asked again");
  });

  test("is asked no more once a token is wanted, until it is started again", async () => {
    let requests = 0;
    open({
      open: async () => {
        requests += 1;
        return { kind: requests === 1 ? "locked" : "unreachable" };
      },
    });
    await until(() => connections.at(-1) === "locked", "it is locked");
    expect(requests).toBe(1);
    live?.start();
    await until(() => requests > 1, "it is asked again");
  });
});

test("stopping hangs up, and passes nothing more on", async () => {
  open();
  await until(() => connections.at(-1) === "live", "it is live");
  live?.stop();
  await until(() => guests[0]?.hasLeft === true, "it has left");
  expect(connections).toEqual(["connecting", "live"]);
  expect(guests).toHaveLength(1);
});
