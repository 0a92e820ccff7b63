/**
 * Owns the route of the metrics.
 *
 * **Invariants**
 * - It answers while Redis is away, too: with what the server knows by itself.
 */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { documented } from "../../http/documented.ts";
import type { Format, Scrape } from "../../metrics/metrics.ts";

export const METRICS_PATH = "/metrics";

const OPENMETRICS = "application/openmetrics-text";

export interface MetricsDependencies {
  readonly scrape: Scrape;
}

export function metricsRoutes({ scrape }: MetricsDependencies) {
  return new Elysia().get(
    METRICS_PATH,
    async ({ request }): Promise<Response> => {
      const { text, contentType } = await scrape(formatFor(request.headers.get("accept") ?? ""));
      return new Response(text, {
        headers: { "Content-Type": contentType, "Cache-Control": "no-store", Vary: "Accept" },
      });
    },
    READ_METRICS,
  );
}

/** OpenMetrics where it is asked for, and plain text is not liked better. */
function formatFor(accept: string): Format {
  let [openmetrics, text] = [0, 0];
  for (const range of accept.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    if (type === OPENMETRICS) openmetrics = Math.max(openmetrics, weight);
    else if (type === "text/plain" || type === "text/*") text = Math.max(text, weight);
  }
  return openmetrics > 0 && openmetrics >= text ? "openmetrics" : "text";
}

const EXAMPLE = `# HELP longpour_held_customers Customers whom this server holds.
# TYPE longpour_held_customers gauge
longpour_held_customers 16
`;

const READ_METRICS = documented({
  headers: [{ name: "Accept", description: `\`${OPENMETRICS}\` for OpenMetrics; else Prometheus's text.` }],
  tag: "Metrics",
  operationId: "readMetrics",
  summary: "Metrics for Prometheus",
  description:
    "What this server has counted since it began, and how long the shop's queues are. METRICS_TOKEN opens it, too. " +
    "While Redis does not answer, it says what the server knows by itself.",
  answers: {
    200: {
      description: "All metrics.",
      type: "text/plain",
      schema: Type.String({ description: "Prometheus's text format, or OpenMetrics" }),
      example: EXAMPLE,
    },
  },
  problems: ["unauthorized"],
});
