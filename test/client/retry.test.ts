/** The machine by which client, pages and simulators try again. No test here waits for a pause: it is ended. */
import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { getEventListeners } from "node:events";
import { between, pause } from "../../src/pause.ts";
import { readRetryAfterMs } from "../../src/retry-after.ts";
import { isRetryable, Retrier, type Failed, type Tried } from "../../src/client/retry.ts";
import { until } from "../support/until.ts";

const BACK_OFF = { firstMs: 100, maxMs: 5000 };
/** A pause that no test waits for. */
const LONG_MS = 3_600_000;

afterEach(() => mock.restore());

/** The pauses of a run whose first tries fail so, each ended at once. `random`: what chance gives, from 0 to 1. */
async function delaysOf(failures: readonly Failed[], random: number): Promise<number[]> {
  spyOn(Math, "random").mockReturnValue(random);
  const retrier = new Retrier(BACK_OFF);
  const delays: number[] = [];
  await retrier.run(failing(failures), {
    onRetry: (_, { delayMs }) => {
      delays.push(delayMs);
      queueMicrotask(() => retrier.hurry());
    },
  });
  return delays;
}

/** Fails so, try by try, and then is done. */
function failing(failures: readonly Failed[]): () => Promise<Tried<string, Failed>> {
  const left = [...failures];
  return async () => left.shift() ?? { kind: "done", value: "coffee" };
}

const again: Failed = { kind: "again" };
const times = (count: number): Failed[] => Array.from({ length: count }, () => again);

