/**
 * Owns the tests of one barista against a server that fails: what was taken is settled, or given up after a while.
 *
 * **Invariants**
 * - The servers here answer what the test says; the real one is in rush.test.ts.
 */
import { expect, test } from "bun:test";
import { Quota, workShift, type Shift } from "../../src/cli/barista.ts";
import { StaffTally } from "../../src/cli/staff-tally.ts";
import { until } from "../support/until.ts";

const ORDER = {
  order_id: "an-order",
  status: "brewing",
  placed_at: "2026-11-20T09:31:50.000Z",
  started_at: "2026-11-20T09:31:52.000Z",
};
const NONE = { type: "urn:longpour:problem:queue_empty", title: "None", status: 404, detail: "none" };

/** Answers in turn, and then the last one for ever; notes each request. */
function serveAnswers(...answers: readonly (() => Response)[]) {
  const seen: { readonly path: string; readonly key: string | null }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      seen.push({ path: new URL(request.url).pathname, key: request.headers.get("idempotency-key") });
      return answers[Math.min(seen.length, answers.length) - 1]?.() ?? new Response();
    },
  });
  return { seen, url: server.url, [Symbol.asyncDispose]: () => server.stop(true) };
}

function shiftAt(url: URL, own: Partial<Shift> = {}): Shift {
  const signal = new AbortController().signal;
  const brew = { brewMinMs: 0, brewMaxMs: 0 };
  return { url, token: "", ...brew, idleMs: Infinity, quota: new Quota(1), tally: new StaffTally(), signal, ...own };
}

const answer = (body: unknown, init?: ResponseInit) => () => Response.json(body, init);
const half = () => new Response('{"order_id":"an-', { headers: { "Content-Type": "application/json" } });

test("a finish that is refused for now, or answered by half, is said again under the same key", async () => {
  const busy = answer({ detail: "later" }, { status: 503 });
  await using server = serveAnswers(answer(ORDER), busy, half, answer(ORDER));
  const shift = shiftAt(server.url);
  await workShift("Grace", shift);
  const [start, ...finishes] = server.seen;
  expect(start?.path).toBe("/start/");
  expect(finishes.map(({ path }) => path)).toEqual(["/finish/", "/finish/", "/finish/"]);
  expect(new Set(finishes.map(({ key }) => key)).size).toBe(1);
  expect(shift.tally).toMatchObject({ started: 1, refusals: 1, connectionsLost: 1, handovers: { finished: 1 } });
});

test("an order that is another's by now is a conflict, and not said again", async () => {
  const another = answer({ detail: "it is another's" }, { status: 409 });
  await using server = serveAnswers(answer(ORDER), another, answer({ detail: "wrong token" }, { status: 401 }));
  const shift = shiftAt(server.url);
  await workShift("Grace", shift);
  expect(server.seen.map(({ path }) => path)).toEqual(["/start/", "/finish/", "/start/"]);
  expect(shift.tally.handovers).toMatchObject({ conflicts: 1, finished: 0 });
  expect(shift.tally.summary("baristas")).toContain("answered 401: give the right --token, or STAFF_TOKEN");
});

test("none yet, also at the end of a held answer, is no fault", async () => {
  const later = answer(NONE);
  await using server = serveAnswers(later, answer(NONE, { status: 404 }), answer(ORDER));
  const shift = shiftAt(server.url);
  await workShift("Grace", shift);
  expect(shift.tally.lostNothing).toBe(true);
  expect(shift.tally.handovers.finished).toBe(1);
});

test("at the end of the shift what is brewing is released, a few times at most where nothing answers", async () => {
  await using server = serveAnswers(answer(ORDER), answer({ detail: "later" }, { status: 503 }));
  const end = new AbortController();
  const shift = shiftAt(server.url, { signal: end.signal, brewMinMs: 60_000, brewMaxMs: 60_000 });
  const worked = workShift("Grace", shift);
  await until(() => shift.tally.started === 1, "the order is brewing");
  end.abort();
  await worked;
  expect(server.seen.slice(1).map(({ path }) => path)).toEqual(["/release/", "/release/", "/release/"]);
  expect(shift.tally.handovers.unsettled).toBe(1);
});
