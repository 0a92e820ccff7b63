/**
 * Owns the charts: SVG without a browser (echarts' server-side rendering), with whiskers from the smallest round to the
 * largest.
 */
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { valuesOf, type ChartSpec, type Comparison } from "./comparison.ts";
import { median } from "./stretch.ts";

use([BarChart, LineChart, CustomChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Told apart by colour-blind eyes too (Okabe and Ito). */
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const BARS = { barGap: "10%", barCategoryGap: "35%" };
const WHISKER = { stroke: "#333333", lineWidth: 1.2, fill: "none" };
const CAP = 5;

/** The chart as SVG text. */
export function drawChart(spec: ChartSpec, comparison: Comparison): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 860, height: 420 });
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
  const isBar = kind === "bar";
  const shapes = names.map((name) => ({
    type: kind,
    name,
    ...(isBar && BARS),
    data: groups.map((group) => {
      const value = median(valuesOf(series, { group, name }, metric.key));
      // Null where nothing was measured: no bar.
      return Number.isFinite(value) ? Number(value.toFixed(metric.digits)) : null;
    }),
    label: { show: true, position: isBar ? "insideTop" : "top", fontSize: 11 },
  }));
  const whiskers = names.map((name, index) => ({
    type: "custom",
    silent: true,
    z: 5,
    // The axis reaches as far as the whiskers.
    encode: { x: 0, y: [1, 2] },
    renderItem: (_params: unknown, api: Drawing) => drawWhisker(api, index, names.length),
    data: groups.flatMap((group, at) => {
      const runs = valuesOf(series, { group, name }, metric.key).filter(Number.isFinite);
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
    series: [...shapes, ...(isBar ? whiskers : [])],
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
  const [middle, low] = api.coord([api.value(0), api.value(1)]);
  const [, high] = api.coord([api.value(0), api.value(2)]);
  const x = middle + (api.barLayout({ ...BARS, count })[index]?.offsetCenter ?? 0);
  const line = (x1: number, y1: number, x2: number, y2: number) => {
    return { type: "line", shape: { x1, y1, x2, y2 }, style: WHISKER };
  };
  const caps = [low, high].map((y) => line(x - CAP, y, x + CAP, y));
  return { type: "group", children: [line(x, low, x, high), ...caps] };
}
