/**
 * Owns the drawing of one measure by hour, today and yesterday: a chart of uPlot's.
 *
 * **Invariants**
 * - Colours are the theme's: a chart is made anew when that changes.
 * - Yesterday differs from today by more than its colour: its bars are outlines, its lines are dashed.
 */
import uPlot from "uplot";
import { HOURS, valuesOf, type Day, type Measure } from "./figures.ts";

const HEIGHT = 170;
const FONT = "12px system-ui, sans-serif";

interface Days {
  readonly today: Day | undefined;
  readonly yesterday: Day | undefined;
}

export interface Chart {
  readonly draw: (days: Days) => void;
  readonly resize: () => void;
  readonly remove: () => void;
}

interface ChartOptions {
  readonly measure: Measure;
  readonly formatMoney: (cents: number) => string;
  /** Called with the hour under the pointer; undefined: none is. */
  readonly onpoint: (hour: number | undefined) => void;
}

export function createChart(target: HTMLElement, { measure, formatMoney, onpoint }: ChartOptions): Chart {
  const style = getComputedStyle(target);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { font: FONT, stroke: colour("--muted"), ticks: { show: false } };
  const plot = new uPlot(
    {
      width: target.clientWidth,
      height: HEIGHT,
      scales: {
        x: { time: false, range: [-0.6, HOURS - 0.4] },
        y: { range: (_, _min, max) => [0, Math.max(max, 1) * 1.1] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          splits: () => [0, 6, 12, 18, 23],
          values: (_, splits) => splits.map((hour) => `${hour}:00`),
        },
        {
          ...axis,
          size: 64,
          grid: { stroke: colour("--line"), width: 1 },
          // Of orders and cents there are no halves.
          values: (_, splits) =>
            splits.map((value) =>
              measure.kind === "lines" || Number.isInteger(value) ? measure.format(value, formatMoney) : "",
            ),
        },
      ],
      series: [{}, ...measure.series.flatMap((_, index) => seriesOf(measure, index, colour))],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      hooks: { setCursor: [({ cursor }) => onpoint(cursor.idx ?? undefined)] },
    },
    dataOf(measure, { today: undefined, yesterday: undefined }),
    target,
  );
  return {
    draw: (days) => plot.setData(dataOf(measure, days)),
    resize: () => plot.setSize({ width: target.clientWidth, height: HEIGHT }),
    remove: () => plot.destroy(),
  };
}

/** Yesterday's behind today's. */
function seriesOf({ kind }: Measure, index: number, colour: (name: string) => string): uPlot.Series[] {
  const [now, before] = [colour(index === 0 ? "--accent" : "--bad-strong"), colour("--edge")];
  if (kind === "bars") {
    const bars = (align: -1 | 1) => uPlot.paths.bars?.({ size: [0.4, 24], align });
    const outline = { stroke: before, width: 1.5, paths: bars(-1), points: { show: false } };
    return [outline, { stroke: now, fill: now, paths: bars(1), points: { show: false } }].map(withPaths);
  }
  const line = { spanGaps: false, points: { show: true, size: 5 } };
  return [
    { ...line, stroke: before, width: 1.5, dash: index === 0 ? [6, 4] : [2, 4] },
    { ...line, stroke: now, width: 2.5 },
  ];
}

type Drawn = Omit<uPlot.Series, "paths"> & { readonly paths: uPlot.Series.PathBuilder | undefined };

function withPaths({ paths, ...series }: Drawn): uPlot.Series {
  return { ...series, ...(paths && { paths }) };
}

function dataOf({ series, kind }: Measure, { today, yesterday }: Days): uPlot.AlignedData {
  const hours = Array.from({ length: HOURS }, (_, hour) => hour);
  const values = series.flatMap(({ valueOf }) => [valuesOf(yesterday, valueOf), valuesOf(today, valueOf)]);
  // A bar of nothing would be a dash.
  return [hours, ...(kind === "bars" ? values.map((day) => day.map((value) => value || null)) : values)];
}
