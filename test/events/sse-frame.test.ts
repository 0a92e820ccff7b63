/** Owns the tests of sse-frame.ts and event.ts. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EVENT_TYPES, isBefore, isEventId, msOf } from "../../src/events/event.ts";
import { createEncoders } from "../../src/events/sse-frame.ts";
import { createReader, type WireEvent } from "./feeds.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const { encode, encodeMissed } = createEncoders("main");
const ORDER_ID = "01938a5e-7c1b-7f3e-9a52-6f1d2c3b4a59";

test("an order's event is a frame with a CloudEvent, and the order has its id again", () => {
  const event = { id: "1795225048814-7", type: "order.placed", orderId: ORDER_ID, data: '{"number":1}' };
  expect(text(encode(event))).toBe(
    `id: 1795225048814-7\nevent: order.placed\ndata: {"specversion":"1.0","id":"1795225048814-7","source":"/shops/main",` +
      `"type":"order.placed","subject":"${ORDER_ID}","time":"2026-11-21T01:37:28.814Z","datacontenttype":"application/json",` +
      `"data":{"order_id":"${ORDER_ID}","number":1}}\n\n`,
  );
});

test("an event of the shop's own has no subject", () => {
  const event = { id: "1795225048814-0", type: "menu.changed", orderId: "", data: '{"id":"latte"}' };
  expect(text(encode(event))).toBe(
    `id: 1795225048814-0\nevent: menu.changed\ndata: {"specversion":"1.0","id":"1795225048814-0","source":"/shops/main",` +
      `"type":"menu.changed","time":"2026-11-21T01:37:28.814Z","datacontenttype":"application/json","data":{"id":"latte"}}\n\n`,
  );
});

test("who missed some learns after which, in a frame that is no id to come back to", () => {
  expect(text(encodeMissed("1795225048814-0"))).toBe(
    `event: events.missed\ndata: {"specversion":"1.0","id":"1795225048814-0.missed","source":"/shops/main",` +
      `"type":"events.missed","datacontenttype":"application/json","data":{"after":"1795225048814-0"}}\n\n`,
  );
});

test("a shop's name can't break out of its frame", () => {
  const bytes = createEncoders('a "shop"/\nwith é').encode({
    id: "1-0",
    type: "menu.changed",
    orderId: "",
    data: "{}",
  });
  expect(text(bytes)).toContain('"source":"/shops/a%20%22shop%22%2F%0Awith%20%C3%A9"');
});

test("whatever is sent is read as it was, in whatever pieces it comes", () => {
  const event = fc.record({
    type: fc.constantFrom(...EVENT_TYPES),
    ms: fc.nat(2 ** 31).map((seconds) => seconds * 1000),
    sequence: fc.nat(),
    note: fc.string({ unit: "binary" }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (events, size) => {
      const heard: WireEvent[] = [];
      const read = createReader((one) => heard.push(one));
      const bytes = Buffer.concat(
        events.map(({ type, ms, sequence, note }) => {
          const orderId = /^(order|payment)\./.test(type) ? ORDER_ID : "";
          return encode({ id: `${ms}-${sequence}`, type, orderId, data: JSON.stringify({ note }) });
        }),
      );
      for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
      const received = heard.map(({ id, type, data }) => ({ id, type, note: data.note }));
      // Halves of a pair of surrogates are no text: on their way they become U+FFFD.
      expect(received).toEqual(
        events.map(({ type, ms, sequence, note }) => ({ id: `${ms}-${sequence}`, type, note: note.toWellFormed() })),
      );
    }),
  );
});

describe("an id", () => {
  test.each(["0-0", "1795225048814-0", "999999999999999-999999999999999"])("%s is one", (id) => {
    expect(isEventId(id)).toBe(true);
  });

  test.each(["", "1", "-1", "1-", "01-0", "1-00", "1-0 ", "1-0\n", "a-0", "1-0-0", "+", "$", "1000000000000000-0"])(
    "%p is none",
    (id) => {
      expect(isEventId(id)).toBe(false);
    },
  );

  test("is ordered by its numbers, and has its time", () => {
    const ids = ["0-0", "0-1", "9-9", "9-10", "10-0", "10-2", "100-1"];
    for (const [at, id] of ids.entries()) {
      expect(ids.map((other) => isBefore(id, other))).toEqual(ids.map((_, otherAt) => at < otherAt));
    }
    expect(msOf("1795225048814-7")).toBe(1795225048814);
  });
});