describe("the pauses", () => {
  test("are at most twice as long each time, up to a bound", async () => {
    expect(await delaysOf(times(8), 1)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test("are as short as chance has it", async () => {
    expect(await delaysOf([again, again], 0)).toEqual([0, 0]);
    expect(await delaysOf([again, again], 0.5)).toEqual([50, 100]);
  });

  test("are never shorter than the server asks for", async () => {
    const asked = { ...again, retryAfterMs: 3000 };
    expect(await delaysOf([asked, asked, again], 0)).toEqual([3000, 3000, 0]);
    expect(await delaysOf([asked, asked, again], 1)).toEqual([3100, 3200, 400]);
  });

  test("begin anew after a try that had got through", async () => {
    const cut = { ...again, hasWorked: true };
    expect(await delaysOf([again, again, cut, again, cut], 1)).toEqual([100, 200, 100, 200, 100]);
  });

  test("begin anew after a try that lasted for long", async () => {
    // Each try takes as long as the next of these.
    const tookMs = [0, 0, 5001, 0, 5000, 0];
    let nowMs = 0;
    let reads = 0;
    spyOn(performance, "now").mockImplementation(() => {
      if (reads++ % 2 === 1) nowMs += tookMs.shift() ?? 0;
      return nowMs;
    });
    expect(await delaysOf(times(5), 1)).toEqual([100, 200, 100, 200, 400]);
  });
});

describe("a run", () => {
  test("ends with the first try that is done, and counts tries", async () => {
    const attempts: number[] = [];
    const retrier = new Retrier({ firstMs: 1, maxMs: 1 });
    const run = retrier.run(failing([again, again]), { onRetry: (_, { attempt }) => attempts.push(attempt) });
    expect(await run).toBe("coffee");
    expect(attempts).toEqual([1, 2]);
  });

  test("rejects with what a try or the hook throws", async () => {
    const fault = new Error("fault");
    const fail = (): never => {
      throw fault;
    };
    const retrier = new Retrier(BACK_OFF);
    expect(await retrier.run(async () => fail()).catch((error: unknown) => error)).toBe(fault);
    expect(await retrier.run(failing([again]), { onRetry: fail }).catch((error: unknown) => error)).toBe(fault);
  });

  test("that is aborted in a pause rejects with the reason, tries no more and leaves nothing on the signal", async () => {
    const controller = new AbortController();
    const attempt = mock(async (): Promise<Failed> => ({ kind: "again", retryAfterMs: LONG_MS }));
    const run = new Retrier(BACK_OFF).run(attempt, { signal: controller.signal });
    await until(() => getEventListeners(controller.signal, "abort").length === 1, "it pauses");
    controller.abort("enough");
    expect(await run.catch((reason: unknown) => reason)).toBe("enough");
    expect(attempt).toHaveBeenCalledTimes(1);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test.each([
    [{ kind: "done", value: "coffee" } as const, "coffee"],
    [again, "enough"],
  ])("that is aborted in a try has its value, and else the reason: %#", async (tried, expected) => {
    const controller = new AbortController();
    const onRetry = mock();
    const attempt = async (): Promise<Tried<string, Failed>> => {
      controller.abort("enough");
      return tried;
    };
    const run = new Retrier(BACK_OFF).run(attempt, { signal: controller.signal, onRetry });
    expect(await run.catch((reason: unknown) => reason)).toBe(expected);
    expect(onRetry).not.toHaveBeenCalled();
  });

  test("that was aborted before tries nothing", async () => {
    const attempt = mock(failing([]));
    const run = new Retrier(BACK_OFF).run(attempt, { signal: AbortSignal.abort("enough") });
    expect(await run.catch((reason: unknown) => reason)).toBe("enough");
    expect(attempt).not.toHaveBeenCalled();
  });

  test("is hurried with all others that pause, and with none that begins to later", async () => {
    const retrier = new Retrier(BACK_OFF);
    const slow = { ...again, retryAfterMs: LONG_MS };
    let pauses = 0;
    const onRetry = (): void => void (pauses += 1);
    const both = [retrier.run(failing([slow]), { onRetry }), retrier.run(failing([slow]), { onRetry })];
    await until(() => pauses === 2, "both pause");
    retrier.hurry();
    expect(await Promise.all(both)).toEqual(["coffee", "coffee"]);

    const controller = new AbortController();
    const third = retrier.run(failing([slow]), { onRetry, signal: controller.signal });
    await until(() => pauses === 3, "the third pauses");
    expect(await Promise.race([third, Bun.sleep(20).then(() => "still there")])).toBe("still there");
    controller.abort("enough");
    expect(await third.catch((reason: unknown) => reason)).toBe("enough");
  });
});

test.each([200, 400, 401, 404, 409, 422, 429, 500, 501, 502, 503, 504])("status %i passes, or does not", (status) => {
  expect(isRetryable(status, 0, 0)).toBe([429, 502, 503, 504].includes(status));
  expect(isRetryable(status, 1001, 1000)).toBe(false);
});

describe("Retry-After", () => {
  const date = (time: string): string => `Fri, 20 Nov 2026 ${time} GMT`;

  test.each([
    ["seconds", { "Retry-After": "7" }, 7000],
    ["none", {}, 0],
    ["no number", { "Retry-After": "soon" }, 0],
    ["a part of a second", { "Retry-After": "1.5" }, 0],
    ["less than nothing", { "Retry-After": "-7" }, 0],
    ["a date", { "Retry-After": date("09:00:10"), Date: date("09:00:00") }, 10_000],
    ["a date that has been", { "Retry-After": date("09:00:00"), Date: date("09:00:10") }, 0],
  ])("as %s", (_, headers: Record<string, string>, expectedMs) => {
    expect(readRetryAfterMs(new Headers(headers))).toBe(expectedMs);
  });

  test("as a date counts from this device's clock where the server says no time", () => {
    spyOn(Date, "now").mockReturnValue(Date.parse(date("09:00:00")));
    expect(readRetryAfterMs(new Headers({ "Retry-After": date("09:00:10") }))).toBe(10_000);
  });
});

describe("a pause", () => {
  test("is no shorter than its time", async () => {
    const beganMs = performance.now();
    await pause(20);
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(20);
  });

  test("ends with any of its signals, and leaves nothing on them", async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const over = pause(LONG_MS, one.signal, undefined, other.signal);
    other.abort();
    await over;
    await pause(LONG_MS, one.signal, other.signal);
    expect(getEventListeners(one.signal, "abort")).toEqual([]);
    expect(getEventListeners(other.signal, "abort")).toEqual([]);
  });
});

test("a random number lies between its bounds", () => {
  spyOn(Math, "random").mockReturnValueOnce(0).mockReturnValueOnce(0.25);
  expect([between(10, 30), between(10, 30)]).toEqual([10, 15]);
});
