/** Owns the charts: SVG without a browser (echarts' server-side rendering), of medians. The tables have the spread. */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { valuesOf, type ChartSpec, type Comparison } from "./comparison.ts";
import { median } from "./stretch.ts";

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Colour-blind eyes see them apart too (Okabe and Ito). */
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const BARS = { barGap: "10%", barCategoryGap: "35%" };

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
  return {
    animation: false,
    color: COLORS,
    backgroundColor: "#ffffff",
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    legend: { data: names, bottom: 4 },
    grid: { left: 70, right: 24, top: 64, bottom: 76 },
    xAxis: { type: "category", data: groups, name: groupLabel, nameLocation: "middle", nameGap: 28 },
    yAxis: { type: "value", name: metric.label, nameTextStyle: { align: "left" }, min: 0 },
    series: shapes,
  };
}
