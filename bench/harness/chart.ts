/**
 * Owns the charts: SVG without a browser (echarts' server-side rendering), with whiskers from the smallest round to the
 * largest.
 */
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { median, valuesOf, type ChartSpec, type Comparison } from "./comparison.ts";

use([BarChart, LineChart, CustomChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const SIZE = { width: 860, height: 420 };
/** Told apart by colour-blind eyes too (Okabe and Ito). */
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const BARS = { barGap: "10%", barCategoryGap: "35%" };
const WHISKER = { stroke: "#333333", lineWidth: 1.2, halfWidth: 5 };

/** The chart as SVG text. */
export function drawChart(spec: ChartSpec, comparison: Comparison): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption(optionOf(spec, comparison));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function optionOf({ title, metric, kind }: ChartSpec, { groupLabel, series }: Comparison): EChartsCoreOption {
  const groups = [...new Set(series.map(({ group }) => group))];
  const names = [...new Set(series.map(({ name }) => name))];
  const values = (group: string, name: string): number[] => valuesOf(series, { group, name }, metric.key);
  const shapes = names.map((name) => ({
    type: kind,
    name,
    ...(kind === "bar" ? BARS : undefined),
    data: groups.map((group) => rounded(median(values(group, name)), metric.digits)),
    label: { show: true, position: kind === "bar" ? "insideTop" : "top", fontSize: 11 },
  }));
  const whiskers = names.map((_, index) => ({
    type: "custom",
    silent: true,
    z: 5,
    // The axis reaches as far as the whiskers.
    encode: { x: 0, y: [1, 2] },
    renderItem: (_params: unknown, api: Drawing) => drawWhisker(api, index, names.length),
    data: groups.flatMap((group, at) => {
      const runs = values(group, names[index] ?? "").filter(Number.isFinite);
      return runs.length > 1 ? [[at, Math.min(...runs), Math.max(...runs)]] : [];
    }),
  }));
  return {
    animation: false,
    color: COLORS,
    backgroundColor: "#ffffff",
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    legend: { data: names, bottom: 4 },
    grid: { left: 70, right: 24, top: 64, bottom: 76 },
    xAxis: { type: "category", data: groups, name: groupLabel, nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "value", name: metric.label, nameTextStyle: { align: "left" }, min: 0 },
    series: [...shapes, ...(kind === "bar" ? whiskers : [])],
  };
}

/** What a custom series draws with (echarts' documentation, series-custom.renderItem). */
interface Drawing {
  value(dimension: number): number;
  coord(point: readonly [number, number]): [number, number];
  barLayout(bars: typeof BARS & { readonly count: number }): readonly { readonly offsetCenter: number }[];
}

/** From the smallest to the largest round, on the bar of the series at `index`. */
function drawWhisker(api: Drawing, index: number, count: number): object {
  const group = api.value(0);
  const offset = api.barLayout({ ...BARS, count })[index]?.offsetCenter ?? 0;
  const [middle, low] = api.coord([group, api.value(1)]);
  const [, high] = api.coord([group, api.value(2)]);
  const x = middle + offset;
  const { halfWidth, ...style } = WHISKER;
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: "line",
    shape: { x1, y1, x2, y2 },
    style: { ...style, fill: "none" },
  });
  const cap = (y: number) => line(x - halfWidth, y, x + halfWidth, y);
  return { type: "group", children: [line(x, low, x, high), cap(low), cap(high)] };
}

/** Null where nothing was measured: no bar. */
function rounded(value: number, digits: number): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
}
