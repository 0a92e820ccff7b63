/**
 * Owns how the life cycle is drawn: where each state stands, and which way each arrow goes, wide and tall.
 *
 * **Invariants**
 * - Each arrow is of the events that move orders along it: its rate is theirs.
 */
import type { Status } from "../../orders/order.ts";

interface Box {
  readonly status: Status;
  readonly x: number;
  readonly y: number;
}

export interface Arrow {
  /** What orders do that go along it. */
  readonly words: string;
  /** The types of the events. */
  readonly types: readonly string[];
  /** SVG path data, each with a head at its end. */
  readonly path: string;
  /** Lines that join it, without a head. */
  readonly joins?: readonly string[];
  /** Where its rate stands, and how it is set there. */
  readonly x: number;
  readonly y: number;
  readonly anchor?: "start" | "end";
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly boxWidth: number;
  readonly boxHeight: number;
  /** Where new orders come in. */
  readonly entry: { readonly x: number; readonly y: number };
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

const RESERVED = { words: "redeemed", types: ["order.reserved"] };
const UNPAID = { words: "to pay", types: ["order.unpaid"] };
const SCHEDULED = { words: "for later", types: ["order.scheduled"] };
const PLACED = { words: "ordered", types: ["order.placed"] };
const QUEUED = { words: "due or paid", types: ["order.queued"] };
const STARTED = { words: "started", types: ["order.started"] };
const BACK = { words: "put back", types: ["order.released", "order.failed"] };
const FINISHED = { words: "finished", types: ["order.finished"] };
const CANCELLED = { words: "cancelled", types: ["order.cancelled"] };

export const WIDE: Picture = {
  width: 1100,
  height: 396,
  boxWidth: 150,
  boxHeight: 84,
  entry: { x: 74, y: 162 },
  boxes: [
    { status: "reserved", x: 210, y: 8 },
    { status: "unpaid", x: 210, y: 206 },
    { status: "scheduled", x: 210, y: 304 },
    { status: "queued", x: 480, y: 120 },
    { status: "brewing", x: 714, y: 120 },
    { status: "ready", x: 946, y: 40 },
    { status: "cancelled", x: 946, y: 240 },
  ],
  arrows: [
    { ...RESERVED, path: "M84,152 C104,100 124,50 206,50", x: 88, y: 76, anchor: "end" },
    { ...PLACED, path: "M88,162 H476", joins: ["M360,50 C410,50 400,162 450,162"], x: 250, y: 134 },
    { ...UNPAID, path: "M86,170 C120,190 130,248 206,248", x: 150, y: 200, anchor: "start" },
    { ...SCHEDULED, path: "M76,176 C84,290 114,346 206,346", x: 76, y: 300, anchor: "end" },
    {
      ...QUEUED,
      path: "M360,248 C450,248 520,270 520,208",
      joins: ["M360,346 C460,346 520,310 520,216"],
      x: 434,
      y: 288,
    },
    { ...STARTED, path: "M630,148 H710", x: 670, y: 114 },
    { ...BACK, path: "M714,180 H634", x: 673, y: 202 },
    { ...FINISHED, path: "M864,150 C904,150 904,84 942,84", x: 896, y: 72, anchor: "end" },
    {
      ...CANCELLED,
      path: "M804,204 C814,262 874,282 942,282",
      joins: ["M590,204 C610,300 780,300 880,275"],
      x: 836,
      y: 308,
    },
  ],
};

export const TALL: Picture = {
  width: 360,
  height: 566,
  boxWidth: 104,
  boxHeight: 66,
  entry: { x: 130, y: 16 },
  boxes: [
    { status: "reserved", x: 4, y: 78 },
    { status: "unpaid", x: 146, y: 78 },
    { status: "scheduled", x: 254, y: 78 },
    { status: "queued", x: 78, y: 226 },
    { status: "brewing", x: 78, y: 358 },
    { status: "ready", x: 14, y: 494 },
    { status: "cancelled", x: 236, y: 494 },
  ],
  arrows: [
    { ...RESERVED, path: "M118,18 C70,22 56,40 56,74", x: 62, y: 16, anchor: "end" },
    { ...PLACED, path: "M130,30 V222", joins: ["M56,144 C56,190 130,170 130,205"], x: 138, y: 172, anchor: "start" },
    { ...UNPAID, path: "M140,24 C180,30 198,44 198,74", x: 136, y: 48, anchor: "start" },
    { ...SCHEDULED, path: "M142,16 C260,16 306,34 306,74", x: 316, y: 16, anchor: "start" },
    {
      ...QUEUED,
      path: "M216,144 C216,180 262,258 186,258",
      joins: ["M306,144 C306,230 260,258 196,258"],
      x: 262,
      y: 172,
    },
    { ...STARTED, path: "M112,292 V354", x: 104, y: 318, anchor: "end" },
    { ...BACK, path: "M148,358 V296", x: 156, y: 318, anchor: "start" },
    { ...FINISHED, path: "M106,424 C100,456 76,460 70,490", x: 76, y: 444, anchor: "end" },
    {
      ...CANCELLED,
      path: "M182,396 C240,400 276,440 284,490",
      joins: ["M182,280 C310,290 300,420 285,480"],
      x: 230,
      y: 356,
    },
  ],
};

/** Orders a minute, as it is written beside an arrow: 14, 3.5, 0. */
export function formatRate(perMinute: number): string {
  return perMinute < 10 && !Number.isInteger(perMinute) ? perMinute.toFixed(1) : String(Math.round(perMinute));
}
