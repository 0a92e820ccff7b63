/** The small decisions of the pages that look at the shop: journeys, figures, filters, and how often they ask. */
import { describe, expect, test } from "bun:test";
import { FIGURES_EXAMPLE } from "../../src/stats/tally.ts";
import type { JourneyView } from "../../src/orders/views.ts";
import type { Order } from "../../src/orders/order.ts";
import { EVENT_TYPES } from "../../src/events/event.ts";
import { STATUSES } from "../../src/orders/status.ts";
import { dayOf, MEASURES, sayWait, soFar, valuesOf } from "../../src/web/flow/figures.ts";
import { formatRate, TALL, WIDE } from "../../src/web/flow/picture.ts";
import { dayAt, idIn, readFilters, toQuery } from "../../src/web/orders/filters.ts";
import { sayPause, stepsOf } from "../../src/web/shared/staff/journey.ts";
import { timeOfId } from "../../src/web/shared/staff/order-id.ts";
import { Steady } from "../../src/web/shared/steady.ts";
import { until } from "../support/until.ts";
import { at, makeOrder } from "./barista-orders.ts";

type JourneyEvent = JourneyView["events"][number];

function eventOf(type: string, time: string, data: Partial<Order> = {}): JourneyEvent {
  const envelope = { specversion: "1.0", source: "/shops/main", datacontenttype: "application/json" } as const;
  return { ...envelope, id: "1-1", type, time: at(time), data: { ...data } };
}

const words = (journey: JourneyView) =>
  stepsOf(journey).map(({ words: said, details, afterSeconds }) => [said, details, afterSeconds]);

describe("a journey", () => {
  const order = makeOrder(17, "ready", { started_at: at("09:01:10"), finished_at: at("09:01:52") });

  test("has a step an event, with what it took from one to the next", () => {
    const events = [
      eventOf("order.placed", "09:00:00"),
      eventOf("order.started", "09:01:00", { barista: "Ada", attempts: 1 }),
      eventOf("order.failed", "09:01:05", { error: "jammed" }),
      eventOf("order.started", "09:01:10", { barista: "Grace", attempts: 2 }),
      eventOf("order.finished", "09:01:52"),
      eventOf("payment.captured", "09:01:53"),
    ];
    expect(words({ order, events, is_whole: true })).toEqual([
      ["Ordered", "", undefined],
      ["Started", "by Ada", 60],
      ["Could not be made", "jammed", 5],
      ["Started", "by Grace, attempt 2", 5],
      ["Ready", "", 42],
      ["Money taken from the card", "", 1],
    ]);
  });

  test("comes from the order itself where its events are no longer kept", () => {
    expect(words({ order, events: [], is_whole: false })).toEqual([
      ["Ordered", "", undefined],
      ["Started", "by Grace", 70],
      ["Ready", "", 42],
    ]);
  });

  test("has one step for what comes again and again, with its count", () => {
    const progress = Array.from({ length: 500 }, (_, index) =>
      eventOf("order.progressed", "09:01:20", { progress: { percent: index / 5 } }),
    );
    const steps = stepsOf({ order, events: [eventOf("order.placed", "09:00:00"), ...progress], is_whole: true });
    expect(steps.map(({ words: said, times }) => [said, times])).toEqual([
      ["Ordered", 1],
      ["Started", 1],
      ["On its way", 500],
      ["Ready", 1],
    ]);
    expect(steps[2]?.details).toBe("99.8 %");
  });

  test("is bounded, and names what machines call their own", () => {
    const events = Array.from({ length: 1000 }, (_, index) => eventOf(`compute/step-${index % 2}`, "09:01:20"));
    expect(stepsOf({ order, events, is_whole: true })).toHaveLength(100);
  });

  test.each([
    [0.01, "at once"],
    [0.42, "0.4 s"],
    [42.4, "42 s"],
    [185, "3:05 min"],
    [7380, "2 h 3 min"],
  ])("%f s between two steps are said as %s", (seconds, said) => {
    expect(sayPause(seconds)).toBe(said);
  });
});

describe("the picture", () => {
  test.each([
    ["wide", WIDE],
    ["tall", TALL],
  ] as const)("%s has every state once, in its bounds, and every move of an order on an arrow", (_, picture) => {
    expect(picture.boxes.map(({ status }) => status)).toEqual([...STATUSES]);
    for (const { x, y } of picture.boxes) {
      expect(x + picture.boxWidth).toBeLessThanOrEqual(picture.width);
      expect(y + picture.boxHeight).toBeLessThanOrEqual(picture.height);
    }
    const onArrows = picture.arrows.flatMap(({ types }) => types);
    // These leave an order where it is.
    const stays = ["order.extended", "order.progressed"];
    const moves = EVENT_TYPES.filter((type) => type.startsWith("order.") && !stays.includes(type));
    expect(onArrows.toSorted()).toEqual(moves.toSorted());
  });

  test("a rate is written as short as it can be", () => {
    expect([0, 0.25, 3.5, 14, 130.4].map(formatRate)).toEqual(["0", "0.3", "3.5", "14", "130"]);
  });
});

