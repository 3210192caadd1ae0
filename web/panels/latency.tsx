import { bandwidthAxis, latencyAxis, percentAxis } from "../axis.ts";
import { Chart } from "../chart.tsx";
import type { ChartSpec } from "../chart-options.ts";
import { attainment, bandwidth, latency } from "../format.ts";
import { shown } from "../live.ts";

const latencyChart = (title: string, part: "ttft" | "itl", atLeast: number): ChartSpec => ({
  title,
  axis: latencyAxis,
  atLeast,
  lines: [
    { label: "p50", pick: (f) => f[part]?.p50 ?? null, tone: "blue", format: latency },
    { label: "p95", pick: (f) => f[part]?.p95 ?? null, tone: "orange", format: latency, width: 2 },
    { label: "target", pick: (f) => f[part]?.target ?? null, tone: "ink", format: latency, dash: "dashed" },
    { label: "predicted", pick: (f) => f.predicted[part], tone: "purple", format: latency, dash: "dotted", width: 2 },
  ],
});

const CHARTS: readonly ChartSpec[] = [
  latencyChart("Time to first token (TTFT)", "ttft", 0.01),
  latencyChart("Inter-token latency (ITL)", "itl", 0.005),
  {
    title: "KV transfer, prefill → decode",
    axis: bandwidthAxis,
    atLeast: 1e6,
    lines: [{ label: "bandwidth", pick: (f) => f.transfer?.bytesPerSecond ?? null, tone: "green", format: bandwidth, fill: true }],
  },
  {
    title: "Objective attainment",
    axis: percentAxis,
    top: 1,
    lines: [
      { label: "TTFT", pick: (f) => f.ttft?.attainment ?? null, tone: "orange", format: attainment },
      { label: "ITL", pick: (f) => f.itl?.attainment ?? null, tone: "blue", format: attainment, dash: "dashed" },
    ],
  },
];

export function Latency() {
  return (
    <section class="panel charts" aria-labelledby="latency-title">
      <h2 id="latency-title">Latency and transfer</h2>
      <div class="grid">
        {CHARTS.map((spec) => (
          <Chart key={spec.title} spec={spec} view={shown.value} />
        ))}
      </div>
    </section>
  );
}
