/** The staff token on a device, and how the pages speak to the shop with it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Access, type DeviceStorage } from "../../src/web/shared/staff/access.svelte.ts";
import { createStaffApi } from "../../src/web/shared/staff/api.ts";
import { createShopClock } from "../../src/web/shared/clock.ts";

const kept = new Map<string, string>();
const storage: DeviceStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => void kept.set(name, value),
  removeItem: (name) => void kept.delete(name),
};

beforeEach(() => kept.clear());

describe("the token", () => {
  test("is asked for once it is refused, kept once it is taken, and there after a reload", () => {
    const access = new Access(storage);
    expect(access.lock).toBeUndefined();
    access.refuse(undefined, "Send a token.");
    expect(access.lock).toEqual({});
    access.offer(" right ");
    expect([access.token, kept.size]).toEqual(["right", 0]);
    access.accept();
    expect(access.lock).toBeUndefined();
    expect(new Access(storage).token).toBe("right");
  });

  test("that is wrong is not kept, and said to be wrong", () => {
    const access = new Access(storage);
    access.offer("wrong");
    access.refuse("wrong", "This is not the staff token.");
    expect(access.lock).toEqual({ complaint: "This is not the staff token." });
    expect(kept.size).toBe(0);
  });

  test("that was replaced may be refused late: nothing happens", () => {
    const access = new Access(storage);
    access.offer("old");
    access.offer("new");
    access.accept();
    access.refuse("old", "This is not the staff token.");
    expect(access.lock).toBeUndefined();
    expect(new Access(storage).token).toBe("new");
  });

  test("can be forgotten", () => {
    const access = new Access(storage);
    access.offer("right");
    access.accept();
    access.forget();
    expect([access.token, kept.size, access.lock]).toEqual([undefined, 0, {}]);
  });
});

test("a device that keeps nothing still works", () => {
  const refuse = (): never => {
    throw new Error("no storage in a private window");
  };
  const access = new Access({ getItem: refuse, setItem: refuse, removeItem: refuse });
  access.offer("right");
  access.accept();
  access.rename(" Ada ");
  expect([access.token, access.name]).toEqual(["right", "Ada"]);
});

describe("what the shop answers", () => {
  let server: ReturnType<typeof Bun.serve>;
  let requests: { readonly path: string; readonly token: string | null }[];
  let answer: () => Response;
  let locked: (string | undefined)[];
  let token: string | undefined;

  beforeEach(() => {
    requests = [];
    locked = [];
    token = undefined;
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        const { pathname, search } = new URL(request.url);
        requests.push({ path: pathname + search, token: request.headers.get("authorization") });
        return answer();
      },
    });
  });

  afterEach(() => server.stop(true));

  const api = () =>
    createStaffApi({
      readToken: () => token,
      onLocked: (given, problem) => locked.push(`${given}: ${problem?.detail}`),
      clock: createShopClock(),
      fetch: (path, init) => fetch(new URL(path, server.url), init),
    });
  const problem = (status: number, detail: string): Response =>
    Response.json({ type: "urn:longpour:problem:any", title: "No", status, detail }, { status });

  test("is a value, with the token sent along", async () => {
    token = "right";
    answer = () => Response.json({ queue: "default", depth: 3 });
    expect(await api().queue()).toEqual({ kind: "done", value: { queue: "default", depth: 3 } as never });
    expect(requests).toEqual([{ path: "/queue", token: "Bearer right" }]);
  });

  test("is a refusal with its problem", async () => {
    answer = () => problem(409, "The order is ready.");
    expect(await api().finish("Ada", "order-17")).toMatchObject({
      kind: "refused",
      problem: { status: 409, detail: "The order is ready." },
    });
    expect(requests).toEqual([{ path: "/finish/?barista=Ada&order_id=order-17", token: null }]);
  });

  test("may be that a token is wanted, or too many were wrong", async () => {
    answer = () => problem(401, "Send a token.");
    expect(await api().queue()).toEqual({ kind: "locked" });
    token = "wrong";
    answer = () => problem(429, "Too many wrong tokens.");
    expect(await api().queue()).toEqual({ kind: "locked" });
    expect(locked).toEqual(["undefined: Send a token.", "wrong: Too many wrong tokens."]);
  });

  test("429 does not lock out whose token is right", async () => {
    token = "right";
    const calls = api();
    answer = () => Response.json({});
    await calls.queue();
    answer = () => problem(429, "Too many.");
    expect(await calls.queue()).toMatchObject({ kind: "refused", problem: { status: 429 } });
    expect(locked).toEqual([]);
  });

  test("may be none, or none that a page can read", async () => {
    answer = () => new Response("<html>", { status: 502 });
    expect(await api().queue()).toEqual({ kind: "unreachable" });
    answer = () => new Response("{", { status: 200 });
    expect(await api().queue()).toEqual({ kind: "unreachable" });
    await server.stop(true);
    expect(await api().queue()).toEqual({ kind: "unreachable" });
  });

  test("comes page by page in a search", async () => {
    const pages = [
      { orders: [{ order_id: "a" }], cursor: "a" },
      { orders: [{ order_id: "b" }], cursor: null },
    ];
    answer = () => Response.json(pages[requests.length - 1]);
    expect(await api().search("queued", { fromMs: 0 })).toEqual({
      kind: "done",
      value: [{ order_id: "a" }, { order_id: "b" }] as never,
    });
    expect(requests.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("cursor"))).toEqual([null, "a"]);
  });

  test("comes no further than so many pages of a search, of a span", async () => {
    answer = () => Response.json({ orders: [{ order_id: "a" }], cursor: "a" });
    const found = await api().search("ready", { fromMs: 0, beforeMs: 3_600_000, maxPages: 3 });
    expect(found).toEqual({ kind: "done", value: [{ order_id: "a" }, { order_id: "a" }, { order_id: "a" }] as never });
    expect(requests).toHaveLength(3);
    const { from, to } = Object.fromEntries(new URLSearchParams(requests[2]?.path.split("?")[1]));
    expect([from, to]).toEqual(["1970-01-01T00:00:00.000Z", "1970-01-01T01:00:00.000Z"]);
  });
});