describe("figures of a day", () => {
  const midnight = new Date(2026, 10, 20).getTime();
  const row = (hour: number, placed: number) => ({
    ...FIGURES_EXAMPLE,
    name: new Date(midnight + hour * 3_600_000).toISOString(),
    placed,
  });
  const view = (rows: ReturnType<typeof row>[]) => ({
    from: "",
    to: "",
    by: "hour" as const,
    counted_until: null,
    total: FIGURES_EXAMPLE,
    rows,
  });
  const today = dayOf(view([row(0, 1), row(1, 0), row(2, 5)]), midnight);

  test("an hour that has not begun has no value, one in which nothing happened is zero", () => {
    const [orders] = MEASURES;
    const values = valuesOf(today, orders?.series[0]?.valueOf ?? (() => null));
    expect(values.slice(0, 4)).toEqual([1, 0, 5, null]);
    expect(values).toHaveLength(24);
  });

  test("an hour is the clock's, also on the days when clocks are changed", () => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    process.env.TZ = "Europe/Berlin";
    try {
      const placedAt = (day: Date): (number | undefined)[] => {
        const rows = Array.from({ length: 25 }, (_, hour) => ({
          ...row(0, hour),
          name: new Date(day.getTime() + hour * 3_600_000).toISOString(),
        }));
        const next = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1);
        const ofDay = rows.filter(({ name }) => Date.parse(name) < next.getTime());
        return dayOf(view(ofDay), day.getTime()).hours.map((figures) => figures?.placed);
      };
      expect(placedAt(new Date(2026, 9, 25))).toEqual([0, 1, ...Array.from({ length: 22 }, (_, index) => index + 3)]);
      expect(placedAt(new Date(2026, 2, 29)).slice(0, 4)).toEqual([0, 1, undefined, 2]);
      expect(placedAt(new Date(2026, 10, 20)).slice(22)).toEqual([22, 23]);
    } finally {
      process.env.TZ = zone;
    }
  });

  test("of yesterday counts what was until this hour", () => {
    const yesterday = dayOf(view([row(0, 2), row(1, 3), row(2, 4), row(3, 100)]), midnight);
    expect(soFar(yesterday, today)).toBe(9);
  });

  test.each([
    [0.4, "0.4 s"],
    [3, "3 s"],
    [38.2, "38 s"],
    [125, "2:05 min"],
  ])("a wait of %f s is said as %s", (seconds, said) => {
    expect(sayWait(seconds)).toBe(said);
  });
});

describe("filters of orders", () => {
  const read = (query: string) => readFilters((name) => new URLSearchParams(query).get(name) ?? "");

  test("become what the shop is asked for, and a day is from midnight to midnight of this device", () => {
    const query = toQuery(read("text=%2317&state=queued&day=2026-11-20&queue=compute&barista=Grace"));
    expect(query).toEqual({
      text: "17",
      status: "queued",
      from: new Date(2026, 10, 20).toISOString(),
      to: new Date(2026, 10, 21).toISOString(),
      queue: "compute",
      barista: "Grace",
    });
    expect(dayAt(new Date(2026, 10, 20, 23, 59).getTime())).toBe("2026-11-20");
  });

  test("that are none of the page's are dropped", () => {
    expect(toQuery(read("text=+&state=eaten&day=2026-13-01&queue=a/b"))).toEqual({});
    expect(toQuery(read("day=yesterday&text=%23"))).toEqual({ text: "#" });
  });

  test("an id alone names an order, and says when it was made", () => {
    const id = "01938A5E-7C1B-7F3E-9A52-6F1D2C3B4A59";
    expect(idIn(read(`text=${id}`))).toBe(id.toLowerCase());
    expect(idIn(read("text=01938a5e"))).toBeUndefined();
    expect(timeOfId(id)?.slice(0, 10)).toBe("2024-12-03");
    expect(timeOfId("00000000-0000-4000-8000-000000000000")).toBeUndefined();
  });
});

describe("what is read anew while events pour in", () => {
  test("is read at once, and once more after a rest, however many events there were", async () => {
    let reads = 0;
    const steady = new Steady(async () => void (reads += 1), 30);
    for (let event = 0; event < 1000; event += 1) steady.need();
    expect(reads).toBe(1);
    await until(() => reads === 2, "it is read again");
    steady.stop();
    steady.need();
    expect(reads).toBe(2);
  });

  test("is read without a rest where the user asks", async () => {
    let reads = 0;
    const steady = new Steady(async () => void (reads += 1), 60_000);
    steady.need();
    await Bun.sleep(0);
    steady.need();
    expect(reads).toBe(1);
    steady.hurry();
    expect(reads).toBe(2);
    steady.stop();
    steady.hurry();
    expect(reads).toBe(2);
  });

  test("is not read twice at once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let [reads, underWay] = [0, 0];
    const steady = new Steady(async () => {
      reads += 1;
      underWay += 1;
      expect(underWay).toBe(1);
      await promise;
      underWay -= 1;
    }, 1);
    steady.need();
    steady.need();
    expect(reads).toBe(1);
    resolve();
    await until(() => reads === 2, "it is read again");
    steady.stop();
  });
});
