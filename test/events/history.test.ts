/** Owns the tests of history.ts and of redis/read-events.lua. */
import { expect, test } from "bun:test";
import { createHistory, type History, type HistoryPage } from "../../src/events/history.ts";
import type { Wanted } from "../../src/events/event.ts";
import { FeedFixture } from "./feeds.ts";

async function open(): Promise<{ fixture: FeedFixture; history: History }> {
  const fixture = await FeedFixture.open();
  const { run } = await fixture.openRedis();
  return { fixture, history: createHistory(run) };
}

const idsOf = ({ events }: HistoryPage): string[] => events.map(({ id }) => id);

/** Reads all pages; resolves to the ids, and how many pages there were. */
async function readAll(history: History, wanted: Wanted, after = "0-0"): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  for (let pages = 1; ; pages += 1) {
    const page = await history.readAfter(after, wanted);
    ids.push(...idsOf(page));
    if (page.upTo === page.newest) return { ids, pages };
    after = page.upTo;
  }
}

test("where nothing ever happened, nothing is newest and nothing is missing", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  expect(await history.findNewest()).toBe("0-0");
  expect(await history.isMissingAfter("5-0")).toBe(false);
  const page = await history.readAfter("5-0", {});
  expect(page).toEqual({ events: [], upTo: "5-0", newest: "0-0", isMissing: false });
});

test("a page gives events as they were appended", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const first = await fixture.append({ type: "order.placed", orderId: "a", members: '"number":1' });
  const second = await fixture.append({ type: "shop.changed", members: '"open":true' });
  expect(await history.findNewest()).toBe(second);
  expect(await history.readAfter("0-0", {})).toEqual({
    events: [
      { id: first, type: "order.placed", orderId: "a", data: '{"number":1}' },
      { id: second, type: "shop.changed", orderId: "", data: '{"open":true}' },
    ],
    upTo: second,
    newest: second,
    isMissing: false,
  });
  expect(idsOf(await history.readAfter(first, {}))).toEqual([second]);
  expect(await history.readAfter(second, {})).toMatchObject({ events: [], upTo: second, newest: second });
});

test("pages are bounded, and together give everything once and in order", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const ids = await fixture.appendMany(1000);
  const read = await readAll(history, {});
  expect(read.ids).toEqual(ids);
  expect(read.pages).toBeGreaterThan(2);
  // What is not wanted is looked at all the same.
  expect(await readAll(history, { orderId: "nobody's" })).toEqual({ ids: [], pages: read.pages });
});

test("only what is wanted is read: of an order, of some types, or both", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const placed = await fixture.append({ type: "order.placed", orderId: "a" });
  const others = await fixture.append({ type: "order.placed", orderId: "aa" });
  const changed = await fixture.append({ type: "shop.changed" });
  const finished = await fixture.append({ type: "order.finished", orderId: "a" });
  const read = async (wanted: Wanted): Promise<string[]> => (await readAll(history, wanted)).ids;
  expect(await read({ orderId: "a" })).toEqual([placed, finished]);
  expect(await read({ types: ["order.placed"] })).toEqual([placed, others]);
  expect(await read({ types: ["shop.changed", "order.finished"] })).toEqual([changed, finished]);
  expect(await read({ types: ["order"] })).toEqual([]);
  expect(await read({ orderId: "a", types: ["order.finished", "shop.changed"] })).toEqual([finished]);
});

test("who asks for more than is kept learns so; others do not", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const ids = await fixture.appendMany(10);
  expect(await history.isMissingAfter("0-0")).toBe(false);
  await fixture.outside.xtrim(fixture.key, "MAXLEN", 4);
  const missing = await Promise.all(["0-0", ...ids].map((id) => history.isMissingAfter(id)));
  // Events are numbered without gaps: who has the last one that is gone misses nothing.
  expect(missing).toEqual([...Array.from({ length: 6 }, () => true), false, false, false, false, false]);
  const page = await history.readAfter(ids[2] ?? "", {});
  expect({ isMissing: page.isMissing, ids: idsOf(page) }).toEqual({ isMissing: true, ids: ids.slice(6) });
});

test("events of one entry are pages' events like any other: read from the middle, and only what is wanted", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const first = await fixture.append();
  const drafts = ["a", "b", "a", "c"].map((orderId, at) => ({
    orderId,
    type: at < 2 ? "order.placed" : "order.started",
  }));
  const ids = await fixture.appendTogether(drafts);
  const last = ids[3] ?? "";
  for (const [at, after] of [first, ...ids].entries()) {
    expect(idsOf(await history.readAfter(after, {}))).toEqual(ids.slice(at));
    const wanted = ids.filter((_id, index) => index >= at && drafts[index]?.orderId === "a");
    expect(idsOf(await history.readAfter(after, { orderId: "a" }))).toEqual(wanted);
  }
  expect(await history.findNewest()).toBe(last);
  expect(await history.readAfter(ids[1] ?? "", { types: ["order.placed"] })).toEqual({
    events: [],
    upTo: last,
    newest: last,
    isMissing: false,
  });
});

test("an entry that is gone is missing for those who had a part of it; one that is left is not", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const gone = await fixture.appendTogether([{}, {}, {}]);
  const left = await fixture.appendTogether([{}, {}, {}]);
  await fixture.outside.xtrim(fixture.key, "MAXLEN", 1);
  const missing = await Promise.all([...gone, ...left].map((id) => history.isMissingAfter(id)));
  expect(missing).toEqual([true, true, false, false, false, false]);
});

test("an id that is yet to come gives nothing", async () => {
  const { fixture, history } = await open();
  await using _ = fixture;
  const newest = await fixture.append();
  const future = "999999999999999-0";
  expect(await history.readAfter(future, {})).toEqual({ events: [], upTo: future, newest, isMissing: false });
});
